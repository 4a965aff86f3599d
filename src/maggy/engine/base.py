"""The contract of an engine: start workers somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from maggy.ticket import SUPERVISOR, Ticket

OnExit = Callable[[BaseException | None], None]
"""Called once, from any thread, when no seat is filled any more; with the reason if it was not asked for."""


class Launched(ABC):
    """What one call of `Engine.launch` has started."""

    @abstractmethod
    def stop(self, grace_s: float) -> None:
        """Return when nothing that was launched runs any more.

        The driver has told the workers to leave; whoever has not left after `grace_s` seconds is killed. It may be
        called again, also after it was interrupted, and leaves what other launches have started alone.
        """


class Engine(ABC):
    """Fills seats with workers. It knows tickets and nothing else of an experiment.

    One engine may serve several experiments at once: what belongs to one of them is in what `launch` returns.
    """

    name: str
    entry: str = SUPERVISOR
    """What a ticket's holder runs on this engine."""

    in_calling_thread: ClassVar[bool] = False
    """Whether `launch` works in the calling thread, until all is over. Such an engine has one seat."""

    start_timeout_s: float = 60.0
    """How long the driver waits for the first worker before it gives up."""

    @property
    @abstractmethod
    def bind_host(self) -> str | None:
        """Address that the driver listens on, no wider than workers need; None where no socket is needed."""

    @property
    def advertised_host(self) -> str | None:
        """Address under which workers reach the driver."""
        return self.bind_host

    @abstractmethod
    def slots(self, resources: Mapping[str, float]) -> int | None:
        """How many workers fit now: a cap for the number of seats, not a promise. None where nobody can know.

        resources  what one worker needs, e.g. {"cpu": 2, "gpu": 1}

        Raises EngineError where not even one worker can ever fit.
        """

    @abstractmethod
    def launch(self, tickets: Sequence[Ticket], resources: Mapping[str, float], on_exit: OnExit) -> Launched:
        """Start one worker for each ticket; a seat whose process dies is filled again.

        Returns at once, except on an engine that works in the calling thread.
        """

    @abstractmethod
    def describe(self) -> str:
        """What the engine can offer right now, for an error message: slots, executors, memory."""
