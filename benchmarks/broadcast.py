"""What `broadcast` costs the training loop where no verdict is due."""

from __future__ import annotations

from functools import partial

from benchmarks.functions import broadcast_often, ns_per_call
from benchmarks.measure import Figure, Settings, Target, alternate
from benchmarks.searches import WORKERS, search
from maggy.worker.reporter import Flusher, Reporter

NEVER = 10**9  # steps between two judgements: a rule is there, and no step is due
BELOW_1000 = [Target(at_most=1000)]


class Empty:
    """The reference: a method with the same arguments that does nothing."""

    def broadcast(self, metric: float, step: int | None = None) -> None:
        pass


def run(settings: Settings) -> list[Figure]:
    calls, rounds = settings.pick(1_000_000, 200_000), settings.pick(5, 2)

    def alone() -> float:
        # Points leave it as in a trial, and go nowhere.
        reporter, flusher = Reporter(lambda message: None, trial=0, judge_every=NEVER), Flusher()
        flusher.begin(reporter)
        try:
            return ns_per_call(reporter.broadcast, calls)
        finally:
            flusher.close()

    def empty() -> float:
        return ns_per_call(Empty().broadcast, calls)

    bare, empty_bare = alternate(rounds, alone, empty)
    within, empty_within = alternate(rounds, lambda: in_trials(calls, settings), empty)
    return [
        Figure(
            name="broadcast, reporter alone",
            unit="ns",
            ours=bare,
            reference=empty_bare,
            beside="empty method call",
            targets=BELOW_1000,
        ),
        Figure(
            name=f"broadcast, in {WORKERS} trials at once, local",
            unit="ns",
            ours=within,
            reference=empty_within,
            beside="empty method call",
            targets=BELOW_1000,
        ),
    ]


def in_trials(calls: int, settings: Settings) -> float:
    """Both workers broadcast as fast as they can, and the driver takes in every point."""
    result = search(
        partial(broadcast_often, calls=calls),
        WORKERS,
        engine="local",
        folder=settings.folder,
        es_policy="median",
        es_interval=NEVER,
    )
    return float(result["avg"])
