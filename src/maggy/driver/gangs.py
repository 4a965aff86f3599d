"""Trials that run on several workers: what their ranks say becomes what one worker would have said.

Sans-IO, like the brain: messages and times come in, events come out, and what the ranks are told goes through `tell`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from maggy.brain import events as ev
from maggy.brain.commands import Run, Stop
from maggy.config import Combine
from maggy.driver.news import News, event_of
from maggy.wire import messages as msg

_CAUSE_S = 1.0
"""Who says only that another rank is gone is not the cause; news of that one, if it died, come within this time."""

_KEPT = 64  # leases, of which some are over: late lines of log still belong to a rank

_NEVER = 1 << 62  # a broadcast that no trial comes to


@dataclass(slots=True)
class _Lease:
    """One attempt of a trial on a gang.

    points    of each rank, what has no counterpart yet on the others
    reported  ranks that have reported anything
    saved     checkpoints of rank 0, each with how many of its points that came before have no counterpart yet
    awaits    the step for which each rank waits for a verdict
    asked     the largest step for which one was asked
    gathers   ranks that have given a part
    held      ranks that wait for the word where to leave; None while nobody is to stop
    answers   ranks that have ended
    suspects  what a rank that lost touch has said, and until when the true cause may come
    since     when the first rank began to wait for the others, by what for
    """

    trial: int
    attempt: int
    workers: tuple[int, ...]
    points: list[deque[tuple[int, float]]]
    awaits: list[int]
    asked: int = -1
    reported: set[int] = field(default_factory=set)
    saved: deque[tuple[int, msg.CheckpointSaved]] = field(default_factory=deque)
    gathers: dict[int, msg.Gather] = field(default_factory=dict)
    held: dict[int, int] | None = None
    answers: dict[int, msg.Finished | msg.Stopped] = field(default_factory=dict)
    suspects: tuple[float, str] | None = None
    since: dict[str, float] = field(default_factory=dict)

    def absent(self, there: Mapping[int, Any]) -> str:
        """The ranks that are not there, for people."""
        ranks = [str(rank) for rank in range(len(self.workers)) if rank not in there]
        return f"rank{'s' * (len(ranks) > 1)} {', '.join(ranks)}"


class Gangs:
    """See the module.

    tell       sends a message to a worker
    log        writes a line to a trial's log
    holds      whether an attempt of a trial is the one that counts
    combine    what becomes of the metrics of the ranks
    timeout_s  how long a rank waits for the others
    """

    def __init__(
        self,
        *,
        tell: Callable[[int, msg.FromDriver], None],
        log: Callable[[int, list[str]], None],
        holds: Callable[[int, int], bool],
        combine: Combine,
        timeout_s: float,
    ) -> None:
        self._tell, self._log, self._holds = tell, log, holds
        self._combine, self._timeout_s = combine, timeout_s
        self._leases: dict[int, _Lease] = {}  # by trial

    def begin(self, run: Run) -> None:
        """A trial was handed to several workers."""
        if len(self._leases) > _KEPT:
            self._leases = {lease.trial: lease for lease in self._live()}
        self._leases[run.trial] = _Lease(
            run.trial,
            run.attempt,
            run.gang,
            points=[deque() for _ in run.gang],
            awaits=[-1] * len(run.gang),
        )

    def workers(self, trial: int, attempt: int) -> Sequence[int]:
        """Who runs this attempt of a trial together, in order of rank; nobody where it runs on one worker."""
        lease = self._lease(trial, attempt)
        return () if lease is None else lease.workers

    def rank(self, worker: int | None, trial: int, attempt: int) -> int | None:
        """The rank of a worker in the gang that runs a trial; None if there is none, or it is not one of it."""
        workers = self.workers(trial, attempt)
        return workers.index(worker) if worker in workers else None

    def rank_of(self, worker: int) -> int | None:
        """The rank of a worker in the gang that it works in; None if it works in none."""
        return next((lease.workers.index(worker) for lease in self._live() if worker in lease.workers), None)

    # --- what the ranks say

    def hear(self, worker: int | None, message: News, now: float) -> Iterator[ev.AnyEvent]:
        """The events that a message tells of, once every rank has said its part."""
        lease = self._lease(message.trial, message.attempt)
        if lease is None:
            yield event_of(message)
            return
        if worker not in lease.workers or not self._holds(lease.trial, lease.attempt):
            return
        rank = lease.workers.index(worker)
        match message:
            case msg.CheckpointSaved():
                if rank == 0:
                    lease.saved.append((len(lease.points[0]), message))
                    yield from self._save(lease)
            case msg.Metrics():
                yield from self._report(lease, rank, message)
            case msg.Finished() | msg.Stopped():
                lease.answers[rank] = message
                yield from self._end(lease, now)
            case msg.Failed() if message.peer_lost:
                if lease.suspects is None:
                    lease.suspects = now + _CAUSE_S, f"rank {rank} lost touch with the others: {message.error}"
            case msg.Failed():
                yield _failed(lease, f"rank {rank}: {message.error}", message.signature, message.traceback)

    def gather(self, worker: int | None, message: msg.Gather, now: float) -> Iterator[ev.AnyEvent]:
        """A rank has given its part; when all have, each gets them all."""
        lease = self._lease(message.trial, message.attempt)
        if lease is None or worker not in lease.workers:
            return
        lease.gathers[lease.workers.index(worker)] = message
        lease.since.setdefault("gather", now)
        places = {(each.number, each.what) for each in lease.gathers.values()}
        if len(places) > 1 or lease.answers:
            yield self._at_different_places(lease)
        elif len(lease.gathers) == len(lease.workers):
            parts = [lease.gathers[rank].part for rank in range(len(lease.workers))]
            lease.gathers.clear()
            del lease.since["gather"]
            for each in lease.workers:
                self._tell(each, msg.Gathered(lease.trial, lease.attempt, parts))

    # --- a stop, at the same broadcast on every rank

    def stop(self, stop: Stop, now: float) -> None:
        """Have the ranks say where they are, and wait there."""
        lease = self._lease(stop.trial, stop.attempt)
        assert lease is not None
        lease.held = dict.fromkeys(lease.answers, _NEVER)
        lease.since.setdefault("hold", now)
        for worker in lease.workers:
            self._tell(worker, msg.HoldTrial(stop.trial, stop.attempt))

    def held(self, worker: int | None, message: msg.Held) -> Iterator[ev.AnyEvent]:
        """A rank has said where it is; when all have, they leave at the first broadcast that none has passed.

        Where only rank 0 has to broadcast, another that never does would not leave: then the gang is over as it is.
        """
        lease = self._lease(message.trial, message.attempt)
        if lease is None or lease.held is None or worker not in lease.workers:
            return
        lease.held[lease.workers.index(worker)] = message.broadcast
        yield from self._give_the_word(lease)

    def _give_the_word(self, lease: _Lease) -> Iterator[ev.AnyEvent]:
        held = lease.held
        if held is None or len(held) < len(lease.workers) or "hold" not in lease.since:
            return
        del lease.since["hold"]
        silent = [rank for rank in sorted(held) if rank > 0 and held[rank] == 0 and rank not in lease.answers]
        if self._combine == "first" and silent:
            reason = f"rank {silent[0]} does not broadcast, and so cannot leave at a stop with rank 0"
            yield ev.GangBroke(trial=lease.trial, attempt=lease.attempt, reason=reason)
            return
        for worker in lease.workers:
            self._tell(worker, msg.StopTrial(lease.trial, lease.attempt, max(held.values())))

    # --- time

    def deadline(self) -> float:
        """When `due` has something to say at the earliest; infinity if never."""
        return min((at for lease in self._live() for at in self._alarms(lease)), default=inf)

    def due(self, now: float) -> list[ev.AnyEvent]:
        """What has happened because time went by."""
        return [
            ev.GangBroke(trial=lease.trial, attempt=lease.attempt, reason=self._why(lease, now))
            for lease in self._live()
            if now >= min(self._alarms(lease), default=inf)
        ]

    def rest(self, seconds: float) -> None:
        """The driver has heard nobody for so long, by its own doing: that time counts for nothing."""
        for lease in self._leases.values():
            lease.since = {what: at + seconds for what, at in lease.since.items()}
            if lease.suspects is not None:
                until, reason = lease.suspects
                lease.suspects = until + seconds, reason

    def _alarms(self, lease: _Lease) -> Iterator[float]:
        if lease.suspects is not None:
            yield lease.suspects[0]
        yield from (since + self._timeout_s for since in lease.since.values())

    def _why(self, lease: _Lease, now: float) -> str:
        if lease.suspects is not None and now >= lease.suspects[0]:
            return lease.suspects[1]
        what = min(lease.since, key=lambda what: lease.since[what])
        limit = f"within {self._timeout_s:g} s (collective_timeout_s)"
        if what == "gather":
            where = next(iter(lease.gathers.values())).what
            return f"{lease.absent(lease.gathers)} did not come to {where!r} {limit}, where the others wait"
        if what == "hold":
            return f"{lease.absent(lease.held or {})} did not answer {limit}"
        return (
            f"{lease.absent(lease.answers)} did not end {limit}, and the others have: do all ranks take the same "
            f"number of steps?"
        )

    # --- inside

    def _live(self) -> Iterator[_Lease]:
        return (lease for lease in self._leases.values() if self._holds(lease.trial, lease.attempt))

    def _lease(self, trial: int, attempt: int) -> _Lease | None:
        lease = self._leases.get(trial)
        return lease if lease is not None and lease.attempt == attempt else None

    def _report(self, lease: _Lease, rank: int, message: msg.Metrics) -> Iterator[ev.AnyEvent]:
        if self._combine == "first":
            if rank == 0:
                yield event_of(message)
            return
        lease.reported.add(rank)
        lease.points[rank].extend(zip(message.steps, message.values, strict=True))
        if message.awaits is not None:
            lease.awaits[rank] = message.awaits
        steps, values = [], []
        while all(lease.points):
            points = [points.popleft() for points in lease.points]
            if len({step for step, _ in points}) > 1:
                told = ", ".join(f"rank {each} step {step}" for each, (step, _) in enumerate(points))
                yield _failed(
                    lease,
                    f"the ranks report different steps: {told}. Every rank has to broadcast, and the same steps",
                    "the ranks report different steps",
                )
                return
            steps.append(points[0][0])
            values.append(combined([value for _, value in points], self._combine))
        due = min(lease.awaits)
        awaits = due if due > lease.asked else None
        lease.asked = max(due, lease.asked)
        if steps or awaits is not None:
            yield event_of(msg.Metrics(lease.trial, lease.attempt, steps, values, awaits))
        lease.saved = deque((unmatched - len(steps), saved) for unmatched, saved in lease.saved)
        yield from self._save(lease)

    def _save(self, lease: _Lease) -> Iterator[ev.AnyEvent]:
        """Let the checkpoints count whose points all ranks have reported: who goes on from one reports them not again.

        A rank that reports nothing at all is not waited for.
        """
        all_report = len(lease.reported) == len(lease.workers)
        while lease.saved and (lease.saved[0][0] <= 0 or not all_report):
            yield event_of(lease.saved.popleft()[1])

    def _end(self, lease: _Lease, now: float) -> Iterator[ev.AnyEvent]:
        lease.since.setdefault("end", now)
        if lease.gathers:
            yield self._at_different_places(lease)
            return
        if lease.held is not None:
            lease.held = {**dict.fromkeys(lease.answers, _NEVER), **lease.held}
            yield from self._give_the_word(lease)
        if len(lease.answers) < len(lease.workers):
            return
        lease.since.clear()
        yield from (event_of(saved) for _, saved in lease.saved)
        if any(lease.points):
            unmatched = ", ".join(f"rank {rank} {len(points)}" for rank, points in enumerate(lease.points) if points)
            self._log(lease.trial, [f"[maggy] points that not every rank has reported are left out: {unmatched}"])
        answers = [lease.answers[rank] for rank in range(len(lease.workers))]
        metric = combined([answer.metric for answer in answers], self._combine)
        if any(isinstance(answer, msg.Stopped) for answer in answers):
            yield event_of(msg.Stopped(lease.trial, lease.attempt, metric))
            return
        outputs = [answer.outputs for answer in answers if isinstance(answer, msg.Finished)]
        yield event_of(msg.Finished(lease.trial, lease.attempt, metric, _combined_outputs(outputs, self._combine)))

    def _at_different_places(self, lease: _Lease) -> ev.TrialFailed:
        places = [f"rank {rank} is at {each.what!r}" for rank, each in sorted(lease.gathers.items())]
        places += [f"rank {rank} has returned" for rank in sorted(lease.answers)]
        return _failed(
            lease,
            f"the ranks do not wait for each other at the same place: {', '.join(places)}. Every rank has to make the "
            f"same calls of context in the same order",
            "the ranks are at different places",
        )


def places(hosts: Sequence[str]) -> list[msg.Place]:
    """The place of each worker of a gang, from the hosts in order of rank."""
    return [
        msg.Place(rank, len(hosts), local_rank=hosts[:rank].count(host), local_size=hosts.count(host))
        for rank, host in enumerate(hosts)
    ]


def combined(values: Sequence[float], how: Combine) -> float:
    """One metric from those of the ranks. Equal ones stay as they are, to the last bit."""
    if how == "sum":
        return sum(values)
    if how == "first" or all(value == values[0] for value in values):
        return values[0]
    return {"min": min, "max": max}.get(how, _mean)(values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _combined_outputs(outputs: Sequence[dict[str, Any] | None], how: Combine) -> dict[str, Any] | None:
    """What the ranks returned as dicts: numbers that all have are combined, all else is what rank 0 says."""
    first = outputs[0]
    if first is None:
        return None

    def of(name: str) -> Any:
        values = [None if each is None else each.get(name) for each in outputs]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        return combined(values, how) if numbers else values[0]  # type: ignore[arg-type]  # they are numbers

    return {name: of(name) for name in first}


def _failed(lease: _Lease, error: str, signature: str, traceback: str = "") -> ev.TrialFailed:
    return ev.TrialFailed(
        trial=lease.trial, attempt=lease.attempt, error=error, signature=signature, traceback=traceback or error
    )
