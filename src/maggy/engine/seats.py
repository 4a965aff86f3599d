"""Seats that are filled by threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Semaphore, Thread

from maggy.engine.base import OnExit
from maggy.ticket import Ticket


def start_seats(
    tickets: Sequence[Ticket], work: Callable[[int, Ticket], None], on_exit: OnExit
) -> tuple[list[Thread], Thread]:
    """Start a thread for each seat, which calls `work` with its index and ticket, and one that waits for all of them
    and then calls `on_exit`. Returns the former, and the latter."""
    left = Semaphore(0)

    def fill(index: int, ticket: Ticket) -> None:
        try:
            work(index, ticket)
        finally:
            left.release()

    def watch() -> None:
        for _ in tickets:
            left.acquire()
        on_exit(None)

    seats = [
        Thread(target=fill, args=(index, ticket), name=f"maggy-seat-{ticket.seat}", daemon=True)
        for index, ticket in enumerate(tickets)
    ]
    watcher = Thread(target=watch, name="maggy-seats", daemon=True)
    for thread in [*seats, watcher]:
        thread.start()
    return seats, watcher
