"""An experiment in a tracking service: its trials, its best, and what it was run with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maggy.brain import events as ev
from maggy.chronicle import About
from maggy.context.metric import as_number
from maggy.tracking.metric_logger import MetricLogger
from maggy.tracking.trial_runs import TrialRuns
from maggy.trial import Trial

MODEL = "model"
"""Under this name the last checkpoint of the best trial is kept."""


def final_name(key: str) -> str:
    """What the result of a trial is called, beside the points of its curve, which have the metric's own name."""
    return f"final_{key}"


class ExperimentRuns(TrialRuns):
    """Writes down a run for each trial of an experiment, and what is known of all of them in that of the experiment.

    about    the experiment
    written  see `TrialRuns`
    """

    def __init__(self, about: About, make: Callable[[], MetricLogger], *, written: int = 0) -> None:
        self._key = about.objectives[0].key
        self._about = about
        super().__init__(lambda: self._described(make()), curve=self._key, written=written)

    def about(self, trial: Trial) -> tuple[str, dict[str, Any]]:
        return f"trial {trial.trial_id}", trial.params

    def ended(self, run: MetricLogger, trial: Trial, event: ev.TrialFinished | ev.TrialStopped) -> None:
        outputs = {name: as_number(value) for name, value in (event.outputs or {}).items() if name != self._key}
        others = {name: value for name, value in outputs.items() if value is not None}
        run.log_metrics({final_name(self._key): event.metric, **others})

    def settled(self, run: MetricLogger, trial: Trial) -> None:
        facts = {
            "state": str(trial.state),
            "reason": trial.reason,
            "error": trial.error,
            "origin": trial.origin,
            "attempt": trial.attempt or None,
            "budget": trial.budget,
            "rung": trial.rung,
            "bracket": trial.bracket,
            "parent": trial.parent,
        }
        run.log_metadata({f"maggy.{name}": value for name, value in facts.items() if value is not None})

    def improved(self, logger: MetricLogger, trial: Trial) -> None:
        assert trial.final_metric is not None
        logger.log_metrics({f"best_{self._key}": trial.final_metric}, self.chronicle.tally.ended)

    def concluded(self, logger: MetricLogger) -> None:
        tally = self.chronicle.tally
        facts: dict[str, Any] = {"maggy.state": str(tally.ending or "interrupted"), "maggy.ended": tally.ended}
        if (best := self.chronicle.best) is not None:
            facts |= {"maggy.best_trial": best.trial_id, "maggy.best": best.final_metric}
            facts |= {f"maggy.best.{name}": value for name, value in best.params.items()}
        logger.log_metadata(facts)
        if best is not None and best.checkpoint is not None:
            with _on_this_machine(best.checkpoint.url) as folder:
                logger.log_files(folder, MODEL)

    def _described(self, logger: MetricLogger) -> MetricLogger:
        """Write down what the experiment is run with."""
        about, raw = self._about, self._about.raw
        logger.at = about.started
        if logger.is_new:  # hyperparameters are written once
            config = {name: value for name, value in raw["config"].items() if name != "searchspace"}
            logger.log_params({name: value for name, value in config.items() if value is not None})
        facts = {
            "folder": about.url,
            "kind": about.kind,
            "description": about.description,
            "seed": about.seed,
            "engine": about.engine,
            "function": raw.get("function"),
            "git_commit": (raw.get("git") or {}).get("commit"),
            "searchspace": None if about.space is None else json.dumps(about.space),
            "versions": raw.get("versions"),
        }
        logger.log_metadata({f"maggy.{name}": value for name, value in facts.items() if value})
        return logger


@contextmanager
def _on_this_machine(url: str) -> Iterator[Path]:
    """A folder at any URL; a copy of it, where it is elsewhere."""
    if "://" not in url:
        yield Path(url)
        return
    import fsspec

    fs, root = fsspec.core.url_to_fs(url)
    with TemporaryDirectory(prefix="maggy-") as folder:
        fs.get(f"{root}/", f"{folder}/", recursive=True)
        yield Path(folder)
