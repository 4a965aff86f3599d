"""The worker's end of the encrypted channel: a ZeroMQ DEALER with a thread that receives.

Each hop from one thread to another costs a wake-up, some 50 us on an idle core, and the time between two trials is made
of such hops. So whoever has something to say sends it itself, under a lock, which gives ZeroMQ the fence it needs
between threads. Its file descriptor announces news only once, and a send may take the announcement; the sender then
wakes the link's thread.
"""

from __future__ import annotations

import os
import secrets
import select
import threading
from contextlib import suppress
from math import ceil
from time import monotonic

import zmq

from maggy.ticket import Ticket
from maggy.wire.channel import LINK_BYTES, PING_MS, PING_TIMEOUT_MS, UNREACHABLE_S, OnMessage
from maggy.wire.frames import NAME_BYTES, PREFIX, PROTOCOL, Opening, Refused, decode_answer, frame
from maggy.wire.messages import MAX_MESSAGE_BYTES, Heartbeat, Release, ToDriver, decode_from_driver
from maggy.wire.monitor import read_news
from maggy.wire.session import WINDOW, Session
from maggy.wire.waker import Waker

_NEWS = int(zmq.POLLIN)  # worked out once: enumerations are slow
_CLOSE_S = 1.5  # time to send what is queued when the link is closed
_WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED


class SocketLink(threading.Thread):
    """Connects, reconnects by itself, and goes on where the last connection ended."""

    def __init__(self, ticket: Ticket, on_message: OnMessage) -> None:
        super().__init__(name="maggy-link", daemon=True)
        self._on_message = on_message
        self._lock = threading.Lock()  # held for every call on the socket and the session, and never for a handler
        self._peer = secrets.token_bytes(NAME_BYTES)
        self._session: Session[bytearray] = Session()
        self._answered = False  # whether the driver has ever answered this session
        self._ready = False  # whether it has answered on this connection
        self._alone_since: float | None = monotonic()
        self._close_by: float | None = None
        self._process = os.getpid()
        self._waker = Waker()
        self.error: str | None = None
        self._zmq = zmq.Context()
        dealer = self._dealer = self._zmq.socket(zmq.DEALER)
        dealer.linger = 500
        dealer.sndhwm, dealer.rcvhwm = 4 * WINDOW, 1000  # a session never has more than its window under way
        dealer.immediate = True  # queue nothing without a live connection: the session keeps it
        dealer.reconnect_ivl, dealer.reconnect_ivl_max, dealer.connect_timeout = 100, 1_000, 5_000
        dealer.heartbeat_ivl, dealer.heartbeat_timeout = PING_MS, PING_TIMEOUT_MS
        dealer.curve_serverkey = ticket.server_key.encode()
        dealer.curve_publickey = ticket.public_key.encode()
        dealer.curve_secretkey = ticket.secret_key.encode()
        dealer.ipv6 = "[" in ticket.address
        self._monitor = dealer.get_monitor_socket(_WATCHED)
        dealer.connect(ticket.address)
        self._descriptor = int(dealer.FD)
        self.start()

    @property
    def full(self) -> bool:
        return self._session.size > LINK_BYTES

    def send(self, message: ToDriver) -> None:
        body = frame(message)
        if (size := len(body) - PREFIX.size) > MAX_MESSAGE_BYTES:
            raise ValueError(
                f"a {type(message).__name__} of {size} bytes: the driver takes {MAX_MESSAGE_BYTES} at most"
            )
        with self._lock:
            if self._dealer.closed:
                return
            if isinstance(message, Heartbeat):
                self._send_uncounted(body)
            else:
                self._session.put(body, size)
                self._push()
            news = int(self._dealer.get(zmq.EVENTS)) & _NEWS
        if news:
            self._waker.wake()

    def close(self) -> None:
        if os.getpid() != self._process:
            return  # a forked child holds a copy that is not its own
        self._close_by = self._close_by or monotonic() + _CLOSE_S
        self._waker.wake()
        if threading.current_thread() is not self:
            self.join(timeout=_CLOSE_S + 1)

    def run(self) -> None:
        """Receive, and say on every new connection whose it is.

        A descriptor of ZeroMQ's announces news once, and only to a socket that had none when it was asked last. So each
        is asked before the first wait, and whichever is announced is served until it has no more.
        """
        poll = select.poll()
        monitor, waker = int(self._monitor.FD), self._waker.reader.fileno()
        for source in (self._descriptor, monitor, waker):
            poll.register(source, select.POLLIN)
        self._watch_connection()
        while self._close_by is None or self._may_still_send(self._close_by):
            with self._lock:
                news = self._read()
            for body in news:
                self._receive(body)
            if news:
                continue
            ready = [source for source, _ in poll.poll(self._patience_ms())]
            if monitor in ready:
                self._watch_connection()
            if waker in ready:
                self._waker.drain()
            if self._alone_since is not None and monotonic() >= self._alone_since + UNREACHABLE_S:
                self._give_up(f"the driver could not be reached for {UNREACHABLE_S:g} s")
        with self._lock:
            self._dealer.disable_monitor()
            self._monitor.close()
            self._dealer.close()
        self._waker.close()
        self._zmq.term()

    def _may_still_send(self, until: float) -> bool:
        with self._lock:
            return self._ready and self._session.unsent and monotonic() < until

    def _patience_ms(self) -> int | None:
        """How long to wait for news; None: as long as it takes."""
        until = self._close_by
        if until is None and self._alone_since is not None and self.error is None:
            until = self._alone_since + UNREACHABLE_S
        return None if until is None else max(0, ceil((until - monotonic()) * 1000))

    def _watch_connection(self) -> None:
        while int(self._monitor.get(zmq.EVENTS)) & _NEWS:
            event = read_news(self._monitor).event
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._alone_since = None
                self._open()
                continue
            self._ready = False
            self._alone_since = self._alone_since or monotonic()
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:  # ZeroMQ does not try again
                self._give_up("the driver refused this worker's key")

    def _give_up(self, why: str) -> None:
        """Let the owner leave; another driver is none of ours."""
        if self.error is None:
            self.error = why
            self._on_message(Release(grace_s=0.0))

    def _open(self) -> None:
        """Say whose connection this is; everything else waits for the answer."""
        with self._lock:
            self._ready = False
            self._dealer.get(zmq.EVENTS)  # a send alone sees a new connection only if the last was 1 ms ago or more
            self._send_uncounted(frame(Opening(PROTOCOL, self._peer, self._answered)), opening=True)

    def _push(self) -> None:
        """Send what may leave; with the lock held."""
        while self._ready and (item := self._session.peek()) is not None:
            number, body = item
            PREFIX.pack_into(body, 0, number, self._session.acknowledgement())
            try:
                self._dealer.send(body, zmq.NOBLOCK)
            except zmq.Again:
                return  # the connection has broken; the next one is announced
            self._session.advance()

    def _send_uncounted(self, body: bytearray, *, opening: bool = False) -> None:
        """Send a frame that may get lost; with the lock held."""
        if self._ready or opening:
            PREFIX.pack_into(body, 0, 0, self._session.acknowledgement())
            try:
                self._dealer.send(body, zmq.NOBLOCK)
            except zmq.Again:
                pass

    def _read(self) -> list[bytes]:
        """What has come; with the lock held."""
        bodies = []
        # A connection that breaks takes along what was announced and not yet read.
        with suppress(zmq.Again):
            while int(self._dealer.get(zmq.EVENTS)) & _NEWS:
                bodies.append(self._dealer.recv(zmq.NOBLOCK))
        return bodies

    def _receive(self, body: bytes) -> None:
        number, heard = PREFIX.unpack_from(body)
        content = memoryview(body)[PREFIX.size :]
        if number == 0 and content:
            self._take_answer(decode_answer(content), heard)
            return
        with self._lock:
            self._session.acknowledged(heard)
            self._push()
            new = number != 0 and self._session.accept(number, len(content))
            self._session.settle()  # at once: a session does not outlive the process that deals with it
            if self._session.owes:
                self._send_uncounted(bytearray(PREFIX.size))
        if new:
            self._on_message(decode_from_driver(content))

    def _take_answer(self, answer: object, heard: int) -> None:
        if isinstance(answer, Refused):
            self._give_up(answer.reason)
            return
        with self._lock:
            self._ready = self._answered = True
            self._session.resume(heard)
            self._push()
