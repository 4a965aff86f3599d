"""One worker in the calling thread: for a single run, and for a debugger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maggy.engine.base import Engine, Launched, OnExit
from maggy.ticket import INLINE_WORKER, Ticket


class InlineEngine(Engine):
    """Runs trial after trial where `lagom` was called, so that `breakpoint()` opens a debugger there.

    Ctrl-C reaches the training function as KeyboardInterrupt. Thread limits are this process's own: numerical
    libraries read them once, when they are imported.
    """

    name = "inline"
    entry = INLINE_WORKER
    bind_host = None
    in_calling_thread = True

    def slots(self, resources: Mapping[str, float]) -> int:
        return 1

    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        tickets[0].enter()
        return _Ended()

    def describe(self) -> str:
        return "The inline engine works in the calling thread."


class _Ended(Launched):
    def stop(self, grace_s: float) -> None:
        """Nothing runs once `launch` has returned."""
