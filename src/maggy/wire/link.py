"""The worker's end of the encrypted channel: a ZeroMQ DEALER with a thread that receives.

Each hop from one thread to another costs a wake-up, some 50 us on an idle core, and the time between two trials is made
of such hops. So whoever has something to say sends it itself, under a lock, which gives ZeroMQ the fence it needs
between threads. Its file descriptor announces news only once, and a send may take the announcement; the sender then
wakes the link's thread.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque

import zmq
from zmq.utils.monitor import recv_monitor_message

from maggy.ticket import Ticket
from maggy.wire.channel import PING_MS, PING_TIMEOUT_MS, Greeting, OnMessage
from maggy.wire.messages import FromDriver, Rejoin, Release, ToDriver, decode_from_driver, encode
from maggy.wire.waker import Waker

_RETRY_MS = 50  # a driver that does not read is tried again this often
_WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED


class SocketLink(threading.Thread):
    """Connects, reconnects by itself, and greets each time.

    error  why the driver refused this worker, if it did
    """

    def __init__(self, ticket: Ticket, greeting: Greeting, on_message: OnMessage) -> None:
        super().__init__(name="maggy-link", daemon=True)
        self._greeting, self._on_message = greeting, on_message
        self._lock = threading.Lock()  # held for every call on the socket, and never for a handler
        self._outbox: deque[bytes] = deque()  # what could not be sent at once
        self._connected = False
        self._open = True
        self._process = os.getpid()
        self._waker = Waker()
        self.error: str | None = None
        self._context = zmq.Context()
        dealer = self._dealer = self._context.socket(zmq.DEALER)
        dealer.linger = 500
        dealer.sndhwm = dealer.rcvhwm = 1000
        dealer.immediate = True  # queue nothing without a live connection: it may be for a driver that is gone
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

    def send(self, message: ToDriver) -> None:
        body = encode(message)
        with self._lock:
            self._outbox.append(body)
            self._flush()
            news = not self._dealer.closed and int(self._dealer.get(zmq.EVENTS)) & zmq.POLLIN
            stuck = self._outbox and self._connected
        if news or stuck:
            self._waker.wake()

    def close(self) -> None:
        if os.getpid() != self._process:
            return  # a forked child holds a copy that is not its own
        self._open = False
        self._waker.wake()
        if threading.current_thread() is not self:
            self.join(timeout=2)

    def run(self) -> None:
        """Receive, send what could not be sent at once, and greet on every new connection."""
        poll = select.poll()
        for source in (self._descriptor, int(self._monitor.FD), self._waker.reader.fileno()):
            poll.register(source, select.POLLIN)
        while self._open or (self._outbox and self._connected):
            self._watch_connection()
            with self._lock:
                self._flush()
                stuck = bool(self._outbox) and self._connected
                news = self._read()
            for body in news:
                self._receive(body)
            if stuck and not self._open:
                break
            if not news:
                poll.poll(_RETRY_MS if stuck else None)
                self._waker.drain()
        with self._lock:
            self._dealer.disable_monitor()
            self._monitor.close()
            self._dealer.close()
        self._waker.close()
        self._context.term()

    def _watch_connection(self) -> None:
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._greet()
                continue
            self._connected = False
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.error = "the driver refused this worker's key"
                self._on_message(Release(grace_s=0.0))  # ZeroMQ does not try again, and another driver is none of ours

    def _greet(self) -> None:
        """Say who this is before anything else, and last what was said and not answered.

        What was sent may have died with the old connection. It is a worker's last word on a trial, so it comes after
        the points that still wait here.
        """
        hello, *unanswered = [encode(message) for message in self._greeting()]
        with self._lock:
            self._connected = True  # only now: nobody may speak before the hello
            self._outbox.appendleft(hello)
            self._outbox.extend([message for message in unanswered if message not in self._outbox])
            self._flush()

    def _flush(self) -> None:
        """Send what waits, as far as the driver reads; with the lock held."""
        while self._outbox and self._connected and not self._dealer.closed:
            try:
                self._dealer.send(self._outbox[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            self._outbox.popleft()

    def _read(self) -> list[bytes]:
        """What has come; with the lock held."""
        bodies = []
        while int(self._dealer.get(zmq.EVENTS)) & zmq.POLLIN:
            bodies.append(self._dealer.recv(zmq.NOBLOCK))
        return bodies

    def _receive(self, body: bytes) -> None:
        message: FromDriver = decode_from_driver(body)
        if isinstance(message, Rejoin):
            self._greet()
        else:
            self._on_message(message)
