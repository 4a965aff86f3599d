"""What `lagom` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from maggy.trial import Direction, Trial, TrialState

if TYPE_CHECKING:
    import pandas as pd


class Result(dict[str, Any]):
    """The outcome of an experiment: a dict with the keys that Maggy's users know, and more as attributes.

    Keys of a search: best_id best_val best_config best_hp worst_id worst_val worst_config worst_hp avg metric_list
    num_trials early_stopped failed, and num_epochs and trial_id of the first trial that finished. A single run has
    'test result'. `best_hp` and `worst_hp` are the 0.x spellings of `best_config` and `worst_config`.

    trials          every trial that ended, in that order
    experiment_dir  the folder that holds everything
    interrupted     whether somebody ended the experiment before it was complete
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        trials: Sequence[Trial],
        best: Trial | None,
        experiment_dir: str,
        interrupted: bool,
    ) -> None:
        super().__init__(values)
        self.trials = trials
        self.best = best
        self.experiment_dir = experiment_dir
        self.interrupted = interrupted

    @classmethod
    def of_search(
        cls, trials: Sequence[Trial], direction: Direction, *, experiment_dir: str, interrupted: bool
    ) -> Result:
        """Sum up the trials of a search; failed and lost ones count and stay out of every value."""
        results = [trial for trial in trials if trial.state.has_result]
        if not results:
            values = {"best_val": "n.a.", "num_trials": 0, "early_stopped": 0, "failed": len(trials)}
            return cls(values, trials=trials, best=None, experiment_dir=experiment_dir, interrupted=interrupted)
        ranked = sorted(results, key=_metric, reverse=direction == "max")  # stable: of equals, the earlier is better
        best, worst = ranked[0], ranked[-1]
        metrics = [_metric(trial) for trial in results]
        values = {
            "best_id": best.trial_id,
            "best_val": best.final_metric,
            "best_config": dict(best.params),
            "best_hp": dict(best.params),
            "worst_id": worst.trial_id,
            "worst_val": worst.final_metric,
            "worst_config": dict(worst.params),
            "worst_hp": dict(worst.params),
            "avg": sum(metrics) / len(metrics),
            "metric_list": metrics,
            "num_trials": len(results),
            "early_stopped": sum(trial.early_stop for trial in results),
            "failed": len(trials) - len(results),
            "num_epochs": results[0].num_points,
            "trial_id": results[0].trial_id,
        }
        return cls(values, trials=trials, best=best, experiment_dir=experiment_dir, interrupted=interrupted)

    @classmethod
    def of_run(cls, trials: Sequence[Trial], *, experiment_dir: str, interrupted: bool) -> Result:
        """The outcome of a single run."""
        trial = next((trial for trial in trials if trial.state.has_result), None)
        values = {"test result": trial.final_metric if trial else None}
        return cls(values, trials=trials, best=trial, experiment_dir=experiment_dir, interrupted=interrupted)

    def to_pandas(self) -> pd.DataFrame:
        """One row for each trial that ended: id, state, metric, times, and one column for each hyperparameter.

        Needs pandas. The metric of a trial without a result is missing (NaN).
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("Result.to_pandas needs pandas: pip install pandas") from error

        rows = [
            {
                "trial_id": trial.trial_id,
                "state": str(trial.state),
                "metric": trial.final_metric,
                "best_metric": trial.best_metric,
                "start": trial.start,
                "duration_s": None if trial.duration is None else trial.duration / 1000,
                "worker": trial.worker,
                "attempt": trial.attempt,
                "reason": trial.reason,
                "error": trial.error,
                "checkpoint": None if trial.checkpoint is None else trial.checkpoint.url,
                **{f"hp_{name}": value for name, value in trial.params.items()},
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows)

    @property
    def failed_trials(self) -> list[Trial]:
        """Trials that raised or were lost, with their `error` and `traceback`."""
        return [trial for trial in self.trials if trial.state in (TrialState.FAILED, TrialState.LOST)]


def _metric(trial: Trial) -> float:
    assert trial.final_metric is not None
    return trial.final_metric
