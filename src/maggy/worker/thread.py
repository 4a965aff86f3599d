"""A worker in a thread of the driver's process, beside others: for training functions that start jobs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from maggy.ticket import MarkJobs, Ticket
from maggy.worker.process import Worker


def work(ticket: Ticket, environment: Mapping[str, str], mark_jobs: MarkJobs) -> None:
    """Work in the calling thread, whose environment is the program's own."""
    Worker(ticket, holder=f"thread-{ticket.seat}", process=0, echo=False, mark_jobs=mark_jobs).work()
