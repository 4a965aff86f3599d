"""Event files for TensorBoard, without TensorFlow."""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from maggy.searchspace import Double, Integer, Normal, Parameter, Searchspace, Space
from maggy.tracking.metric_logger import MetricLogger
from maggy.trial import flat

_FLUSH_BYTES = 1 << 20
_files = itertools.count()


class TensorBoardLogger(MetricLogger):
    """A run of TensorBoard: a folder with a file of events, which is open only while something is written.

    folder   which is made when the first events are written
    as_text  hyperparameters whose values are of several kinds: the HParams tab can choose among texts then
    """

    def __init__(self, folder: Path, as_text: Collection[str] = ()) -> None:
        super().__init__()
        self.folder, self._as_text = folder, as_text
        self._file: Path | None = None
        self._events: list[bytes] = []
        self._size = 0

    @classmethod
    def of_experiment(
        cls, folder: Path, space: Mapping[str, Any] | None, metrics: Mapping[str, str], started: float
    ) -> TensorBoardLogger:
        """The run of an experiment, which says what the HParams tab shows.

        folder   of the experiment
        space    its search space as JSON values
        metrics  name of each, and how it is shown
        started  when it began, in seconds since the epoch
        """
        from tensorboard.plugins.hparams import summary_v2 as hp

        parameters = {} if space is None else _parameters(space)
        logger = cls(folder, frozenset(name for name, parameter in parameters.items() if _is_mixed(parameter)))
        logger.at = started
        if space is not None:  # else TensorBoard finds the names by itself
            shown = [hp.Metric(tag, display_name=name) for tag, name in metrics.items()]
            hparams = [hp.HParam(name, _domain(parameter)) for name, parameter in parameters.items()]
            logger._add(hp.hparams_config_pb(hparams=hparams, metrics=shown, time_created_secs=started))
            logger.flush()
        return logger

    def create_child(
        self, name: str | None = None, description: str | None = None, is_step: bool = False
    ) -> TensorBoardLogger:
        return TensorBoardLogger(self.folder / (name or self.unique_id))

    def create_trial(self, trial: int, name: str) -> TensorBoardLogger:
        return TensorBoardLogger(self.folder / "trials" / str(trial), self._as_text)

    def log_params(self, params: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams import summary_v2 as hp

        known = flat(params)
        values = {name: str(value) if name in self._as_text else _value(value) for name, value in known.items()}
        self._add(hp.hparams_pb(values, trial_id=self.folder.name, start_time_secs=self._now()))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self.log_curve(name, [step or 0], [value])

    def log_curve(self, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        from tensorboard.compat.proto import summary_pb2

        for step, value in zip(steps, values, strict=True):
            point = summary_pb2.Summary.Value(tag=name, simple_value=value)
            self._add(summary_pb2.Summary(value=[point]), step)

    def finish(self, failed: bool = False) -> None:
        self._end("STATUS_FAILURE" if failed else "STATUS_SUCCESS")

    def interrupt(self) -> None:
        self._end("STATUS_UNKNOWN")

    def flush(self) -> None:
        if not self._events:
            return
        from tensorboard.summary.writer.record_writer import RecordWriter

        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_files)}"
            self._file = self.folder / name
            self._events.insert(0, self._event(file_version="brain.Event:2"))
        with self._file.open("ab") as file:
            writer = RecordWriter(file)
            for event in self._events:
                writer.write(event)
        self._events.clear()
        self._size = 0

    def _end(self, status: str) -> None:
        from tensorboard.compat.proto import summary_pb2
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        end = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value(status), end_time_secs=self._now())
        about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
        value = summary_pb2.Summary.Value(
            tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
        )
        self._add(summary_pb2.Summary(value=[value]))
        self.flush()

    def _add(self, summary: Any, step: int = 0) -> None:
        event = self._event(summary=summary, step=step)
        self._events.append(event)
        self._size += len(event)
        if self._size > _FLUSH_BYTES:
            self.flush()

    def _event(self, **about: Any) -> bytes:
        from tensorboard.compat.proto import event_pb2

        event: bytes = event_pb2.Event(wall_time=self._now(), **about).SerializeToString()
        return event

    def _now(self) -> float:
        return time.time() if self.at is None else self.at


def _value(value: Any) -> Any:
    """What the HParams plugin takes."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _parameters(space: Mapping[str, Any]) -> Mapping[str, Parameter]:
    known = Space.from_json(json.dumps(space)) if "branches" in space else Searchspace(**space)
    return known.parameters


def _is_mixed(parameter: Parameter) -> bool:
    """Whether it has values that the HParams plugin cannot list as they are."""
    if isinstance(parameter, Integer | Double | Normal):
        return False
    kinds = {type(_value(value)) for value in parameter.values}
    return len(kinds) > 1 and kinds != {int, float}


def _domain(parameter: Parameter) -> Any:
    from tensorboard.plugins.hparams import summary_v2 as hp

    match parameter:
        case Integer():
            return hp.IntInterval(*parameter.values)
        case Double():
            return hp.RealInterval(*parameter.values)
        case Normal():
            return hp.RealInterval()
    if _is_mixed(parameter):
        return hp.Discrete(sorted(map(str, parameter.values)))
    values = [_value(value) for value in parameter.values]
    return hp.Discrete([float(value) for value in values] if float in map(type, values) else values)
