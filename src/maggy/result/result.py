"""What `lagom` returns."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from maggy.errors import ExperimentDirError
from maggy.front import front_of
from maggy.result import tables
from maggy.spilled import picked
from maggy.trial import Objective, Trial, TrialState

if TYPE_CHECKING:
    import pandas as pd

    from maggy.ablation import Effects
    from maggy.chronicle import Chronicle
    from maggy.plots import Importances
    from maggy.result.plotting import Plots
    from maggy.result.story import Story


class Result(dict[str, Any]):
    """The outcome of an experiment: a dict with the keys that Maggy's users know, and more as attributes.

    Keys of a search: best_id best_val best_config best_hp worst_id worst_val worst_config worst_hp avg metric_list
    num_trials early_stopped failed, and num_epochs and trial_id of the first trial that finished. A single run has
    'test result'. `best_hp` and `worst_hp` are the 0.x spellings of `best_config` and `worst_config`.

    trials          every trial that ended, in that order; of more than 10,000 a sequence whose older ones are copies
    best            the best trial; None without any result
    ranked          the trials that have a result, the best first. Where there are very many trials, `trials` and this
                    are no lists, but sequences that read the older ones from a file
    experiment_dir  the folder that holds everything
    interrupted     whether somebody ended the experiment before it was complete; of one that was loaded, also whether
                    its driver is lost or runs still
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
        self.ranked: Sequence[Trial] = [] if best is None else [best]
        self._story: Story | None = None

    @classmethod
    def of_search(
        cls, trials: Sequence[Trial], objectives: Sequence[Objective], *, experiment_dir: str, interrupted: bool
    ) -> Result:
        """Sum up the trials of a search; failed and lost ones count and stay out of every value.

        objectives  the first one decides which trial is the best; with several there is a Pareto set too
        """
        places, metrics, stopped = array("q"), [], 0
        for place, trial in enumerate(trials):
            if trial.state.has_result:
                places.append(place)
                metrics.append(_metric(trial))
                stopped += trial.early_stop
        if not places:
            values = {"best_val": "n.a.", "num_trials": 0, "early_stopped": 0, "failed": len(trials)}
            return cls(values, trials=trials, best=None, experiment_dir=experiment_dir, interrupted=interrupted)
        # sorted is stable: of equals, the earlier is better
        order = sorted(range(len(metrics)), key=metrics.__getitem__, reverse=objectives[0].direction == "max")
        ranked = picked(trials, array("q", (places[number] for number in order)))
        first, best, worst = trials[places[0]], ranked[0], ranked[-1]
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
            "num_trials": len(metrics),
            "early_stopped": stopped,
            "failed": len(trials) - len(metrics),
            "num_epochs": first.num_points,
            "trial_id": first.trial_id,
        }
        result = cls(values, trials=trials, best=best, experiment_dir=experiment_dir, interrupted=interrupted)
        result.ranked = ranked
        if len(objectives) > 1:
            result.pareto = _pareto(picked(trials, places), objectives)
            result["pareto_ids"] = [trial.trial_id for trial in result.pareto]
        return result

    @classmethod
    def of_run(cls, trials: Sequence[Trial], *, experiment_dir: str, interrupted: bool) -> Result:
        """The outcome of a single run."""
        trial = next((trial for trial in trials if trial.state.has_result), None)
        values = {"test result": trial.final_metric if trial else None}
        return cls(values, trials=trials, best=trial, experiment_dir=experiment_dir, interrupted=interrupted)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """The result of an experiment that was run before: what `lagom` returned, from its folder.

        path  of the folder, here or in an object store. Its experiment may have ended, have been killed, or run still:
              then it is the result so far, and `interrupted` is true

        Raises ExperimentDirError if there is no experiment, JournalError if its journal is damaged.
        """
        from maggy.brain.commands import Ending
        from maggy.plots.effects import effects_of, is_study
        from maggy.result.story import Story

        story = Story.read(path)
        chronicle = story.chronicle
        about, trials = chronicle.about, chronicle.ended
        interrupted = chronicle.tally.ending is not Ending.COMPLETE
        if not about.is_search:
            result = cls.of_run(trials, experiment_dir=story.url, interrupted=interrupted)
        else:
            result = cls.of_search(trials, about.objectives, experiment_dir=story.url, interrupted=interrupted)
            result.study_stopped = story.study_stopped
        if is_study(about):
            result.effects = effects_of(chronicle)
            result["effects"] = result.effects.to_dict()
        result._story = story
        return result

    @property
    def chronicle(self) -> Chronicle:
        """Every trial with its curve, who ran it when and why, from the experiment's folder, which is read once.

        Raises ExperimentDirError if there is no folder, JournalError if the journal in it is damaged.
        """
        return self._read().chronicle

    @property
    def plot(self) -> Plots:
        """Plots, as figures of plotly: `result.plot.history()`; see `maggy.plots` for what there is.

        Raises as `chronicle` does.
        """
        from maggy.result.plotting import Plots

        return Plots(self.chronicle)

    def importance(self, *, objective: str | None = None, seed: int = 0) -> Importances:
        """How much the metric depends on each hyperparameter, as a dict of shares; see `maggy.plots.importances`."""
        from maggy.plots import importances

        return importances(self.chronicle, objective=objective, seed=seed)

    def to_pandas(self) -> pd.DataFrame:
        """One row for each trial that ended: id, state, metric, times, and one column for each hyperparameter.

        Needs pandas. The metric of a trial without a result is missing (NaN).
        """
        return tables.of_trials(self.trials, "Result.to_pandas")

    def curves(self, *, params: bool = False) -> pd.DataFrame:
        """One row for each point that a trial reported, trial by trial: trial_id, attempt, step, metric, and time, in
        seconds since the epoch, when the driver had it.

        params  whether there is a column for each hyperparameter too

        Where a trial was run again, points of earlier attempts are left out that the later ones reported anew. Needs
        pandas, and the experiment's folder. Raises as `chronicle` does.
        """
        return tables.of_points(self._read(), params=params, who="Result.curves")

    def export(self, path: str | os.PathLike[str], *, curves: bool = False) -> None:
        """Write `to_pandas` to a file.

        path    ends in .csv, .parquet or .json
        curves  write `curves` with the hyperparameters instead

        Raises ConfigError for another suffix.
        """
        tables.write(self.curves(params=True) if curves else self.to_pandas(), path)

    @property
    def failed_trials(self) -> list[Trial]:
        """Trials that raised or were lost, with their `error` and `traceback`."""
        return [trial for trial in self.trials if trial.state in (TrialState.FAILED, TrialState.LOST)]

    def _repr_html_(self) -> str:
        from maggy.result.html import as_html

        return as_html(self)

    def _read(self) -> Story:
        from maggy.result.story import Story

        if self._story is None:
            if not self.experiment_dir:
                raise ExperimentDirError(
                    "this simulation has left no records to read: simulate(..., experiment_dir='/tmp/simulated')"
                )
            self._story = Story.read(self.experiment_dir)
        return self._story


def _config(trial: Trial) -> dict[str, Any]:
    """What the trial ran with: its hyperparameters, and its budget if it had one."""
    return dict(trial.params) if trial.budget is None else {**trial.params, "budget": trial.budget}


def _pareto(results: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The trials that no other is as good as in all objectives and better than in one."""

    def losses(trial: Trial) -> tuple[float, ...]:
        outputs = trial.metric_dict or {}
        values = [_metric(trial), *(float(outputs.get(each.key, "nan")) for each in objectives[1:])]
        return tuple(each.sign * value for each, value in zip(objectives, values, strict=True))

    scored = [(place, mine) for place, trial in enumerate(results) if all(map(isfinite, mine := losses(trial)))]
    front = front_of([mine for _, mine in scored])
    return sorted((results[scored[number][0]] for number in front), key=lambda trial: trial.trial_id or 0)


def _metric(trial: Trial) -> float:
    assert trial.final_metric is not None
    return trial.final_metric
