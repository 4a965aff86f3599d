"""What every channel between driver and workers must do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from queue import SimpleQueue
from time import monotonic

from maggy.wire.channel import LINK_BYTES, PEER_BYTES, Item, Link, Listener, OnMessage, Peer, Sign
from maggy.wire.messages import (
    MAX_MESSAGE_BYTES,
    Enlisted,
    FromDriver,
    Heartbeat,
    Log,
    Metrics,
    Release,
    RunTrial,
    SupervisorHello,
    ToDriver,
    Welcome,
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

    def connect(self, listener: Listener, on_message: OnMessage) -> Link:
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
        self._unread: list[tuple[Peer, Item]] = []

    def teardown_method(self) -> None:
        for link in self._links:
            link.close()
        self.listener.close()
        left = set(threading.enumerate()) - self._threads
        assert not left, f"closing left threads behind: {left}"

    def link(self, hello: ToDriver = HELLO, on_message: Callable[[FromDriver], None] = lambda message: None) -> Link:
        """A link that has said hello; it is closed after the test."""
        link = self.connect(self.listener, on_message)
        self._links.append(link)
        link.send(hello)
        return link

    def take(self) -> tuple[Peer, Item]:
        """The next that the listener receives."""
        until = monotonic() + PATIENCE_S
        while not self._unread:
            assert monotonic() < until, f"nothing came within {PATIENCE_S:g} s"
            self._unread += self.listener.receive(until - monotonic())
        return self._unread.pop(0)

    def take_messages(self, count: int) -> list[Item]:
        """The next so many, without who sent them."""
        return [self.take()[1] for _ in range(count)]

    def serve_until(self, done: Callable[[], bool]) -> None:
        """Let the listener work; what it receives can be taken later."""
        until = monotonic() + PATIENCE_S
        while not done():
            assert monotonic() < until, f"waited for {PATIENCE_S:g} s"
            self._unread += self.listener.receive(0.005)

    def fill(self, link: Link) -> int:
        """Send until the link is full; how many messages that took."""
        count = 0
        while not link.full:
            link.send(Log(count, 0, ["x" * 100_000]))
            count += 1
        return count

    # --- the tests

    def test_everything_arrives_in_the_order_in_which_it_was_sent(self) -> None:
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
        self.link(SupervisorHello("holder", 0, "node-a"), boxes[0].put)
        self.link(SupervisorHello("holder", 1, "node-a"), boxes[1].put)
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
        assert self.take_messages(201) == [*map(points, range(200)), Sign.GONE]
        self.listener.send(peer, Enlisted(1.0))  # to nobody: no error

    def test_a_peer_that_is_gone_costs_the_others_nothing(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        stays = self.link(on_message=got.put)
        peer_that_stays, _ = self.take()
        goes = self.link()
        peer_that_goes, _ = self.take()
        goes.close()
        assert self.take() == (peer_that_goes, Sign.GONE)
        for _ in range(10):
            self.listener.send(peer_that_goes, Enlisted(0.0))
        self.listener.send(peer_that_stays, Enlisted(1.0))
        assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)
        stays.send(Heartbeat())
        assert self.take() == (peer_that_stays, Heartbeat())

    # --- connections that break

    def test_a_peer_keeps_its_name_and_its_breaks_are_told(self) -> None:
        link = self.link()
        peer, _ = self.take()
        for _ in range(3):
            self.cut(link)
            assert self.take() == (peer, Sign.GONE)
            self.mend(link)
            assert self.take() == (peer, Sign.BACK)
        link.send(points(1))
        assert self.take() == (peer, points(1))

    def test_a_connection_that_breaks_before_anything_was_said_is_nobodys_business(self) -> None:
        link = self.connect(self.listener, lambda message: None)
        self._links.append(link)
        for _ in range(20):
            self._unread += self.listener.receive(0.005)
        self.cut(link)
        for _ in range(20):
            self._unread += self.listener.receive(0.005)
        self.mend(link)
        link.send(HELLO)
        assert self.take()[1] == HELLO

    def test_points_that_were_under_way_when_the_connection_broke_arrive_once_and_in_order(self) -> None:
        link = self.link()
        self.take()
        sent = [points(step) for step in range(600)]
        for message in sent[:300]:
            link.send(message)
        self.cut(link)
        for message in sent[300:]:
            link.send(message)
        self.mend(link)
        got = [item for item in (self.take()[1] for _ in range(602)) if not isinstance(item, Sign)]
        assert got == sent

    def test_an_order_to_a_peer_that_is_away_is_kept_until_it_is_back(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        link = self.link(on_message=got.put)
        peer, _ = self.take()
        orders = [RunTrial(trial, 0, {"lr": 0.1}) for trial in range(600)]
        for order in orders[:300]:
            self.listener.send(peer, order)
        self.cut(link)
        assert self.take() == (peer, Sign.GONE)
        for order in orders[300:]:
            self.listener.send(peer, order)
        self.mend(link)
        assert self.take() == (peer, Sign.BACK)
        self.serve_until(lambda: got.qsize() == len(orders))
        assert [got.get() for _ in orders] == orders

    def test_a_session_that_was_forgotten_gets_nothing_more_and_is_released_when_it_comes_back(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        link = self.link(on_message=got.put)
        peer, _ = self.take()
        self.listener.send(peer, Enlisted(1.0))
        assert got.get(timeout=PATIENCE_S) == Enlisted(1.0)
        self.cut(link)
        assert self.take() == (peer, Sign.GONE)
        self.listener.forget(peer)
        self.listener.forget(peer)  # nobody: no error
        self.listener.send(peer, Enlisted(2.0))
        assert link.error is None
        self.mend(link)
        self.serve_until(lambda: not got.empty())
        assert got.get() == Release(grace_s=0.0)
        assert link.error == "the driver does not know this worker any more"

    def test_signs_of_life_are_not_kept_while_a_connection_is_broken(self) -> None:
        link = self.link()
        peer, _ = self.take()
        self.cut(link)
        assert self.take() == (peer, Sign.GONE)
        for _ in range(10):
            link.send(Heartbeat())
        link.send(points(1))
        self.mend(link)
        assert self.take_messages(2) == [Sign.BACK, points(1)]

    # --- acknowledgements, and what is kept

    def test_what_was_received_is_acknowledged_only_when_the_driver_asks_for_more(self) -> None:
        link = self.link()
        self.take()
        self.fill(link)
        arrived = self.listener.receive(PATIENCE_S)
        while not arrived:
            arrived = self.listener.receive(PATIENCE_S)
        # The driver has this in its hands, and may crash before it has written it down: so the link keeps it all.
        assert link.full
        self._unread += arrived
        self.serve_until(lambda: not link.full)

    def test_a_link_that_was_full_and_cut_has_lost_nothing(self) -> None:
        link = self.link()
        self.take()
        count = self.fill(link)
        self.cut(link)
        self.mend(link)
        got = [item for item in (self.take()[1] for _ in range(count + 2)) if not isinstance(item, Sign)]
        assert [item.trial for item in got if isinstance(item, Log)] == list(range(count))

    def test_a_stream_in_one_direction_is_acknowledged_all_the_same(self) -> None:
        got: SimpleQueue[FromDriver] = SimpleQueue()
        link = self.link(on_message=got.put)
        peer, _ = self.take()
        line = "x" * 100_000
        for number in range(1000):  # 100 MB: more than a link keeps, and nothing is ever answered
            link.send(Log(number, 0, [line]))
            self.serve_until(lambda: not link.full)
        for number in range(3000):  # as much the other way as would cut the peer off
            self.listener.send(peer, RunTrial(number, 0, {"text": line}))
            while got.qsize() < number - 500:
                self._unread += self.listener.receive(0.005)
        self.serve_until(lambda: got.qsize() == 3000)

    def test_a_peer_that_leaves_too_much_unacknowledged_is_cut_off_for_good(self) -> None:
        link = self.link()
        peer, _ = self.take()
        self.cut(link)
        assert self.take() == (peer, Sign.GONE)
        for _ in range(2 * PEER_BYTES // LINK_BYTES):
            self.listener.send(peer, Welcome(bytes(LINK_BYTES)))
        self.mend(link)
        self.serve_until(lambda: link.error is not None)

    def test_a_message_that_is_too_large_is_the_senders_error_and_disturbs_nothing(self) -> None:
        link = self.link()
        self.take()
        refused = False
        try:
            link.send(Log(0, 0, ["x" * (MAX_MESSAGE_BYTES + 1)]))
        except ValueError:
            refused = True
        assert refused
        link.send(points(1))
        assert self.take()[1] == points(1)

    # --- the driver's wait

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
