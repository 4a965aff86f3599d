"""A listener on this machine, and whoever wants to talk to it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from time import monotonic

import zmq

from maggy.testing.channels import HELLO, PATIENCE_S
from maggy.ticket import Ticket
from maggy.wire.frames import PREFIX, PROTOCOL, Message, Opened, Opening, decode_answer, frame
from maggy.wire.keys import KeyPair
from maggy.wire.link import SocketLink
from maggy.wire.listener import SocketListener
from maggy.wire.messages import ToDriver, decode_from_driver

NAME = b"sixteen bytes !!"
"""Of a session whose frames a test makes itself."""


def opening(*, heard: int = 0, protocol: int = PROTOCOL, name: bytes = NAME, resumes: bool = False) -> bytes:
    """The first frame of a connection."""
    return numbered(0, Opening(protocol, name, resumes), heard=heard)


def numbered(number: int, message: Message | None, *, heard: int = 0) -> bytes:
    """A frame; None for a mere acknowledgement."""
    body = bytearray(PREFIX.size) if message is None else frame(message)
    PREFIX.pack_into(body, 0, number, heard)
    return bytes(body)


class Experiment:
    """A listener, and whoever wants to talk to it."""

    def __init__(self, host: str = "127.0.0.1", limit: int = 1024) -> None:
        self.host = f"[{host}]" if ":" in host else host
        self.driver, self.workers = KeyPair.fresh(), KeyPair.fresh()
        self.listener = SocketListener(host, self.workers.public, self.driver, limit)
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.listener.close)
        self._unread = []

    def link(
        self,
        hello: ToDriver | None = HELLO,
        *,
        worker: KeyPair | None = None,
        port: int | None = None,
        on_message=lambda message: None,
    ) -> SocketLink:
        """A link that has said hello."""
        worker = worker or self.workers
        ticket = Ticket(
            address=f"tcp://{self.host}:{port or self.listener.port}",
            experiment="e",
            seat=0,
            server_key=self.driver.public,
            public_key=worker.public,
            secret_key=worker.secret,
        )
        link = SocketLink(ticket, on_message)
        self.closing.callback(link.close)
        if hello is not None:
            link.send(hello)
        return link

    def dealer(self, driver: KeyPair | None = None, *, connect: bool = True) -> zmq.Socket[bytes]:
        """A socket with the right key, which says what the test wants."""
        context = self.closing.enter_context(zmq.Context())
        dealer = self.closing.enter_context(context.socket(zmq.DEALER))
        dealer.linger = 0
        dealer.curve_serverkey = (driver or self.driver).public.encode()
        dealer.curve_publickey = self.workers.public.encode()
        dealer.curve_secretkey = self.workers.secret.encode()
        if connect:
            self.connect(dealer)
        return dealer

    def connect(self, dealer: zmq.Socket[bytes]) -> None:
        dealer.connect(f"tcp://{self.host}:{self.listener.port}")

    def session(self, name: bytes = NAME) -> zmq.Socket[bytes]:
        """A socket that has opened a session, whose frames a test makes itself."""
        dealer = self.dealer()
        dealer.send(opening(name=name))
        self.serve_until(lambda: dealer.poll(0) != 0)
        assert self.answer(dealer) == (0, 0, Opened())
        return dealer

    def answer(self, dealer: zmq.Socket[bytes]) -> tuple[int, int, object]:
        """The next frame from the listener: its number, what was heard, and what it says."""
        self.serve_until(lambda: dealer.poll(0) != 0)
        body = dealer.recv()
        number, heard = PREFIX.unpack_from(body)
        content = body[PREFIX.size :]
        return number, heard, (decode_from_driver if number else decode_answer)(content) if content else None

    def stranger(self) -> socket.socket:
        """A plain TCP connection."""
        connection = socket.create_connection((self.host, self.listener.port), timeout=PATIENCE_S)
        return self.closing.enter_context(connection)

    def take(self):
        """The next that the listener receives."""
        self.serve_until(lambda: bool(self._unread))
        return self._unread.pop(0)

    def serve_until(self, done: Callable[[], bool]) -> None:
        """Let the listener work; whatever it receives can be taken later."""
        until = monotonic() + PATIENCE_S
        while not done():
            assert monotonic() < until, f"waited for {PATIENCE_S:g} s"
            self._unread += self.listener.receive(0.02)

    def serve(self) -> None:
        """Let the listener work once."""
        self._unread += self.listener.receive(0.001)

    def has_received(self) -> list:
        return [*self._unread, *self.listener.receive(0)]
