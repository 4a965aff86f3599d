"""The driver's end of the encrypted channel: a ZeroMQ ROUTER with CURVE keys, figures in docs/decisions/0001.

Connection names are ZeroMQ's automatic ones: a fixed name would let a returning worker be refused while the driver is
busy, or let one key holder take another's place. Whose a connection is, is said in its first frame, by the random name
of the session (docs/decisions/0008).
"""

from __future__ import annotations

from math import ceil, isinf

import zmq
from zmq.utils import z85

from maggy.errors import EngineError
from maggy.wire.channel import PEER_BYTES, PING_MS, PING_TIMEOUT_MS, Item, Peer, Sign, WrongVersion
from maggy.wire.frames import (
    NAME_BYTES,
    PREFIX,
    PROTOCOL,
    Opened,
    Refused,
    decode_opening,
    frame,
    two_versions,
)
from maggy.wire.gate import Gate
from maggy.wire.keys import KeyPair
from maggy.wire.messages import MAX_MESSAGE_BYTES, UNREADABLE, FromDriver, Heartbeat, Message, decode_to_driver
from maggy.wire.session import WINDOW, Session
from maggy.wire.waker import Waker

_MORE_FOLLOWS = int(zmq.SNDMORE | zmq.NOBLOCK)  # worked out once: enumerations are slow
_PING_MS_PER_SESSION = 1  # a ping costs ZeroMQ a search among all connections: more of them are tried less often
_BURST = 256  # messages read in one go, so that timers are served between bursts
_FORGOTTEN = "the driver does not know this worker any more"


class _Line(Session[bytearray]):
    """A session at the driver.

    connection  ZeroMQ's name of its connection; None while it has none
    descriptor  the connection's file descriptor
    number      the gate's number of the connection
    """

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.peer = peer
        self.connection: bytes | None = None
        self.descriptor = self.number = 0


class SocketListener:
    """The driver's end. Refuses every connection whose key is not a worker's before it reads a byte of it.

    host   address to listen on; the port is the system's choice
    limit  sessions at most, and connections at most that have not opened one
    """

    def __init__(self, host: str, worker_key: str, own: KeyPair, limit: int = 1024) -> None:
        self._context = zmq.Context()
        self._limit = limit
        self._lines: dict[Peer, _Line] = {}
        self._away: dict[Peer, None] = {}  # those without a connection, the longest first
        self._by_connection: dict[bytes, _Line] = {}
        self._by_number: dict[int, _Line] = {}  # of the connection, as the gate counts
        self._heard: dict[Peer, _Line] = {}  # those with something that was returned last, and is being dealt with
        self._settled = True
        self._signs: list[tuple[Peer, Item]] = []
        self._waker = Waker()
        self._gate = Gate(self._context, z85.decode(worker_key), limit, self._waker.wake)
        router = self._router = self._context.socket(zmq.ROUTER)
        router.router_mandatory = 1
        router.sndhwm, router.rcvhwm, router.backlog = 4 * WINDOW, WINDOW, 4096
        router.maxmsgsize = MAX_MESSAGE_BYTES + PREFIX.size + 64  # ZeroMQ measures it encrypted, 33 bytes more
        router.linger = 200
        router.handshake_ivl = 10_000
        ping_ms = max(PING_MS, limit * _PING_MS_PER_SESSION)
        router.heartbeat_ivl, router.heartbeat_timeout = ping_ms, PING_TIMEOUT_MS
        router.heartbeat_ttl = ping_ms + PING_TIMEOUT_MS
        router.zap_domain = b"maggy"
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = own.public.encode(), own.secret.encode()
        self._gate.watch(router)
        if ":" in host:
            router.ipv6 = True
        try:
            router.bind(f"tcp://[{host}]:0" if ":" in host else f"tcp://{host}:0")
        except zmq.ZMQError as error:
            self.close()
            raise EngineError(f"the driver cannot listen on {host!r}: {error}") from error
        self.port = int(router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._gate.open(self.port)
        self._poller = zmq.Poller()
        for source in (router, self._waker.reader):
            self._poller.register(source, zmq.POLLIN)

    def receive(self, timeout_s: float) -> list[tuple[Peer, Item]]:
        self._settle()
        for line in self._heard.values():
            if line.owes:
                self._say(line, bytearray(PREFIX.size))
        self._heard.clear()
        arrived, self._signs = self._signs, []
        if arrived:
            timeout_s = 0.0
        ready = dict(self._poller.poll(None if isinf(timeout_s) else max(0, ceil(timeout_s * 1000))))
        if self._waker.reader.fileno() in ready:
            self._waker.drain()
        lost = len(self._gate.lost)  # counted first: whatever these have said last is there to be read now
        if self._router not in ready or self._read(arrived):
            self._note_lost(lost, arrived)
        return arrived

    def send(self, peer: Peer, message: FromDriver) -> None:
        self._settle()
        if (line := self._lines.get(peer)) is None:
            return
        body = frame(message)
        line.put(body, len(body))
        self._push(line)
        if line.size > PEER_BYTES:
            self._cut_off(line)

    def forget(self, peer: Peer) -> None:
        if (line := self._lines.pop(peer, None)) is not None:
            self._away.pop(peer, None)
            self._disconnect(line)

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        if not self._router.closed:
            self._gate.close()
            self._router.close()
            self._waker.close()
            self._context.term()

    # --- reading

    def _read(self, arrived: list[tuple[Peer, Item]]) -> bool:
        """Read what has come; whether that is all."""
        receive = self._router.recv
        for _ in range(_BURST):
            try:
                connection = receive(zmq.NOBLOCK)  # two reads cost far less than one multipart read
                part = first = receive(zmq.NOBLOCK, copy=False)  # says itself what the socket takes longer to say
                while part.more:
                    part = receive(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return True
            body = first.bytes
            if part is not first or len(body) < PREFIX.size:
                continue  # rubbish from a key holder costs the others nothing
            if (line := self._by_connection.get(connection)) is not None:
                self._hear(line, body, arrived)
            else:
                self._open(connection, first.get(zmq.SRCFD), body, arrived)
        return False

    def _hear(self, line: _Line, body: bytes, arrived: list[tuple[Peer, Item]]) -> None:
        number, heard = PREFIX.unpack_from(body)
        line.acknowledged(heard)
        if line.unsent:
            self._push(line)
        content = memoryview(body)[PREFIX.size :]
        if number == 0:
            if not content:
                return
        elif line.accept(number, len(content)):
            self._heard[line.peer] = line
            self._settled = False
        else:
            return
        try:
            message = decode_to_driver(content)
        except UNREADABLE:
            return self._reopen(line, body) if number == 0 else None
        if number or isinstance(message, Heartbeat):
            arrived.append((line.peer, message))

    # --- connections that come and go

    def _open(self, connection: bytes, descriptor: int, body: bytes, arrived: list[tuple[Peer, Item]]) -> None:
        """The first frame of a connection: it says whose it is."""
        number, heard = PREFIX.unpack_from(body)
        try:
            opening = decode_opening(memoryview(body)[PREFIX.size :])
        except UNREADABLE:
            return
        if number != 0 or len(opening.name) != NAME_BYTES:
            return
        if opening.protocol != PROTOCOL:
            self._answer(connection, Refused(two_versions(opening.protocol)), 0)
            arrived.append((opening.name, WrongVersion(opening.protocol, PROTOCOL)))
            return
        line = self._lines.get(opening.name)
        if line is None and (opening.resumes or not self._make_room()):
            self._answer(connection, Refused(_FORGOTTEN), 0)
            return
        # The descriptor of a connection that is gone may be another's by now: so it has to take the answer as well.
        connection_number, dealt = self._gate.admit(descriptor), 0 if line is None else line.acknowledgement()
        if connection_number == 0 or not self._answer(connection, Opened(), dealt):
            return  # this connection is gone already
        if (other := self._by_number.get(connection_number)) is not None:
            self._lose(other, arrived)
        if line is None:
            line = self._lines[opening.name] = _Line(opening.name)
        elif line.connection is not None:
            self._lose(line, arrived)  # a driver that was busy has not come to its end yet
        line.connection, line.descriptor, line.number = connection, descriptor, connection_number
        self._by_connection[connection] = self._by_number[connection_number] = line
        line.resume(heard)
        if opening.name in self._away:
            del self._away[opening.name]
            if line.begun:
                arrived.append((opening.name, Sign.BACK))
        self._push(line)

    def _reopen(self, line: _Line, body: bytes) -> None:
        """A link may open a connection twice, if it lost one while it opened the next."""
        try:
            opening = decode_opening(memoryview(body)[PREFIX.size :])
        except UNREADABLE:
            return
        if opening.name == line.peer and line.connection is not None:
            self._answer(line.connection, Opened(), line.acknowledgement())
            line.resume(PREFIX.unpack_from(body)[1])
            self._push(line)

    def _make_room(self) -> bool:
        """Whether one more session may begin; whoever is away for longest makes room for it."""
        if len(self._lines) >= self._limit and self._away:
            self.forget(next(iter(self._away)))
        return len(self._lines) < self._limit

    def _note_lost(self, count: int, arrived: list[tuple[Peer, Item]]) -> None:
        for _ in range(count):
            if (line := self._by_number.get(self._gate.lost.popleft())) is not None:
                self._lose(line, arrived)

    def _lose(self, line: _Line, arrived: list[tuple[Peer, Item]]) -> None:
        """The connection of a session has broken."""
        self._disconnect(line)
        self._away[line.peer] = None
        if line.begun:
            arrived.append((line.peer, Sign.GONE))

    def _disconnect(self, line: _Line) -> None:
        """Take a session from its connection. What that still brings is passed over: it will be said again."""
        if line.connection is not None:
            del self._by_connection[line.connection], self._by_number[line.number]
            line.connection = None

    def _cut_off(self, line: _Line) -> None:
        if line.connection is not None:
            self._gate.shut(line.descriptor)
            self._signs.append((line.peer, Sign.GONE))
        self.forget(line.peer)

    # --- writing

    def _settle(self) -> None:
        """What was returned last has been dealt with, as the driver has called again."""
        if not self._settled:
            self._settled = True
            for line in self._heard.values():
                line.settle()

    def _push(self, line: _Line) -> None:
        """Send what may leave."""
        while line.connection is not None and (item := line.peek()) is not None:
            number, body = item
            PREFIX.pack_into(body, 0, number, line.acknowledgement())
            if not self._transmit(line.connection, body):
                return  # it has broken, which is noticed elsewhere
            line.advance()

    def _say(self, line: _Line, body: bytearray) -> None:
        """Send a frame that is not counted."""
        if line.connection is not None:
            PREFIX.pack_into(body, 0, 0, line.acknowledgement())
            self._transmit(line.connection, body)

    def _answer(self, connection: bytes, message: Message, heard: int) -> bool:
        """Whether the connection is still there to be answered."""
        body = frame(message)
        PREFIX.pack_into(body, 0, 0, heard)
        return self._transmit(connection, body)

    def _transmit(self, connection: bytes, body: bytearray) -> bool:
        try:
            self._router.send(connection, _MORE_FOLLOWS)
            self._router.send(body, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True
