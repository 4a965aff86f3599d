"""What the coming and going of connections means for workers."""

from __future__ import annotations

import pytest

from maggy.brain import Brain, Rules
from maggy.brain.events import WorkerJoined, WorkerLost
from maggy.driver.crew import Crew
from maggy.wire.messages import SupervisorHello, WorkerHello


class Ward:
    """A crew and its brain; nobody is asked for trials."""

    def __init__(self) -> None:
        self.brain = Brain(Rules(num_trials=9, patience_s=30, grace_s=10))
        self.crew = Crew(self.brain)

    def supervisor(self, peer: bytes, holder: str = "h0", seat: int = 0, now: float = 0.0) -> None:
        self.crew.greet_supervisor(peer, SupervisorHello(holder, seat, "node-a"), now)

    def greet(self, peer: bytes, holder: str = "h0", seat: int = 0, process: int = 1):
        self.crew.greet_worker(peer, WorkerHello(holder, seat, process, "node-a", 4711))
        return self.crew.member_at(peer)

    def join(self, peer: bytes, now: float = 0.0, **who) -> WorkerJoined:
        joined = self.crew.enrol(self.greet(peer, **who))
        self.brain.handle(joined, now)
        return joined


@pytest.fixture
def ward():
    return Ward()


def test_a_worker_counts_once_it_is_ready_and_is_numbered_in_that_order(ward):
    member = ward.greet(b"p0")
    assert member.number is None
    assert ward.crew.joined == 0
    assert ward.join(b"p1", holder="h1", seat=1) == WorkerJoined(worker=0, seat=1, host="node-a", pid=4711)
    assert ward.crew.enrol(member) == WorkerJoined(worker=1, seat=0, host="node-a", pid=4711)
    assert ward.crew.joined == 2
    assert [ward.crew.peer_of(number) for number in (0, 1, 2)] == [b"p1", b"p0", None]


def test_a_process_that_is_back_on_a_new_connection_is_the_same_worker(ward):
    ward.join(b"w0")
    assert ward.crew.hang_up(b"w0", now=5.0)
    assert ward.brain.is_away(0)
    assert ward.crew.peer_of(0) == b"w0"  # what it is told is kept
    ward.crew.come_back(b"w0", now=8.0)
    assert not ward.brain.is_away(0)
    assert ward.brain.workers[0].heard_at == 8.0


def test_nobody_is_expected_back_on_a_session_of_nobody(ward):
    assert not ward.crew.hang_up(b"stranger", now=5.0)
    ward.supervisor(b"s0")
    ward.join(b"w0")
    ward.crew.process_ended(b"s0", 1)
    assert not ward.crew.hang_up(b"w0", now=5.0)
    assert ward.crew.hang_up(b"s0", now=5.0)


def test_a_supervisors_sign_of_life_is_one_of_its_workers_and_of_no_other(ward):
    ward.supervisor(b"s0")
    ward.join(b"w0")
    ward.join(b"w1", holder="h1", seat=1)
    ward.crew.hear(b"s0", now=20.0)
    ward.crew.hear(b"stranger", now=21.0)
    assert [ward.brain.workers[number].heard_at for number in (0, 1)] == [20.0, 0.0]


def test_a_supervisor_that_hangs_up_takes_its_workers_away_until_it_is_back(ward):
    ward.supervisor(b"s0")
    ward.join(b"w0")
    ward.crew.hang_up(b"s0", now=5.0)
    assert ward.brain.is_away(0)
    assert ward.brain.deadline() == 15.0
    ward.crew.come_back(b"s0", now=8.0)
    assert not ward.brain.is_away(0)


def test_a_process_that_ended_is_known_once_with_what_became_of_its_connection(ward):
    ward.supervisor(b"s0")
    ward.join(b"w0")
    ward.join(b"w1", process=2)
    ward.crew.hang_up(b"w1", now=1.0)
    member, gone = ward.crew.process_ended(b"s0", 1)
    assert (member.number, member.peer, gone) == (0, b"w0", False)
    assert ward.crew.process_ended(b"s0", 1) == (None, False)
    member, gone = ward.crew.process_ended(b"s0", 2)
    assert (member.number, member.peer, gone) == (1, b"w1", True)
    assert ward.crew.peer_of(0) is None
    assert ward.crew.peers == [b"s0"]


def test_a_process_that_ended_before_it_was_ready_or_before_it_said_hello_is_nobodys_loss(ward):
    ward.supervisor(b"s0")
    assert ward.crew.process_ended(b"s0", 1) == (None, False)
    ward.greet(b"w0", process=2)
    member, _ = ward.crew.process_ended(b"s0", 2)
    assert member.number is None
    assert ward.crew.process_ended(b"stranger", 2) == (None, False)
    assert ward.crew.joined == 0


def test_a_worker_replaces_the_one_on_its_seat_only_if_that_one_is_cut_off(ward):
    ward.join(b"w0", holder="h0")
    assert ward.join(b"w1", holder="h1").replaces is None
    ward.crew.hang_up(b"w0", now=5.0)
    assert ward.join(b"w2", holder="h2", now=6.0).replaces == 0


def test_everybody_can_be_reached_whether_connected_or_away(ward):
    ward.supervisor(b"s0")
    ward.join(b"w0")
    ward.greet(b"w1", holder="h1", seat=1)
    everybody = [b"s0", b"w0", b"w1"]
    for peer in everybody:
        assert ward.crew.anyone_here
        ward.crew.hang_up(peer, now=1.0)
    assert not ward.crew.anyone_here
    assert sorted(ward.crew.peers) == everybody


def test_a_supervisors_heartbeat_does_not_keep_a_worker_whose_own_connection_is_broken(ward):
    ward.supervisor(b"s0")
    ward.join(b"p0")
    ward.crew.hang_up(b"p0", now=5.0)
    ward.crew.hear(b"s0", now=14.0)
    assert ward.brain.due(14.9) == []
    assert [event.worker for event in ward.brain.due(15.0)] == [0]


def test_a_worker_that_leaves_is_lost_once_and_its_end_is_no_news(ward):
    ward.supervisor(b"s")
    ward.join(b"p")
    left = WorkerLost(worker=0, reason="told to", preempted=True)
    assert ward.crew.leave(b"p", "told to") == [left]
    assert ward.crew.leave(b"p", "told to") == []
    ward.brain.handle(left, 1.0)
    member, _ = ward.crew.process_ended(b"s", 1)
    assert member.leaves
    assert ward.crew.peer_of(0) is None


def test_a_worker_that_is_not_ready_yet_gives_nothing_back(ward):
    ward.greet(b"p")
    assert ward.crew.leave(b"p", "told to") == []
    assert ward.crew.leave(b"unknown", "told to") == []
