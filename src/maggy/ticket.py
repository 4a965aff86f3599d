"""All that an engine ever sees of an experiment.

An engine starts `ticket.enter()` somewhere, once per seat. What runs behind that call, and how it finds the
driver, is none of its business: the entry point is a dotted name, resolved on the machine where it runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module

SUPERVISOR = "maggy.worker.supervisor:supervise"
INLINE_WORKER = "maggy.worker.process:work"
THREAD_WORKER = "maggy.worker.thread:work"
"""Of an engine with this entry the training function is not pickled: workers are threads of the driver's process."""

MarkJobs = Callable[[str], Callable[[], None]]
"""Marks whatever jobs its thread starts elsewhere from now on, e.g. on a cluster, with a name, in place of the name
before. Returns what cancels the jobs of that name; it may be called from any thread, and raises nothing."""

GUEST_SEATS = 1 << 32
"""Seats from this number on are no engine's: whoever joins a running experiment has one."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """Permission to work for one experiment.

    address      where the driver listens, "tcp://host:port" or "memory://name"
    server_key   the driver's public key (Z85 text; empty for "memory://")
    public_key   this seat's public key
    secret_key   this seat's secret key; never shown, never in an argument list or the environment
    experiment   id of the experiment
    seat         number of the slot that the engine fills, from 0; of a guest, any from `GUEST_SEATS` on
    entry        "module:function" to call with the ticket
    """

    address: str
    experiment: str
    seat: int
    entry: str = SUPERVISOR
    server_key: str = ""
    public_key: str = ""
    secret_key: str = field(default="", repr=False)

    def enter(self, environment: Mapping[str, str] | None = None, mark_jobs: MarkJobs | None = None) -> None:
        """Work until the driver says that the experiment is over. Never raises for a trial's error.

        environment  variables to set for the training function, e.g. thread limits or CUDA_VISIBLE_DEVICES
        mark_jobs    of a worker in a thread: how the jobs of a trial are told from others
        """
        module, _, name = self.entry.partition(":")
        enter = getattr(import_module(module), name)
        if mark_jobs is None:
            enter(self, environment or {})
        else:
            enter(self, environment or {}, mark_jobs)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Ticket:
        return cls(**json.loads(text))
