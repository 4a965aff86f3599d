"""The encrypted channel: ZeroMQ ROUTER and DEALER with CURVE keys, figures in docs/decisions/0001.

Connection names are ZeroMQ's automatic ones: a fixed name would let a returning worker be refused while the driver is
busy, or let one key holder take another's place. Who speaks is said in a hello, repeated whenever a connection is
made, and the driver asks for it (`Rejoin`) when a connection is unknown.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import deque
from math import ceil, isinf

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from maggy.errors import EngineError
from maggy.ticket import Ticket
from maggy.wire.channel import Greeting, OnMessage, Peer
from maggy.wire.keys import KeyPair
from maggy.wire.messages import (
    MAX_MESSAGE_BYTES,
    UNREADABLE,
    FromDriver,
    Rejoin,
    SupervisorHello,
    ToDriver,
    WorkerHello,
    decode_from_driver,
    decode_to_driver,
    encode,
)

_BURST = 256  # messages read in one go, so that logins and timers are served between bursts
_PING_MS, _PING_TIMEOUT_MS = 5_000, 15_000  # ZeroMQ's own pings: they find a frozen host, not a slow function


class _Waker:
    """Lets any thread end another thread's poll."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: already awake; closed: too late
            self._writer.send(b"\0")

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.reader.recv(4096)

    def close(self) -> None:
        self.reader.close()
        self._writer.close()


class SocketListener:
    """The driver's end. Refuses every connection whose key is not a worker's before it reads a byte of it.

    host  address to listen on; the port is the system's choice
    """

    def __init__(self, host: str, worker_key: str, own: KeyPair) -> None:
        self._context = zmq.Context()
        self._allowed = z85.decode(worker_key)
        self._peers: dict[Peer, None] = {}
        self._by_fd: dict[int, Peer] = {}
        self._waker = _Waker()
        self._gatekeeper = self._context.socket(zmq.REP)
        self._gatekeeper.linger = 0
        self._gatekeeper.bind("inproc://zeromq.zap.01")  # has to stand before the router binds
        router = self._router = self._context.socket(zmq.ROUTER)
        router.router_mandatory = 1
        router.sndhwm, router.rcvhwm, router.backlog = 64, 256, 4096
        router.maxmsgsize = MAX_MESSAGE_BYTES + 64  # ZeroMQ measures it encrypted, 33 bytes more
        router.linger = 200
        router.handshake_ivl = 10_000
        router.heartbeat_ivl, router.heartbeat_timeout, router.heartbeat_ttl = _PING_MS, _PING_TIMEOUT_MS, 20_000
        router.zap_domain = b"maggy"
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = own.public.encode(), own.secret.encode()
        self._monitor = router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        if ":" in host:
            router.ipv6 = True
        try:
            router.bind(f"tcp://[{host}]:0" if ":" in host else f"tcp://{host}:0")
        except zmq.ZMQError as error:
            self.close()
            raise EngineError(f"the driver cannot listen on {host!r}: {error}") from error
        self.port = int(router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._poller = zmq.Poller()
        for source in (self._monitor, self._gatekeeper, router, self._waker.reader):
            self._poller.register(source, zmq.POLLIN)

    def receive(self, timeout_s: float) -> list[tuple[Peer, ToDriver | None]]:
        ready = dict(self._poller.poll(None if isinf(timeout_s) else max(0, ceil(timeout_s * 1000))))
        arrived: list[tuple[Peer, ToDriver | None]] = []
        if self._gatekeeper in ready:
            self._admit()
        if self._waker.reader.fileno() in ready:
            self._waker.drain()
        if self._router in ready:
            self._read(arrived)
        if self._monitor in ready:
            self._note_lost(arrived)
        return arrived

    def send(self, peer: Peer, message: FromDriver) -> None:
        # A peer that is gone or does not read raises here; its loss is noticed elsewhere, and it asks again.
        with contextlib.suppress(zmq.ZMQError):
            self._router.send(peer, zmq.SNDMORE | zmq.NOBLOCK)
            self._router.send(encode(message), zmq.NOBLOCK)

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        if not self._router.closed:
            self._router.disable_monitor()
            for source in (self._monitor, self._gatekeeper, self._router):
                source.close()
            self._waker.close()
            self._context.term()

    def _read(self, arrived: list[tuple[Peer, ToDriver | None]]) -> None:
        router = self._router
        for _ in range(_BURST):
            try:
                peer = router.recv(zmq.NOBLOCK)  # two plain reads cost far less than one multipart read
            except zmq.Again:
                return
            known = peer in self._peers
            frame = None if known else router.recv(zmq.NOBLOCK, copy=False)
            body = router.recv(zmq.NOBLOCK) if frame is None else frame.bytes
            whole = not router.rcvmore
            while router.rcvmore:
                router.recv(zmq.NOBLOCK)
            try:
                message = decode_to_driver(body)
            except UNREADABLE:
                continue  # rubbish from a key holder costs the others nothing
            if not whole:
                continue
            if frame is not None:
                if not isinstance(message, SupervisorHello | WorkerHello):
                    self.send(peer, Rejoin())
                    continue
                self._note_lost(arrived)  # first: the descriptor may be one that was just freed
                self._peers[peer] = None
                self._by_fd[frame.get(zmq.SRCFD)] = peer
            arrived.append((peer, message))

    def _note_lost(self, arrived: list[tuple[Peer, ToDriver | None]]) -> None:
        while self._monitor.poll(0):
            peer = self._by_fd.pop(recv_monitor_message(self._monitor)["value"], None)
            if peer is not None and peer in self._peers:
                del self._peers[peer]
                arrived.append((peer, None))

    def _admit(self) -> None:
        while self._gatekeeper.poll(0):
            frames = self._gatekeeper.recv_multipart()
            welcome = frames[5] == b"CURVE" and frames[6] == self._allowed
            status, user = (b"200", b"worker") if welcome else (b"400", b"")
            self._gatekeeper.send_multipart([b"1.0", frames[1], status, b"", user, b""])


class SocketLink(threading.Thread):
    """A worker's end: a thread that owns the socket, reconnects by itself and greets each time."""

    def __init__(self, ticket: Ticket, greeting: Greeting, on_message: OnMessage) -> None:
        super().__init__(name="maggy-link", daemon=True)
        self._ticket, self._greeting, self._on_message = ticket, greeting, on_message
        self._outbox: deque[bytes] = deque()
        self._hello: deque[bytes] = deque()  # goes before whatever waits in the outbox
        self._stuck = False  # the driver does not read
        self._waker = _Waker()
        self._open = True
        self._process = os.getpid()
        self.error: str | None = None
        self.start()

    def send(self, message: ToDriver) -> None:
        self._outbox.append(encode(message))  # here, so that what cannot be encoded is an error where it was said
        self._waker.wake()

    def close(self) -> None:
        if os.getpid() != self._process:
            return  # a forked child holds a copy that is not its own
        self._open = False
        self._waker.wake()
        if threading.current_thread() is not self:
            self.join(timeout=2)

    def run(self) -> None:
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 500
        dealer.sndhwm = dealer.rcvhwm = 1000
        dealer.immediate = True  # queue nothing without a live connection: it may be for a driver that is gone
        dealer.reconnect_ivl, dealer.reconnect_ivl_max, dealer.connect_timeout = 100, 1_000, 5_000
        dealer.heartbeat_ivl, dealer.heartbeat_timeout = _PING_MS, _PING_TIMEOUT_MS
        dealer.curve_serverkey = self._ticket.server_key.encode()
        dealer.curve_publickey = self._ticket.public_key.encode()
        dealer.curve_secretkey = self._ticket.secret_key.encode()
        if "[" in self._ticket.address:
            dealer.ipv6 = True
        monitor = dealer.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED
        )
        dealer.connect(self._ticket.address)
        poller = zmq.Poller()
        for source in (dealer, monitor, self._waker.reader):
            poller.register(source, zmq.POLLIN)
        connected = False
        try:
            while self._open or (self._outbox and connected):
                ready = dict(poller.poll(None if not self._stuck else 50))
                if self._waker.reader.fileno() in ready:
                    self._waker.drain()
                if monitor in ready:
                    event = recv_monitor_message(monitor)["event"]
                    connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
                    if connected:
                        self._greet()
                    elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                        self.error = "the driver refused this worker's key"
                while dealer.poll(0):
                    self._receive(dealer.recv())
                if connected:
                    self._flush(dealer)
                if not self._open and self._stuck:
                    break
        finally:
            dealer.disable_monitor()
            monitor.close()
            dealer.close()
            self._waker.close()
            context.term()

    def _flush(self, dealer: zmq.Socket[bytes]) -> None:
        for queue in (self._hello, self._outbox):
            while queue:
                try:
                    dealer.send(queue[0], zmq.NOBLOCK)
                except zmq.Again:
                    self._stuck = True
                    return
                queue.popleft()
        self._stuck = False

    def _greet(self) -> None:
        hello, *unanswered = [encode(message) for message in self._greeting()]
        self._hello.append(hello)
        # What was sent may have died with the old connection. It is a worker's last word on a trial, so it comes
        # after the points that still wait here.
        waiting = list(self._outbox)
        self._outbox.extend(message for message in unanswered if message not in waiting)

    def _receive(self, body: bytes) -> None:
        message: FromDriver = decode_from_driver(body)
        if isinstance(message, Rejoin):
            self._greet()
        else:
            self._on_message(message)
