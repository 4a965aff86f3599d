"""What every channel between driver and workers must do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from queue import SimpleQueue
from time import monotonic

from maggy.wire.channel import Greeting, Link, Listener, OnMessage, Peer
from maggy.wire.messages import (
    Enlisted,
    Finished,
    FromDriver,
    Heartbeat,
    Metrics,
    Rejoin,
    RunTrial,
    SupervisorHello,
    ToDriver,
    WorkerHello,
)

PATIENCE_S = 30.0
"""How long the suite waits for what must come; only a channel that fails is waited for that long."""

HELLO = WorkerHello("holder", 0, 1, "node-a", 4711)


def points(step: int, trial: int = 0) -> Metrics:
    """A message that can be told from others."""
    return Metrics(trial, 0, [step], [0.5])


class ChannelContract:
    """The suite. Say how the two ends of your channel are made, and how a connection breaks."""

    def listen(self) -> Listener:
        """A new driver's end."""
        raise NotImplementedError

    def connect(self, listener: Listener, greeting: Greeting, on_message: OnMessage) -> Link:
        """A new worker's end that is, or will soon be, connected to `listener`."""
        raise NotImplementedError

    def cut(self, link: Link) -> None:
        """Break the connection of a link, as a network would, until `mend`."""
        raise NotImplementedError

    def mend(self, link: Link) -> None:
        """Let the link connect again."""
        raise NotImplementedError

    # --- around each test

    def setup_method(self) -> None:
        self._threads = set(threading.enumerate())
        self.listener = self.listen()
        self._links: list[Link] = []
        self._unread: list[tuple[Peer, ToDriver | None]] = []

    def teardown_method(self) -> None:
        for link in self._links:
            link.close()
        self.listener.close()
        left = set(threading.enumerate()) - self._threads
        assert not left, f"closing left threads behind: {left}"

    def link(
        self, greeting: Greeting = lambda: [HELLO], on_message: Callable[[FromDriver], None] = lambda message: None
    ) -> Link:
        """A link that is closed after the test."""
        link = self.connect(self.listener, greeting, on_message)
        self._links.append(link)
        return link

    def take(self) -> tuple[Peer, ToDriver | None]:
        """The next that the listener receives."""
        until = monotonic() + PATIENCE_S
        while not self._unread:
            assert monotonic() < until, f"nothing came within {PATIENCE_S:g} s"
            self._unread += self.listener.receive(until - monotonic())
        return self._unread.pop(0)

    def take_messages(self, count: int) -> list[ToDriver | None]:
        """The next so many, without who sent them."""
        return [self.take()[1] for _ in range(count)]

    # --- the tests

    def test_the_greeting_comes_first_and_everything_else_in_the_order_in_which_it_was_sent(self) -> None:
        link = self.link()
        sent = [points(step) for step in range(1000)]
        for message in sent:
            link.send(message)
        assert self.take_messages(1001) == [HELLO, *sent]

    def test_the_link_gets_what_is_sent_to_its_peer_in_order(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        self.link(on_message=got.put)
        peer, hello = self.take()
        assert hello == HELLO
        orders = [RunTrial(trial, 0, {"lr": 0.1, "layers": [64, 32]}) for trial in range(20)]
        for order in orders:
            self.listener.send(peer, order)
        assert [got.get(timeout=PATIENCE_S) for _ in orders] == orders

    def test_every_link_is_a_peer_of_its_own(self) -> None:
        boxes: list[SimpleQueue[FromDriver]] = [SimpleQueue(), SimpleQueue()]
        self.link(lambda: [SupervisorHello("holder", 0, "node-a")], boxes[0].put)
        self.link(lambda: [SupervisorHello("holder", 1, "node-a")], boxes[1].put)
        peers: dict[int, Peer] = {}
        for _ in boxes:
            peer, hello = self.take()
            assert isinstance(hello, SupervisorHello)
            peers[hello.seat] = peer
        assert len(set(peers.values())) == 2
        for seat, peer in peers.items():
            self.listener.send(peer, Enlisted(heartbeat_s=float(seat)))
        assert [box.get(timeout=PATIENCE_S) for box in boxes] == [Enlisted(0.0), Enlisted(1.0)]

    def test_each_thread_may_send_and_its_own_order_is_kept(self) -> None:
        link = self.link()

        def send(trial: int) -> None:
            for step in range(100):
                link.send(points(step, trial))

        threads = [threading.Thread(target=send, args=(trial,)) for trial in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        hello, *got = self.take_messages(401)
        assert hello == HELLO
        for trial in range(4):
            own = [message for message in got if isinstance(message, Metrics) and message.trial == trial]
            assert own == [points(step, trial) for step in range(100)]

    def test_whoever_hangs_up_is_heard_to_the_end_and_then_reported_as_gone(self) -> None:
        link = self.link()
        peer, _ = self.take()
        for step in range(200):
            link.send(points(step))
        link.close()
        assert self.take_messages(201) == [*map(points, range(200)), None]
        self.listener.send(peer, Enlisted(1.0))  # to nobody: no error

    def test_a_peer_that_is_gone_costs_the_others_nothing(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        stays = self.link(on_message=got.put)
        peer_that_stays, _ = self.take()
        goes = self.link()
        peer_that_goes, _ = self.take()
        goes.close()
        assert self.take() == (peer_that_goes, None)
        for _ in range(10):
            self.listener.send(peer_that_goes, Enlisted(0.0))
        self.listener.send(peer_that_stays, Enlisted(1.0))
        assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)
        stays.send(Heartbeat())
        assert self.take() == (peer_that_stays, Heartbeat())

    def test_a_new_connection_is_greeted_again_and_what_is_unanswered_is_said_again_last(self) -> None:
        unanswered: list[ToDriver] = []
        link = self.link(lambda: [HELLO, *unanswered])
        before, _ = self.take()
        self.cut(link)
        assert self.take() == (before, None)

        last_word = Finished(0, 0, 0.9)
        link.send(points(7))
        unanswered.append(last_word)
        link.send(last_word)
        self.mend(link)

        after, hello = self.take()
        assert after != before
        assert hello == HELLO
        said = self.take_messages(1)
        if said == [points(7)]:  # unless it died with the old connection
            said = self.take_messages(1)
        assert said == [last_word]
        link.send(Heartbeat())
        assert self.take() == (after, Heartbeat())

    def test_a_link_that_is_asked_to_greets_again_and_keeps_that_to_itself(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        self.link(lambda: [HELLO, Heartbeat()], got.put)
        (peer, _), _ = self.take(), self.take()
        self.listener.send(peer, Rejoin())
        self.listener.send(peer, Enlisted(1.0))
        assert self.take_messages(2) == [HELLO, Heartbeat()]
        assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)

    def test_a_wait_without_end_is_ended_by_a_wake_from_any_thread(self) -> None:
        thread = threading.Thread(target=self.listener.wake)
        thread.start()
        assert self.listener.receive(inf) == []
        thread.join()

    def test_a_wake_that_comes_before_the_wait_is_not_lost_and_many_are_one(self) -> None:
        for _ in range(1000):
            self.listener.wake()
        assert self.listener.receive(inf) == []
        assert self.listener.receive(0) == []

    def test_closing_twice_and_sending_afterwards_is_silent(self) -> None:
        link = self.link()
        self.take()
        link.close()
        link.close()
        link.send(Heartbeat())
        self.listener.close()
        self.listener.wake()
