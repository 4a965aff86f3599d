"""Runs in MLflow."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from maggy.tracking.metric_logger import MetricLogger, flat

_LONGEST_TAG, _LONGEST_PARAM = 5000, 500  # characters that every version of MLflow takes


class MlflowLogger(MetricLogger):
    """A run of MLflow, at the tracking server that is set (`mlflow.set_tracking_uri`, MLFLOW_TRACKING_URI).

    run   a run of MLflow
    owns  whether the run ends with the logger
    """

    def __init__(self, run: Any, owns: bool = True) -> None:
        super().__init__()
        from mlflow import MlflowClient

        self.run_id: str = run.info.run_id
        self._experiment_id, self._owns = run.info.experiment_id, owns
        self._client = MlflowClient()

    @classmethod
    def begin(cls, name: str, experiment: str = "") -> MlflowLogger:
        """Begin a run.

        experiment  which is made if there is none of that name; "" for the one that is set in MLflow
        """
        import mlflow

        experiment_id = None
        if experiment:
            client = mlflow.MlflowClient()
            known = client.get_experiment_by_name(experiment)
            experiment_id = client.create_experiment(experiment) if known is None else known.experiment_id
        # Active runs belong to a thread. This one goes on through the client, and shall not be anybody's active run.
        run = mlflow.start_run(run_name=name, experiment_id=experiment_id)
        mlflow.end_run("RUNNING")
        return cls(run)

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> MlflowLogger:
        tags = {"mlflow.parentRunId": self.run_id} | ({"mlflow.note.content": description} if description else {})
        return MlflowLogger(self._client.create_run(self._experiment_id, run_name=name, tags=tags))

    def log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        shown = [Param(_allowed(name), str(value)[:_LONGEST_PARAM]) for name, value in flat(params).items()]
        self._client.log_batch(self.run_id, params=shown)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(_allowed(name), float(value), now, step or 0) for name, value in metrics.items()]
        self._client.log_batch(self.run_id, metrics=points)

    def log_metadata(self, metadata: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        tags = [RunTag(_allowed(name), str(value)[:_LONGEST_TAG]) for name, value in flat(metadata).items()]
        self._client.log_batch(self.run_id, tags=tags)

    def finish(self, failed: bool = False) -> None:
        if self._owns:
            self._client.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")


def _allowed(name: str) -> str:
    """MLflow takes no other characters."""
    return re.sub(r"[^\w\-. /:]", "_", name)
