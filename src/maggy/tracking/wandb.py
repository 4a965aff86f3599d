"""Runs in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from maggy.tracking.metric_logger import MetricLogger
from maggy.trial import flat


class WandbLogger(MetricLogger):
    """A run of Weights & Biases. Runs cannot lie within others there: they share a group.

    run    a run of wandb
    group  of the runs that are begun within it
    """

    def __init__(self, run: Any, group: str) -> None:
        super().__init__()
        self.run, self._group = run, group

    @classmethod
    def begin(cls, name: str, project: str) -> WandbLogger:
        """Begin a run, in a group of its own."""
        group = f"{name}-{uuid4().hex[:8]}"
        return cls(_run(project=project, group=group, name=name, job_type="study"), group)

    @classmethod
    def go_on(cls, name: str, project: str, identity: str) -> WandbLogger:
        """Begin the run of an experiment of Maggy, or go on with it, where one was begun before.

        project   "": the one that is set in wandb
        identity  the experiment's id: the id of its run too, and with a number that of a trial's
        """
        group = f"{name}-{identity[:8]}"
        about = {"project": project} if project else {}
        return cls(_run(**about, group=group, name=name, job_type="experiment", id=identity, resume="allow"), group)

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> WandbLogger:
        kind = "step" if is_step else "trial"
        run = _run(project=self.run.project, group=self._group, name=name, notes=description, job_type=kind)
        return WandbLogger(run, self._group)

    def create_trial(self, trial: int, name: str) -> WandbLogger:
        about = {"project": self.run.project, "group": self._group, "name": name, "job_type": "trial"}
        return WandbLogger(_run(**about, id=f"{self.run.id}-{trial}", resume="allow"), self._group)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.run.config.update(flat(params), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.run.log({**metrics, **self._when()}, step=step)

    def log_curve(self, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        when = self._when()
        for step, value in zip(steps, values, strict=True):
            self.run.log({name: value, **when}, step=step)

    def log_metadata(self, metadata: Mapping[str, Any]) -> None:
        self.run.summary.update(flat(metadata))

    def log_files(self, folder: Path, name: str) -> None:
        import wandb

        artifact = wandb.Artifact(f"{name}-{self.run.id}", type="model")
        artifact.add_dir(str(folder))
        self.run.log_artifact(artifact)

    def finish(self, failed: bool = False) -> None:
        self.run.finish(exit_code=int(failed))

    def _when(self) -> dict[str, float]:
        return {} if self.at is None else {"_timestamp": self.at}


def _run(**about: Any) -> Any:
    import wandb

    # Beside those that are open: trials run at the same time. What this process prints belongs to none of them.
    return wandb.init(**about, reinit="create_new", settings=wandb.Settings(silent=True, console="off"))
