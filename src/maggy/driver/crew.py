"""Who is there: supervisors and workers by session, and what their coming and going means."""

from __future__ import annotations

from dataclasses import dataclass

from maggy.brain import Brain
from maggy.brain.events import AnyEvent, WorkerJoined, WorkerLost
from maggy.ticket import GUEST_SEATS
from maggy.wire.channel import Peer
from maggy.wire.messages import SupervisorHello, WorkerHello


@dataclass(slots=True)
class Member:
    """A worker process.

    peer    its session, the same on every connection
    number  the worker's number; None until it is ready
    leaves  it has given its trial back, or is replaced, and its end is awaited
    """

    hello: WorkerHello
    peer: Peer
    number: int | None = None
    leaves: bool = False

    @property
    def is_guest(self) -> bool:
        """Whether it joined by itself: its trouble is not the experiment's."""
        return self.hello.seat >= GUEST_SEATS


class Crew:
    """Translates sessions into workers. A worker lives as long as its process, whatever its connections do."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self._members: dict[str, dict[int, Member]] = {}  # by holder, then by process
        self._by_peer: dict[Peer, Member] = {}
        self._by_number: dict[int, Member] = {}
        self._supervisors: dict[Peer, str] = {}  # session -> holder
        self._away: set[Peer] = set()  # those whose connection is broken
        self._next_number = 0

    @property
    def peers(self) -> list[Peer]:
        """Everybody, whether connected or away."""
        return [*self._supervisors, *self._by_peer]

    @property
    def anyone_here(self) -> bool:
        """Whether anybody is connected."""
        return any(peer not in self._away for peer in self.peers)

    @property
    def joined(self) -> int:
        """How many workers have ever been ready."""
        return self._next_number

    def peer_of(self, worker: int) -> Peer | None:
        """A worker's session; None once its process has ended."""
        member = self._by_number.get(worker)
        return member.peer if member else None

    def member(self, worker: int) -> Member | None:
        """The process of a worker; None once it has ended."""
        return self._by_number.get(worker)

    def worker_at(self, peer: Peer) -> int | None:
        """The number of the worker of a session; None if it is not ready."""
        member = self._by_peer.get(peer)
        return None if member is None else member.number

    def supervisor_of(self, member: Member) -> Peer | None:
        """The session of the supervisor that has started a worker process."""
        return next((peer for peer, holder in self._supervisors.items() if holder == member.hello.holder), None)

    def member_at(self, peer: Peer) -> Member | None:
        """The worker process of a session."""
        return self._by_peer.get(peer)

    def supervised_by(self, peer: Peer) -> list[Member]:
        """The worker processes of a supervisor."""
        return list(self._members.get(self._supervisors.get(peer, ""), {}).values())

    def greet_supervisor(self, peer: Peer, hello: SupervisorHello, now: float) -> None:
        self._supervisors[peer] = hello.holder
        self.hear(peer, now)

    def greet_worker(self, peer: Peer, hello: WorkerHello) -> None:
        """A worker process said hello."""
        member = self._by_peer[peer] = Member(hello, peer)
        self._members.setdefault(hello.holder, {})[hello.process] = member

    def enrol(self, member: Member) -> WorkerJoined:
        """A worker is ready. If the last one on its seat is cut off, this one takes its place at once."""
        member.number = self._next_number
        self._next_number += 1
        self._by_number[member.number] = member
        hello = member.hello
        occupant = self._brain.occupant(hello.seat)
        gone = occupant is not None and self._brain.is_away(occupant)
        return WorkerJoined(
            worker=member.number,
            seat=hello.seat,
            host=hello.host,
            pid=hello.pid,
            replaces=occupant if gone else None,
        )

    def hear(self, peer: Peer, now: float) -> None:
        """A supervisor gave a sign of life; so its workers are not lost, whatever they compute.

        Not so a worker whose own connection is broken: it may be that it cannot make another.
        """
        for member in self._members.get(self._supervisors.get(peer, ""), {}).values():
            if member.number is not None and not member.leaves and member.peer not in self._away:
                self._brain.heard(member.number, now)

    def leave(self, peer: Peer, reason: str) -> list[AnyEvent]:
        """A worker was told to leave, and gives its trial back."""
        member = self._by_peer.get(peer)
        if member is None or member.number is None or member.leaves:
            return []
        member.leaves = True
        return [WorkerLost(worker=member.number, reason=reason, preempted=True)]

    def process_ended(self, peer: Peer, process: int) -> tuple[Member | None, bool]:
        """A supervisor says that a worker process is dead. Who that was, and whether its connection is gone too."""
        member = self._members.get(self._supervisors.get(peer, ""), {}).pop(process, None)
        if member is None:
            return None, False
        self._by_peer.pop(member.peer, None)
        if member.number is not None:
            self._by_number.pop(member.number, None)
        gone = member.peer in self._away
        self._away.discard(member.peer)
        return member, gone

    def hang_up(self, peer: Peer, now: float) -> bool:
        """A connection broke. Whether somebody is expected back on it."""
        for member in [*self.supervised_by(peer), self._by_peer.get(peer)]:
            if member is not None and member.number is not None:
                self._brain.away(member.number, now)
        known = peer in self._supervisors or peer in self._by_peer
        if known:
            self._away.add(peer)
        return known

    def come_back(self, peer: Peer, now: float) -> None:
        """A peer whose connection broke has made another."""
        self._away.discard(peer)
        self.hear(peer, now)
        member = self._by_peer.get(peer)
        if member is not None and member.number is not None:
            self._brain.heard(member.number, now)
