"""Runs in MLflow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from maggy.tracking.metric_logger import MetricLogger
from maggy.trial import flat

_T = TypeVar("_T")
Write = Callable[[Callable[[], Any]], Any]

_LONGEST_TAG, _LONGEST_PARAM = 5000, 500  # characters that every version of MLflow takes
_MOST, _MOST_PARAMS, _MOST_TAGS = 1000, 100, 100  # of everything, and of these, in one batch
_PAGE = 1000  # runs that one answer lists

_EXPERIMENT, _TRIAL = "maggy.experiment_id", "maggy.trial"  # tags, by which runs are found again


class MlflowLogger(MetricLogger):
    """A run of MLflow, at the tracking server that is set (`mlflow.set_tracking_uri`, MLFLOW_TRACKING_URI).

    run    a run of MLflow
    owns   whether the run ends with the logger
    write  calls what it is given, perhaps more than once, as a server may have a bad moment; what is written down then
           waits for `flush`, and goes in batches. None: everything is sent at once
    """

    def __init__(self, run: Any, owns: bool = True, write: Write | None = None) -> None:
        super().__init__()
        from mlflow import MlflowClient

        self.run_id: str = run.info.run_id
        self._experiment_id, self._owns = run.info.experiment_id, owns
        self._client, self._write = MlflowClient(), write
        self._trials: dict[int, Any] = {}  # runs of trials, by number
        self._metrics: list[Any] = []
        self._params: list[Any] = []
        self._tags: list[Any] = []

    @classmethod
    def begin(cls, name: str, experiment: str = "") -> MlflowLogger:
        """Begin a run.

        experiment  which is made if there is none of that name; "" for the one that is set in MLflow
        """
        return cls(_begun(name, experiment, {}))

    @classmethod
    def go_on(cls, name: str, experiment: str, identity: str, write: Write) -> MlflowLogger:
        """Begin the run of an experiment of Maggy, or go on with it, where one was begun before.

        identity  the experiment's id
        """
        logger: MlflowLogger | None = write(lambda: cls._gone_on(name, experiment, identity, write))
        if logger is None:
            raise PermissionError("it lets nobody begin a run here")
        return logger

    @classmethod
    def _gone_on(cls, name: str, experiment: str, identity: str, write: Write) -> MlflowLogger:
        import mlflow

        client = mlflow.MlflowClient()
        found = mlflow.search_runs(
            **({"experiment_names": [experiment]} if experiment else {"search_all_experiments": True}),
            filter_string=f"tags.`{_EXPERIMENT}` = '{identity}'",
            output_format="list",
            max_results=1,
        )
        if not found:
            logger = cls(_begun(name, experiment, {_EXPERIMENT: identity}), write=write)
            logger.is_new = True
            return logger
        logger = cls(found[0], write=write)
        client.update_run(logger.run_id, status="RUNNING")
        token: str | None = None
        while True:
            page = client.search_runs(
                [logger._experiment_id],
                f"tags.`mlflow.parentRunId` = '{logger.run_id}'",
                max_results=_PAGE,
                page_token=token,
            )
            logger._trials |= {int(run.data.tags[_TRIAL]): run for run in page if _TRIAL in run.data.tags}
            if not (token := page.token):
                return logger

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> MlflowLogger:
        return self._child(name, {"mlflow.note.content": description} if description else {})

    def create_trial(self, trial: int, name: str) -> MlflowLogger:
        if (run := self._trials.get(trial)) is None:
            child = self._child(name, {_TRIAL: str(trial)})
            self._trials[trial] = child
            return child
        child = run if isinstance(run, MlflowLogger) else MlflowLogger(run, write=self._write)
        self._trials[trial] = child
        self._call(lambda: self._client.update_run(child.run_id, status="RUNNING"))
        return child

    def log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        self._params += [Param(_allowed(name), str(value)[:_LONGEST_PARAM]) for name, value in flat(params).items()]
        self._written()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = self._now()
        self._metrics += [Metric(_allowed(name), float(value), now, step or 0) for name, value in metrics.items()]
        self._written()

    def log_curve(self, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        from mlflow.entities import Metric

        now, key = self._now(), _allowed(name)
        self._metrics += [Metric(key, value, now, step) for step, value in zip(steps, values, strict=True)]
        self._written()

    def log_metadata(self, metadata: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        self._tags += [RunTag(_allowed(name), str(value)[:_LONGEST_TAG]) for name, value in flat(metadata).items()]
        self._written()

    def log_files(self, folder: Path, name: str) -> None:
        self._call(lambda: self._client.log_artifacts(self.run_id, str(folder), name))

    def flush(self) -> None:
        while self._metrics or self._params or self._tags:
            params, tags = self._params[:_MOST_PARAMS], self._tags[:_MOST_TAGS]
            metrics = self._metrics[: _MOST - len(params) - len(tags)]
            del self._params[: len(params)], self._tags[: len(tags)], self._metrics[: len(metrics)]
            batch = {"metrics": metrics, "params": params, "tags": tags}
            self._call(lambda batch=batch: self._client.log_batch(self.run_id, **batch))  # type: ignore[misc]

    def finish(self, failed: bool = False) -> None:
        self._end("FAILED" if failed else "FINISHED")

    def interrupt(self) -> None:
        self._end("KILLED")

    def _child(self, name: str | None, tags: dict[str, str]) -> MlflowLogger:
        create = lambda: self._client.create_run(  # noqa: E731
            self._experiment_id,
            start_time=self._now(),
            run_name=name,
            tags={"mlflow.parentRunId": self.run_id, **tags},
        )
        run = self._call(create)
        if run is None:
            raise PermissionError("it lets nobody begin a run here")
        return MlflowLogger(run, write=self._write)

    def _end(self, status: str) -> None:
        self.flush()
        if self._owns:
            self._call(lambda: self._client.set_terminated(self.run_id, status, self._now()))

    def _written(self) -> None:
        if self._write is None or len(self._metrics) >= _MOST:
            self.flush()

    def _call(self, write: Callable[[], _T]) -> _T | None:
        """None where the server refuses it, and `write` does not raise that."""
        done: _T | None = write() if self._write is None else self._write(write)
        return done

    def _now(self) -> int:
        """Milliseconds since the epoch."""
        return int(1000 * (time.time() if self.at is None else self.at))


def is_refusal(error: Exception) -> bool:
    """Whether the server has understood what it was told, and does not want it; or there is no such place for files."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        return True
    return isinstance(error, MlflowException) and 400 <= error.get_http_status_code() < 500 and "429" not in str(error)


def _begun(name: str, experiment: str, tags: dict[str, str]) -> Any:
    import mlflow

    experiment_id = None
    if experiment:
        client = mlflow.MlflowClient()
        known = client.get_experiment_by_name(experiment)
        experiment_id = client.create_experiment(experiment) if known is None else known.experiment_id
    # Active runs belong to a thread. This one goes on through the client, and shall not be anybody's active run.
    run = mlflow.start_run(run_name=name, experiment_id=experiment_id, tags=tags)
    mlflow.end_run("RUNNING")
    return run


def _allowed(name: str) -> str:
    """MLflow takes no other characters."""
    return re.sub(r"[^\w\-. /:]", "_", name)
