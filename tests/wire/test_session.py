"""The bookkeeping of a session: whatever happens to its connections, every message arrives once and in order."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.wire.session import _OVERHEAD_BYTES, ACK_BYTES, ACK_EVERY, WINDOW, Session


class End:
    """One of two ends that say numbers to each other, over a line that loses what is under way when it is cut."""

    def __init__(self) -> None:
        self.session: Session[int] = Session()
        self.said = 0
        self.heard: list[int] = []
        self.inbox: deque[tuple[int, int, int | None]] = deque()
        self.connected = False

    def say(self) -> None:
        self.session.put(self.said, 8)
        self.said += 1

    def push(self, other: End) -> None:
        while self.connected and (item := self.session.peek()) is not None:
            number, content = item
            other.inbox.append((number, self.session.acknowledgement(), content))
            self.session.advance()

    def acknowledge(self, other: End) -> None:
        if self.connected:
            other.inbox.append((0, self.session.acknowledgement(), None))

    def hear(self, *, twice: bool = False) -> None:
        for number, heard, content in [self.inbox.popleft()] * (1 + twice):
            self.session.acknowledged(heard)
            if content is not None and self.session.accept(number, 8):
                self.heard.append(content)


class Line:
    """Two ends."""

    def __init__(self) -> None:
        self.ends = (End(), End())
        self.connect()

    def cut(self) -> None:
        """What is under way is lost."""
        for end in self.ends:
            end.inbox.clear()
            end.connected = False

    def connect(self) -> None:
        self.cut()
        one, two = self.ends
        heard = [end.session.acknowledgement() for end in (one, two)]
        one.session.resume(heard[1])
        two.session.resume(heard[0])
        one.connected = two.connected = True

    def do(self, what: str, side: int) -> None:
        end, other = self.ends[side], self.ends[1 - side]
        match what:
            case "say":
                end.say()
            case "push":
                end.push(other)
            case "hear" | "hear twice":
                if end.inbox:
                    end.hear(twice=what == "hear twice")
            case "settle":
                end.session.settle()
            case "acknowledge":
                end.acknowledge(other)
            case "cut":
                self.cut()
            case "connect":
                self.connect()


ACTIONS = ["say", "say", "say", "push", "push", "hear", "hear", "hear twice", "settle", "acknowledge", "cut", "connect"]


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1)), max_size=200))
@settings(deadline=None, max_examples=300)
def test_whatever_is_lost_or_comes_twice_everything_arrives_once_and_in_order(actions):
    line = Line()
    for what, side in actions:
        line.do(what, side)
        for end, other in (line.ends, line.ends[::-1]):
            assert end.heard == list(range(len(end.heard)))
            # Nothing is forgotten that the other side has not dealt with.
            assert end.session._first <= other.session._dealt + 1

    line.connect()
    for _ in range(4):
        for side in (0, 1):
            line.do("push", side)
            while line.ends[1 - side].inbox:
                line.ends[1 - side].hear()
            line.do("settle", 1 - side)
            line.do("acknowledge", 1 - side)
    while any(end.inbox for end in line.ends):
        for end in line.ends:
            if end.inbox:
                end.hear()
    for end, other in (line.ends, line.ends[::-1]):
        assert end.heard == list(range(other.said))
        assert (end.session.size, end.session.unsent) == (0, False)


def test_no_more_than_a_window_is_under_way():
    line = Line()
    one, two = line.ends
    for _ in range(2 * WINDOW):
        one.say()
    one.push(two)
    assert len(two.inbox) == WINDOW
    assert one.session.unsent
    for _ in range(10):
        two.hear()
    two.session.settle()
    two.acknowledge(one)
    one.hear()
    one.push(two)
    assert len(two.inbox) == WINDOW


def test_what_was_heard_is_acknowledged_only_once_it_was_dealt_with():
    session: Session[int] = Session()
    assert session.accept(1, 8)
    assert session.acknowledgement() == 0
    session.settle()
    assert session.accept(2, 8)
    assert session.acknowledgement() == 1


def test_an_acknowledgement_is_owed_after_so_many_messages_or_so_many_bytes():
    session: Session[int] = Session()
    for number in range(1, ACK_EVERY + 1):
        assert not session.owes
        session.accept(number, 8)
        session.settle()
    assert session.owes
    session.acknowledgement()
    assert not session.owes

    session.accept(ACK_EVERY + 1, ACK_BYTES)
    assert not session.owes  # it is not dealt with
    session.settle()
    assert session.owes
    session.acknowledgement()
    assert not session.owes


def test_its_size_is_what_it_keeps():
    session: Session[int] = Session()
    for _ in range(3):
        session.put(0, 1000)
    assert session.size == 3 * (1000 + _OVERHEAD_BYTES)
    session.acknowledged(2)
    assert session.size == 1000 + _OVERHEAD_BYTES


def test_acknowledgements_and_numbers_that_make_no_sense_change_nothing():
    session: Session[int] = Session()
    session.put(0, 8)
    session.acknowledged(2**64 - 1)
    assert session.size == 0
    session.put(1, 8)
    assert session.peek() == (2, 1)
    assert [session.accept(number, 8) for number in (0, 2, 2**64 - 1, 1, 1)] == [False, False, False, True, False]
