"""A rank's view of its gang: the other workers that run the same trial, reached through the driver."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence

from maggy.context.distributed import Part
from maggy.errors import PeerLostError
from maggy.wire.messages import Gather, Gathered, RunTrial, ToDriver


class WorkerGang:
    """See `maggy.context.distributed.Gang`.

    send  to the driver
    host  address at which the other ranks reach this one
    """

    def __init__(self, send: Callable[[ToDriver], None], order: RunTrial, host: str) -> None:
        assert order.place is not None
        self._send, self._trial, self._attempt, self.host = send, order.trial, order.attempt, host
        self.rank, self.size = order.place.rank, order.place.size
        self.local_rank, self.local_size = order.place.local_rank, order.place.local_size
        self._number = 0
        self._process = os.getpid()
        self._answers: queue.SimpleQueue[Gathered | None] = queue.SimpleQueue()

    def gather(self, what: str, *part: Part) -> Sequence[Sequence[Part]]:
        """See `Gang`. How long it waits is for the driver to decide, which sees all ranks."""
        if os.getpid() != self._process:
            raise PeerLostError(f"a process that the training function has forked is no rank, and was at {what!r}")
        number, self._number = self._number, self._number + 1
        self._send(Gather(self._trial, self._attempt, number, what, list(part)))
        answer = self._answers.get()
        if answer is None:
            raise PeerLostError(f"the trial was called off while this rank waited at {what!r}")
        return answer.parts

    def hear(self, message: Gathered) -> None:
        """The driver has everybody's part; from the link's thread."""
        if (message.trial, message.attempt) == (self._trial, self._attempt):
            self._answers.put(message)

    def call_off(self) -> None:
        """Nobody comes any more; from any thread."""
        self._answers.put(None)
