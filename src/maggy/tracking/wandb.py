"""Runs in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from maggy.tracking.metric_logger import MetricLogger, flat


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

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> WandbLogger:
        kind = "step" if is_step else "trial"
        run = _run(project=self.run.project, group=self._group, name=name, notes=description, job_type=kind)
        return WandbLogger(run, self._group)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.run.config.update(flat(params), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.run.log(dict(metrics), step=step)

    def log_metadata(self, metadata: Mapping[str, Any]) -> None:
        self.run.summary.update(flat(metadata))

    def finish(self, failed: bool = False) -> None:
        self.run.finish(exit_code=int(failed))


def _run(**about: Any) -> Any:
    import wandb

    # Beside those that are open: trials run at the same time. What this process prints belongs to none of them.
    return wandb.init(**about, reinit="create_new", settings=wandb.Settings(silent=True, console="off"))
