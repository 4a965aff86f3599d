"""Many workers in one process: each a supervisor's connection and a worker's, which speak as ours do and train nothing.

One ROUTER socket carries all connections: on the network each is one of its own, with its own handshake and keys, and
whoever drives thousands of them asks one socket for news.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import ceil
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from random import Random
from time import perf_counter

import zmq

from maggy.ticket import Ticket
from maggy.wire.frames import NAME_BYTES, PREFIX, PROTOCOL, Opening, frame
from maggy.wire.messages import (
    Enlisted,
    Finished,
    GoOnTrial,
    Heartbeat,
    Metrics,
    Ready,
    RunTrial,
    Stopped,
    StopTrial,
    SupervisorHello,
    ToDriver,
    Welcome,
    WorkerHello,
    decode_from_driver,
)

BEAT_S = 1.0
AT_ONCE = 100  # workers that connect at a time: a thousand handshakes at once would time each other out
ROUNDS = 2  # of a flood, at most, which the driver has not taken
GOOD, BAD = 0.0, 1.0  # of these the median rule lets one go on and stops the other


@dataclass(slots=True)
class Line:
    """One connection, as its owner's link would have it."""

    connection: bytes
    hello: ToDriver
    said: int = 0
    heard: int = 0


@dataclass(slots=True)
class Seat:
    """A supervisor and its worker, and what the worker is at."""

    supervisor: Line
    worker: Line
    run: RunTrial | None = None
    step: int = 0
    sent_at: float = 0.0
    cycles: int = 0


@dataclass
class Latencies:
    """Seconds between what a worker says and what it is told."""

    hand_over: list[float] = field(default_factory=list)
    go_on: list[float] = field(default_factory=list)
    stop: list[float] = field(default_factory=list)


class Fleet:
    """See the module.

    tickets  one for each worker
    taken    messages that the driver has taken, which it counts
    pause_s  None: workers report once a second, and their trials never end; else trials report one point, wait for the
             verdict and end, and begin so long after they were handed out, on average
    """

    def __init__(
        self, tickets: list[Ticket], taken: Synchronized[int], orders: Connection, pause_s: float | None
    ) -> None:
        self._taken, self._orders, self._pause_s = taken, orders, pause_s
        self._random = Random(tickets[0].seat)
        self._latencies = Latencies()
        self._context = zmq.Context()
        router = self._router = self._context.socket(zmq.ROUTER)
        router.linger, router.router_mandatory = 0, 1
        router.curve_serverkey = tickets[0].server_key.encode()
        router.curve_publickey = tickets[0].public_key.encode()
        router.curve_secretkey = tickets[0].secret_key.encode()
        self._poller = zmq.Poller()
        self._poller.register(router, zmq.POLLIN)
        self._poller.register(orders.fileno(), zmq.POLLIN)
        self._address = tickets[0].address
        self._numbers = count(1)
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._seats = [self._seat(ticket.seat) for ticket in tickets]
        self._by_connection = {seat.supervisor.connection: (seat, seat.supervisor) for seat in self._seats}
        self._by_connection |= {seat.worker.connection: (seat, seat.worker) for seat in self._seats}

    def run(self) -> None:
        """Do as one is ordered, until there is nothing left to do."""
        while (order := self._orders.recv()) is not None:
            what, *arguments = order
            self._orders.send(getattr(self, what)(*arguments))
        self._context.destroy(linger=0)

    # --- orders

    def open(self) -> None:
        """Connect, say hello, and take a trial each."""
        for first in range(0, len(self._seats), AT_ONCE):
            seats = self._seats[first : first + AT_ONCE]
            for seat in seats:
                for line in (seat.supervisor, seat.worker):
                    self._router.connect_routing_id = line.connection
                    self._router.connect(self._address)
                    self._transmit(line, 0, Opening(PROTOCOL, line.connection.rjust(NAME_BYTES, b"=")))
            self._go_on_until(lambda seats=seats: all(seat.run is not None for seat in seats))

    def beat(self) -> None:
        """Report once a second, each at another moment of it, until the next order."""
        self._latencies = Latencies()
        act = self._report if self._pause_s is None else self._cycle
        for seat in self._seats:
            self._later(self._random.random() * BEAT_S, partial(act, seat))
        self._go_on_until(lambda: self._orders.poll(0))

    def flood(self, kinds: list[str], seconds: float) -> None:
        """Say so much that the driver is never without news."""
        sources = [getattr(self, f"_{kind}") for kind in kinds]
        a_round = len(sources) * len(self._seats)
        taken_before, sent, until = self._taken.value, 0, perf_counter() + seconds
        while perf_counter() < until:
            for seat in self._seats:
                for say in sources:
                    say(seat)
            sent += a_round
            self._read(0.0)
            while sent - (self._taken.value - taken_before) > (ROUNDS - 1) * a_round and perf_counter() < until:
                self._read(0.001)

    def latencies(self) -> dict[str, list[float]]:
        """Those of the last `beat`."""
        return vars(self._latencies)

    # --- what is said

    def _heartbeat(self, seat: Seat) -> None:
        self._transmit(seat.supervisor, 0, Heartbeat())

    def _metrics(self, seat: Seat) -> None:
        assert seat.run is not None
        seat.step += 1
        every = seat.run.judge_every
        awaits = seat.step if every and seat.step % every == 0 else None
        self._say(seat.worker, Metrics(seat.run.trial, seat.run.attempt, [seat.step], [GOOD], awaits))

    def _beat(self, seat: Seat) -> None:
        self._heartbeat(seat)
        self._later(BEAT_S, partial(self._beat, seat))

    def _report(self, seat: Seat) -> None:
        self._metrics(seat)
        self._later(BEAT_S, partial(self._report, seat))

    def _cycle(self, seat: Seat) -> None:
        """A trial of one point, of three the third one bad."""
        assert seat.run is not None
        seat.cycles += 1
        seat.sent_at = perf_counter()
        value = GOOD if seat.cycles % 3 else BAD
        self._say(seat.worker, Metrics(seat.run.trial, seat.run.attempt, [1], [value], 1))

    # --- what is heard

    def _go_on_until(self, done: Callable[[], bool]) -> None:
        """Say what is due, and hear what comes."""
        while not done():
            left = self._plan[0][0] - perf_counter() if self._plan else BEAT_S
            if left > 0:
                self._read(left)
            else:
                heapq.heappop(self._plan)[-1]()

    def _read(self, timeout_s: float) -> None:
        """Wait for news, and take all there are."""
        self._poller.poll(ceil(timeout_s * 1000))
        while self._router.get(zmq.EVENTS) & zmq.POLLIN:
            connection = self._router.recv(zmq.NOBLOCK)
            body = self._router.recv(zmq.NOBLOCK)
            seat, line = self._by_connection[connection]
            number, _ = PREFIX.unpack_from(body)
            if number:
                line.heard = number
                self._hear(seat, line, decode_from_driver(memoryview(body)[PREFIX.size :]))
            elif len(body) > PREFIX.size:  # the connection is open
                self._say(line, line.hello)

    def _hear(self, seat: Seat, line: Line, message: object) -> None:
        match message:
            case Enlisted():
                self._later(self._random.random() * BEAT_S, partial(self._beat, seat))
            case Welcome():
                self._say(line, Ready())
            case RunTrial():
                if seat.run is not None and self._pause_s is not None:
                    self._latencies.hand_over.append(perf_counter() - seat.sent_at)
                    self._later(self._random.expovariate(1 / self._pause_s), partial(self._cycle, seat))
                seat.run, seat.step = message, 0
            case GoOnTrial() | StopTrial() if self._pause_s is not None:
                stops = isinstance(message, StopTrial)
                (self._latencies.stop if stops else self._latencies.go_on).append(perf_counter() - seat.sent_at)
                seat.sent_at = perf_counter()
                ending = Stopped if stops else Finished
                self._say(line, ending(message.trial, message.attempt, BAD if stops else GOOD))

    # --- the wire

    def _seat(self, seat: int) -> Seat:
        holder = f"holder {seat}"
        return Seat(
            Line(b"S%d" % seat, SupervisorHello(holder, seat, "host")),
            Line(b"W%d" % seat, WorkerHello(holder, seat, 1, "host", os.getpid())),
        )

    def _say(self, line: Line, message: ToDriver) -> None:
        line.said += 1
        self._transmit(line, line.said, message)

    def _transmit(self, line: Line, number: int, message: ToDriver | Opening) -> None:
        body = frame(message)
        PREFIX.pack_into(body, 0, number, line.heard)
        self._router.send(line.connection, zmq.SNDMORE)
        self._router.send(body)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (perf_counter() + seconds, next(self._numbers), act))
