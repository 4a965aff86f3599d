"""What `lagom` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from operator import le
from typing import TYPE_CHECKING, Any

from maggy.trial import Objective, Trial, TrialState

if TYPE_CHECKING:
    import pandas as pd

    from maggy.ablation import Effects


class Result(dict[str, Any]):
    """The outcome of an experiment: a dict with the keys that Maggy's users know, and more as attributes.

    Keys of a search: best_id best_val best_config best_hp worst_id worst_val worst_config worst_hp avg metric_list
    num_trials early_stopped failed, and num_epochs and trial_id of the first trial that finished. A single run has
    'test result'. `best_hp` and `worst_hp` are the 0.x spellings of `best_config` and `worst_config`.

    trials          every trial that ended, in that order
    experiment_dir  the folder that holds everything
    interrupted     whether somebody ended the experiment before it was complete
    study_stopped   why a study-level stopper ended it, in one line; None if none did
    pareto          with several objectives: the trials that no other beats in every one of them, in order; the key
                    'pareto_ids' has their numbers
    effects         of an ablation study: what each component contributes, see `maggy.ablation.Effects`; as JSON values
                    under the key 'effects'
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
        self.pareto: list[Trial] = []
        self.study_stopped: str | None = None
        self.effects: Effects | None = None

    @classmethod
    def of_search(
        cls, trials: Sequence[Trial], objectives: Sequence[Objective], *, experiment_dir: str, interrupted: bool
    ) -> Result:
        """Sum up the trials of a search; failed and lost ones count and stay out of every value.

        objectives  the first one decides which trial is the best; with several there is a Pareto set too
        """
        results = [trial for trial in trials if trial.state.has_result]
        if not results:
            values = {"best_val": "n.a.", "num_trials": 0, "early_stopped": 0, "failed": len(trials)}
            return cls(values, trials=trials, best=None, experiment_dir=experiment_dir, interrupted=interrupted)
        # sorted is stable: of equals, the earlier is better
        ranked = sorted(results, key=_metric, reverse=objectives[0].direction == "max")
        best, worst = ranked[0], ranked[-1]
        metrics = [_metric(trial) for trial in results]
        values = {
            "best_id": best.trial_id,
            "best_val": best.final_metric,
            "best_config": _config(best),
            "best_hp": _config(best),
            "worst_id": worst.trial_id,
            "worst_val": worst.final_metric,
            "worst_config": _config(worst),
            "worst_hp": _config(worst),
            "avg": sum(metrics) / len(metrics),
            "metric_list": metrics,
            "num_trials": len(results),
            "early_stopped": sum(trial.early_stop for trial in results),
            "failed": len(trials) - len(results),
            "num_epochs": results[0].num_points,
            "trial_id": results[0].trial_id,
        }
        result = cls(values, trials=trials, best=best, experiment_dir=experiment_dir, interrupted=interrupted)
        if len(objectives) > 1:
            result.pareto = _pareto(results, objectives)
            result["pareto_ids"] = [trial.trial_id for trial in result.pareto]
        return result

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
                "budget": trial.budget,
                "rung": trial.rung,
                "bracket": trial.bracket,
                "origin": trial.origin,
                "parent": trial.parent,
                "run_s": trial.run_s,
                "notes": "; ".join(trial.notes),
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


def _config(trial: Trial) -> dict[str, Any]:
    """What the trial ran with: its hyperparameters, and its budget if it had one."""
    return dict(trial.params) if trial.budget is None else {**trial.params, "budget": trial.budget}


def _pareto(results: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The trials that no other is as good as in all objectives and better than in one."""

    def losses(trial: Trial) -> tuple[float, ...]:
        outputs = trial.metric_dict or {}
        values = [_metric(trial), *(float(outputs.get(each.key, "nan")) for each in objectives[1:])]
        return tuple(each.sign * value for each, value in zip(objectives, values, strict=True))

    scored = [(trial, mine) for trial in results if all(map(isfinite, mine := losses(trial)))]
    front: list[tuple[Trial, tuple[float, ...]]] = []
    for trial, mine in sorted(scored, key=lambda pair: pair[1]):  # whoever beats a trial comes before it
        if not any(other != mine and all(map(le, other, mine)) for _, other in front):
            front.append((trial, mine))
    return sorted((trial for trial, _ in front), key=lambda trial: trial.trial_id or 0)


def _metric(trial: Trial) -> float:
    assert trial.final_metric is not None
    return trial.final_metric
