"""What `track=` may name, and what a tracking service is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from maggy.errors import ConfigError, UnknownNameError
from maggy.tracking.apart import Apart
from maggy.tracking.tracker import Tracker

_SERVICES = ("tensorboard", "mlflow", "wandb")
_WITHOUT_PLACE = "tensorboard"


def to_trackers(track: str | Tracker | Sequence[str | Tracker] | None) -> list[Tracker]:
    """The trackers that `track=` of `lagom` means.

    track  "tensorboard", "mlflow", "mlflow:EXPERIMENT", "wandb", "wandb:PROJECT", a `Tracker`, or a list of these

    Raises UnknownNameError, and ConfigError where a service's package is not installed.
    """
    given: Iterable[Any] = [] if track is None else [track] if isinstance(track, str | Tracker) else track
    return [each if isinstance(each, Tracker) else _named(each) for each in given]


def service_named(argument: str, kind: str, value: str, known: Sequence[str]) -> tuple[str, str]:
    """A service, and the experiment or project that is named after a colon; "" where none is.

    argument  what the user has given it as, for messages
    kind      what it is to be there

    Raises UnknownNameError, and ConfigError where its package is not installed.
    """
    service, _, place = value.partition(":")
    if service not in known:
        raise UnknownNameError(kind, value, known)
    spec = find_spec(service)
    if spec is None or spec.origin is None:  # a folder of that name, e.g. what wandb has written, is no package
        raise ConfigError(f"{argument}={value!r} needs {service}: pip install 'maggy[{service}]'")
    return service, place


def _named(value: object) -> Tracker:
    if not isinstance(value, str):
        raise ConfigError(f"track is e.g. 'mlflow:experiment', a Tracker, or a list of these, got {value!r}")
    service, place = service_named("track", "tracker", value, _SERVICES)
    if place and service == _WITHOUT_PLACE:
        raise ConfigError(f"track={value!r}: {service} takes no name, its events lie in the experiment's folder")
    return Apart(service, place)
