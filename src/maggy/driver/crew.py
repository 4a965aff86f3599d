"""Who is connected: supervisors and workers by connection, and what their coming and going means."""

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

    number  the worker's number; None until it is ready
    peer    its connection, None while it is broken
    leaves  it has given its trial back, and its end is awaited
    """

    hello: WorkerHello
    number: int | None = None
    peer: Peer | None = None
    leaves: bool = False

    @property
    def is_guest(self) -> bool:
        """Whether it joined by itself: its trouble is not the experiment's."""
        return self.hello.seat >= GUEST_SEATS


class Crew:
    """Translates connections into workers. A worker lives as long as its process, whatever its connections do."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self._members: dict[str, dict[int, Member]] = {}  # by holder, then by process
        self._by_peer: dict[Peer, Member] = {}
        self._by_number: dict[int, Member] = {}
        self._supervisors: dict[Peer, str] = {}  # connection -> holder
        self._next_number = 0

    @property
    def peers(self) -> list[Peer]:
        """Every connection."""
        return [*self._supervisors, *self._by_peer]

    @property
    def joined(self) -> int:
        """How many workers have ever been ready."""
        return self._next_number

    def peer_of(self, worker: int) -> Peer | None:
        """A worker's connection; None while it has none."""
        member = self._by_number.get(worker)
        return member.peer if member else None

    def member_at(self, peer: Peer) -> Member | None:
        """The worker process at a connection."""
        return self._by_peer.get(peer)

    def supervised_by(self, peer: Peer) -> list[Member]:
        """The worker processes of the supervisor at a connection."""
        return list(self._members.get(self._supervisors.get(peer, ""), {}).values())

    def greet_supervisor(self, peer: Peer, hello: SupervisorHello, now: float) -> None:
        self._supervisors[peer] = hello.holder
        self.hear(peer, now)

    def greet_worker(self, peer: Peer, hello: WorkerHello, now: float) -> Member:
        """A worker process said hello, for the first time or on a new connection."""
        member = self._members.setdefault(hello.holder, {}).setdefault(hello.process, Member(hello))
        if member.peer is not None:
            self._by_peer.pop(member.peer, None)
        member.peer = peer
        self._by_peer[peer] = member
        if member.number is not None:
            self._brain.heard(member.number, now)
        return member

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

    def hear(self, peer: Peer, now: float) -> list[Peer]:
        """A supervisor gave a sign of life; so its workers are not lost, whatever they compute.

        Returns the connections of those that had been given up before: they have no seat any more.
        """
        given_up = []
        for member in self.supervised_by(peer):
            if member.number is None or member.leaves:
                continue
            if member.peer is None:
                continue  # its own connection is broken, and it may be that it cannot make another
            if member.number in self._brain.workers:
                self._brain.heard(member.number, now)
            else:
                given_up.append(member.peer)
        return given_up

    def leave(self, peer: Peer, reason: str) -> list[AnyEvent]:
        """A worker was told to leave, and gives its trial back."""
        member = self._by_peer.get(peer)
        if member is None or member.number is None or member.leaves:
            return []
        member.leaves = True
        return [WorkerLost(worker=member.number, reason=reason, preempted=True)]

    def process_ended(self, peer: Peer, process: int, cause: str, *, preempted: bool = False) -> list[AnyEvent]:
        """A supervisor says that a worker process is dead; nothing new of one that has left."""
        member = self._members.get(self._supervisors.get(peer, ""), {}).pop(process, None)
        if member is None:
            return []
        if member.peer is not None:
            self._by_peer.pop(member.peer, None)
        if member.number is None:
            return []
        self._by_number.pop(member.number, None)
        return [] if member.leaves else [WorkerLost(worker=member.number, reason=cause, preempted=preempted)]

    def hang_up(self, peer: Peer, now: float) -> None:
        """A connection broke."""
        for member in self.supervised_by(peer):
            if member.number is not None:
                self._brain.away(member.number, now)
        self._supervisors.pop(peer, None)
        member_here = self._by_peer.pop(peer, None)
        if member_here is not None:
            member_here.peer = None
            if member_here.number is not None:
                self._brain.away(member_here.number, now)
