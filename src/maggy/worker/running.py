"""The reporter of the trial that runs here, for whoever is not handed it as an argument: callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maggy.worker.reporter import Reporter

_running: ContextVar[Reporter | None] = ContextVar("maggy_running", default=None)


def running() -> Reporter | None:
    """The reporter of the running trial, in the thread that runs it; None outside an experiment."""
    return _running.get()


@contextmanager
def made_known(reporter: Reporter) -> Iterator[None]:
    """While this lasts, `running()` is this reporter."""
    token = _running.set(reporter)
    try:
        yield
    finally:
        _running.reset(token)
