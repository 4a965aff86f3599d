"""Every exception a user can meet, with its facts as fields and not only as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

_SHOWN = 20  # names of what there is


def did_you_mean(name: object, known: Iterable[str], n: int = 3) -> str:
    """A question that names up to `n` of what is known and alike, after a blank; "" if nothing is."""
    close = get_close_matches(str(name), list(known), n=n)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def shown(names: Sequence[str]) -> str:
    """The first names of what there is, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(map(repr, names[:_SHOWN]))}{more}"


class MaggyError(Exception):
    """Base of every error that Maggy raises on purpose."""


# --- bad input: raised before anything starts -------------------------------------------------


class ConfigError(MaggyError, ValueError):
    """A setting has a value that cannot work."""


class UnknownNameError(ConfigError):
    """A name was given for which nothing is registered.

    kind   what was looked for, e.g. "optimizer"
    name   what was given
    known  the names that exist
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        hint = did_you_mean(str(name).lower(), self.known, n=1)
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {', '.join(map(repr, self.known))}.")


class SearchspaceError(ConfigError):
    """A search space, or one parameter of it, cannot work."""


class AblationError(ConfigError):
    """Something cannot be left out of the model or the data, or leaving it out would change nothing.

    component  what it was
    """

    def __init__(self, message: str, component: str | None = None) -> None:
        self.component = component
        super().__init__(message)


class SignatureError(MaggyError, TypeError):
    """The training function asks for a name that nobody provides, or refuses one that it must take."""


class FunctionNotPicklableError(MaggyError, TypeError):
    """The training function cannot travel to a worker.

    variables  names, inside the function or the config, that hold what cannot be pickled
    """

    def __init__(self, message: str, variables: tuple[str, ...] = ()) -> None:
        self.variables = variables
        super().__init__(message)


class FunctionTooLargeError(MaggyError, ValueError):
    """The pickled training function is too large to send to every worker.

    size_bytes, limit_bytes  what it weighs and what is allowed
    """

    def __init__(self, message: str, *, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes
        super().__init__(message)


class ExperimentDirError(MaggyError, OSError):
    """The experiment's folder cannot be made, written or seen by a worker, or already holds an experiment."""


class ResumeError(ConfigError):
    """What is to be resumed is not what was begun, or cannot be told from the experiment's folder.

    differences  one text for each thing that has changed, by name
    """

    def __init__(self, message: str, differences: Mapping[str, str] | None = None) -> None:
        self.differences = dict(differences or {})
        super().__init__(message)


class PlotError(MaggyError, ValueError):
    """A plot does not go with the experiment, has too little to show, or needs what is not installed."""


class JavaNotFoundError(MaggyError, RuntimeError):
    """Spark needs Java and none was found."""


class EngineError(MaggyError, RuntimeError):
    """An engine cannot start, or lost, the workers."""


class NoWorkersError(EngineError):
    """No worker reported for duty within the engine's time limit."""


# --- how an experiment ends badly -------------------------------------------------------------


class ExperimentFailedError(MaggyError, RuntimeError):
    """The experiment ended early because it could not succeed.

    error       the last line of the error the trials had in common, e.g. "ValueError: bad lr"
    traceback   the traceback of one of them, as text
    failed      how many trials failed
    """

    def __init__(self, message: str, *, error: str = "", traceback: str = "", failed: int = 0) -> None:
        self.error, self.traceback, self.failed = error, traceback, failed
        super().__init__(message)


# --- inside a trial ---------------------------------------------------------------------------


class EarlyStopException(MaggyError):  # noqa: N818  the name is part of the historical API
    """Raised by `Reporter.broadcast` when the driver decided to stop the trial.

    metric   the metric of the broadcast at which the trial was stopped; it becomes the trial's result
    outputs  what a function that returns a dict has to say all the same; it may be set before this is raised again
    """

    def __init__(self, metric: float) -> None:
        self.metric = metric
        self.outputs: dict[str, object] | None = None
        super().__init__(f"the trial is stopped early at metric {metric}")


class PreemptedException(EarlyStopException):
    """Raised by `Reporter.broadcast` when the worker is being taken away. The trial runs again elsewhere."""

    def __str__(self) -> str:
        return f"the worker is being taken away; the trial leaves it at metric {self.metric}"


class ReturnTypeError(MaggyError, TypeError):
    """The training function returned something that is neither a number nor a dict."""


class ReturnKeyError(MaggyError, KeyError):
    """The training function returned a dict without the `optimization_key`."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message in quotes


class MetricKeyError(MaggyError, KeyError):
    """A callback is to report a metric that its library has not measured.

    metric  what it was to report; "" for any
    known   names of what there is
    """

    def __init__(self, callback: str, metric: str, known: Iterable[str], advice: str) -> None:
        self.metric, self.known = metric, tuple(known)
        hint = did_you_mean(metric, self.known, n=1)
        there = f"There are {shown(self.known)}" if self.known else "There is none"
        what = f"the metric {metric!r}" if metric else "any metric"
        super().__init__(f"{callback} does not find {what}.{hint} {there}. {advice}")

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message in quotes


class MetricTypeError(MaggyError, TypeError):
    """The metric to optimise is not a number."""


class MetricValueError(MaggyError, ValueError):
    """The metric to optimise is NaN or infinite: the training has most likely diverged."""


class BroadcastMetricTypeError(MetricTypeError):
    """`Reporter.broadcast` was given a metric that is not a number."""


class BroadcastMetricValueError(MetricValueError):
    """`Reporter.broadcast` was given NaN or infinity; the point is kept, the trial fails."""


class BroadcastStepTypeError(MaggyError, TypeError):
    """`Reporter.broadcast` was given a step that is not a whole number."""


class BroadcastStepValueError(MaggyError, ValueError):
    """`Reporter.broadcast` was given a step that is negative or smaller than the last one."""


class PeerLostError(MaggyError, RuntimeError):
    """Another rank of a trial that runs on several workers is gone, or does not answer."""


class CheckpointError(MaggyError, RuntimeError):
    """A checkpoint cannot be written, is damaged, or is not there.

    url   which checkpoint
    file  the file in it that is at fault, where it is one
    """

    def __init__(self, message: str, *, url: str = "", file: str = "") -> None:
        self.url, self.file = url, file
        super().__init__(message)


# --- broken promises --------------------------------------------------------------------------


class ImpossibleTransitionError(MaggyError, RuntimeError):
    """The state machine was asked for a step that cannot happen: a bug in Maggy, or in an optimizer that promotes.

    story  what happened to that trial so far, oldest first
    """

    def __init__(self, message: str, story: tuple[str, ...] = ()) -> None:
        self.story = story
        super().__init__(message + "".join(f"\n  {line}" for line in story))


class JournalError(MaggyError, RuntimeError):
    """A journal record is damaged, or the journal cannot be written.

    record  number of the record, counted from 0, where there is one
    final   whether it is of no use to try again; a disk that is full now may have space later
    """

    def __init__(self, message: str, *, record: int | None = None, final: bool = False) -> None:
        self.record, self.final = record, final
        super().__init__(message)


class FencedError(JournalError):
    """Another driver has taken over the experiment; whatever this one would still write counts for nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, final=True)
