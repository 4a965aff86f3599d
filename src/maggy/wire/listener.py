"""The driver's end of the encrypted channel: a ZeroMQ ROUTER with CURVE keys, figures in docs/decisions/0001.

Connection names are ZeroMQ's automatic ones: a fixed name would let a returning worker be refused while the driver is
busy, or let one key holder take another's place. Who speaks is said in a hello, repeated whenever a connection is
made, and the driver asks for it (`Rejoin`) when a connection is unknown.
"""

from __future__ import annotations

import contextlib
from math import ceil, isinf

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from maggy.errors import EngineError
from maggy.wire.channel import PING_MS, PING_TIMEOUT_MS, Peer
from maggy.wire.keys import KeyPair
from maggy.wire.messages import (
    MAX_MESSAGE_BYTES,
    UNREADABLE,
    FromDriver,
    Rejoin,
    SupervisorHello,
    ToDriver,
    WorkerHello,
    decode_to_driver,
    encode,
)
from maggy.wire.waker import Waker

_MORE_FOLLOWS = int(zmq.SNDMORE | zmq.NOBLOCK)  # worked out once: enumerations are slow
_BURST = 256  # messages read in one go, so that logins and timers are served between bursts


class SocketListener:
    """The driver's end. Refuses every connection whose key is not a worker's before it reads a byte of it.

    host  address to listen on; the port is the system's choice
    """

    def __init__(self, host: str, worker_key: str, own: KeyPair) -> None:
        self._context = zmq.Context()
        self._allowed = z85.decode(worker_key)
        self._peers: dict[Peer, None] = {}
        self._by_fd: dict[int, Peer] = {}
        self._waker = Waker()
        self._gatekeeper = self._context.socket(zmq.REP)
        self._gatekeeper.linger = 0
        self._gatekeeper.bind("inproc://zeromq.zap.01")  # has to stand before the router binds
        router = self._router = self._context.socket(zmq.ROUTER)
        router.router_mandatory = 1
        router.sndhwm, router.rcvhwm, router.backlog = 64, 256, 4096
        router.maxmsgsize = MAX_MESSAGE_BYTES + 64  # ZeroMQ measures it encrypted, 33 bytes more
        router.linger = 200
        router.handshake_ivl = 10_000
        router.heartbeat_ivl, router.heartbeat_timeout, router.heartbeat_ttl = PING_MS, PING_TIMEOUT_MS, 20_000
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
            self._router.send(peer, _MORE_FOLLOWS)
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
            if not int(router.get(zmq.EVENTS)) & zmq.POLLIN:
                return
            peer = router.recv(zmq.NOBLOCK)  # two plain reads cost far less than one multipart read
            known = peer in self._peers
            frame = None if known else router.recv(zmq.NOBLOCK, copy=False)
            body = router.recv(zmq.NOBLOCK) if frame is None else frame.bytes
            whole = True
            while router.get(zmq.RCVMORE):
                whole = False
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
