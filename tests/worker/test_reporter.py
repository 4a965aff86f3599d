"""What a training function may report, and how a stop reaches it."""

from __future__ import annotations

import math
import sys
import threading
from queue import SimpleQueue
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import (
    BroadcastMetricTypeError,
    BroadcastMetricValueError,
    BroadcastStepTypeError,
    BroadcastStepValueError,
    EarlyStopException,
)
from maggy.wire.messages import Log, Metrics
from maggy.worker import reporter as module
from maggy.worker.reporter import Flusher, Reporter

NEVER_S = 1e6
PATIENCE_S = 30


class Desk:
    """Where a reporter sends to; by itself it flushes every `batch_s` seconds."""

    def __init__(self, judge_every: int = 0, batch_s: float = NEVER_S) -> None:
        self.sent: list[Metrics | Log] = []
        self._pace = patch.object(module, "BATCH_S", batch_s)
        self._pace.start()
        self.reporter = Reporter(self.receive, trial=3, attempt=1, judge_every=judge_every)
        self.flusher = Flusher()
        self.flusher.begin(self.reporter)

    def receive(self, message: Metrics | Log) -> None:
        self.sent.append(message)

    def points(self) -> list[tuple[int, float]]:
        """All points that were sent so far, in the order in which they came."""
        return [
            point
            for message in self.sent
            if isinstance(message, Metrics)
            for point in zip(message.steps, message.values, strict=True)
        ]

    def lines(self) -> list[str]:
        return [line for message in self.sent if isinstance(message, Log) for line in message.lines]

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *error: object) -> None:
        self.flusher.close()
        self._pace.stop()


@pytest.fixture
def desk():
    with Desk() as desk:
        yield desk


# --- what can be reported


@pytest.mark.parametrize(
    "metric",
    [0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5), torch.tensor(0.5, requires_grad=True)],
    ids=lambda value: type(value).__name__,
)
def test_a_number_of_any_library_is_a_metric(desk, metric):
    desk.reporter.broadcast(metric)
    desk.reporter.flush()
    assert desk.sent == [Metrics(3, 1, [0], [0.5])]
    assert type(desk.sent[0].values[0]) is float


@pytest.mark.parametrize("metric", [None, "0.5", [0.5], {"loss": 0.5}, np.zeros(2), True, 0.5j])
def test_anything_else_is_an_error_at_the_call_and_is_not_sent(desk, metric):
    with pytest.raises(BroadcastMetricTypeError, match=f"broadcast was given {type(metric).__name__} .*; a metric has"):
        desk.reporter.broadcast(metric)
    desk.reporter.broadcast(0.5)
    desk.reporter.end()
    assert desk.points() == [(0, 0.5)]


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf, np.float64("nan"), torch.tensor(math.inf)])
def test_a_metric_that_is_not_finite_is_sent_to_show_where_training_diverged_and_raises(desk, metric):
    desk.reporter.broadcast(0.5, step=1)
    with pytest.raises(BroadcastMetricValueError, match="at step 2: the training has diverged"):
        desk.reporter.broadcast(metric, step=2)
    desk.reporter.end()
    assert str(desk.points()) == str([(1, 0.5), (2, float(metric))])


def test_steps_count_from_zero_where_none_are_given(desk):
    desk.reporter.broadcast(0.1)
    desk.reporter.broadcast(0.2)
    desk.reporter.broadcast(0.3, step=10)
    desk.reporter.broadcast(0.4)
    desk.reporter.broadcast(0.5, step=11)  # the same step once more
    desk.reporter.end()
    assert desk.points() == [(0, 0.1), (1, 0.2), (10, 0.3), (11, 0.4), (11, 0.5)]


@pytest.mark.parametrize("step", [2, 2.0, np.int64(2), np.float32(2), torch.tensor(2)], ids=repr)
def test_a_whole_number_of_any_library_is_a_step(desk, step):
    desk.reporter.broadcast(0.5, step=step)
    desk.reporter.end()
    assert desk.points() == [(2, 0.5)]
    assert type(desk.sent[0].steps[0]) is int


@pytest.mark.parametrize("step", [1.5, "2", True, math.nan, math.inf, [2], np.zeros(2)], ids=repr)
def test_any_other_step_is_an_error_at_the_call(desk, step):
    with pytest.raises(BroadcastStepTypeError, match="a step has to be a whole number"):
        desk.reporter.broadcast(0.5, step=step)


def test_steps_that_go_back_are_an_error_at_the_call_and_change_nothing(desk):
    with pytest.raises(BroadcastStepValueError, match="given step -1: steps count upwards from 0"):
        desk.reporter.broadcast(0.5, step=-1)
    desk.reporter.broadcast(0.6, step=5)
    with pytest.raises(BroadcastStepValueError, match="step 4 after step 5: steps count upwards from 0"):
        desk.reporter.broadcast(0.7, step=4)
    desk.reporter.broadcast(0.8)
    desk.reporter.end()
    assert desk.points() == [(5, 0.6), (6, 0.8)]
    assert desk.reporter.last == 0.8


# --- every point arrives, in order


@given(
    batches=st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8), max_size=5),
    room=st.integers(1, 4),
)
@settings(deadline=None)
def test_every_point_is_sent_once_and_in_order_however_they_are_batched(batches, room):
    with patch.object(module, "_POINTS_PER_MESSAGE", room), Desk() as desk:
        for batch in batches:
            for metric in batch:
                desk.reporter.broadcast(metric)
            desk.reporter.flush()
        desk.reporter.end()
        assert desk.points() == list(enumerate(metric for batch in batches for metric in batch))
        assert all(1 <= len(message.steps) <= room for message in desk.sent)


def test_points_that_are_reported_while_others_are_sent_keep_their_order():
    interval = sys.getswitchinterval()
    with Desk(batch_s=0.0) as desk:  # another thread flushes all the time
        sys.setswitchinterval(1e-6)
        try:
            for step in range(20_000):
                desk.reporter.broadcast(float(step))
            desk.reporter.end()
        finally:
            sys.setswitchinterval(interval)
        assert desk.points() == [(step, float(step)) for step in range(20_000)]


def test_points_are_sent_after_a_while_though_nobody_asks():
    sent: SimpleQueue = SimpleQueue()
    reporter, flusher = Reporter(sent.put, trial=0), Flusher()
    flusher.begin(reporter)
    reporter.broadcast(0.5)
    assert sent.get(timeout=PATIENCE_S) == Metrics(0, 0, [0], [0.5])
    flusher.close()


def test_what_a_trial_has_left_running_says_nothing_any_more_and_is_stopped(desk):
    reporter = desk.reporter
    assert reporter.trial_id == 3
    reporter.broadcast(0.1, step=7)
    reporter.log("one")
    reporter.end()
    with pytest.raises(EarlyStopException):
        reporter.broadcast(0.2)
    reporter.log("two")
    reporter.flush()
    assert desk.sent == [Metrics(3, 1, [7], [0.1]), Log(3, 1, ["one"])]


def test_closing_ends_the_flushers_thread():
    before = set(threading.enumerate())
    flusher = Flusher()
    assert set(threading.enumerate()) != before
    flusher.close()
    assert set(threading.enumerate()) == before


# --- stopping


def test_a_stop_is_raised_at_the_next_broadcast_with_its_metric(desk):
    desk.reporter.broadcast(0.5)
    desk.reporter.stop(trial=3, attempt=1)
    with pytest.raises(EarlyStopException) as caught:
        desk.reporter.broadcast(0.25)
    assert caught.value.metric == 0.25
    desk.reporter.end()
    assert desk.points() == [(0, 0.5), (1, 0.25)]


def test_a_stop_is_raised_again_for_code_that_swallowed_it(desk):
    desk.reporter.stop(trial=3, attempt=1)
    for metric in (0.5, 0.25):
        with pytest.raises(EarlyStopException):
            desk.reporter.broadcast(metric)


@pytest.mark.parametrize(("trial", "attempt"), [(2, 1), (3, 0)])
def test_a_stop_of_another_trial_or_attempt_stops_nothing(desk, trial, attempt):
    desk.reporter.stop(trial, attempt)
    desk.reporter.broadcast(0.5)


def test_the_end_of_the_experiment_stops_whatever_runs(desk):
    desk.reporter.stop_now()
    with pytest.raises(EarlyStopException):
        desk.reporter.broadcast(0.5)


# --- waiting for a verdict


class Judge:
    """Answers from another thread whatever awaits a verdict."""

    def __init__(self, *, judge_every: int = 1) -> None:
        self.asked: SimpleQueue[int] = SimpleQueue()
        self.told: list[str] = []
        self.clock = 0.0
        self.reporter = Reporter(self.receive, trial=0, judge_every=judge_every)

    def receive(self, message):
        if message.awaits is not None:
            self.asked.put(message.awaits)

    def answer_one(self, *answers):
        """Start a thread that calls these, one after another, once a verdict is awaited."""

        def work():
            step = self.asked.get(timeout=PATIENCE_S)
            self.told.append(f"asked about step {step}")
            for answer in answers:
                answer()

        thread = threading.Thread(target=work)
        thread.start()
        return thread


@pytest.fixture
def judge():
    """A judge with all the time of the world: every step takes an hour, so a verdict is waited for long enough."""
    hours = iter(range(0, 1_000_000, 3600))
    with (
        patch.object(module, "perf_counter", lambda: float(next(hours))),
        patch.object(module, "_WAIT_LIMIT_S", PATIENCE_S),
        patch.object(module, "BATCH_S", NEVER_S),
    ):
        judge = Judge()
        yield judge
        judge.reporter.end()


def test_a_broadcast_that_is_judged_waits_for_the_verdict_and_goes_on(judge):
    def go_on():
        judge.told.append("go on")
        judge.reporter.go_on(trial=0, attempt=0, step=1)

    answering = judge.answer_one(go_on)
    judge.reporter.broadcast(0.5, step=1)
    judge.told.append("returned")
    answering.join()
    assert judge.told == ["asked about step 1", "go on", "returned"]


def test_a_stop_is_raised_by_the_very_broadcast_that_waits_for_it(judge):
    answering = judge.answer_one(lambda: judge.reporter.stop(trial=0, attempt=0))
    with pytest.raises(EarlyStopException) as caught:
        judge.reporter.broadcast(0.5, step=1)
    answering.join()
    assert caught.value.metric == 0.5


def test_an_answer_that_is_late_or_meant_for_another_ends_no_wait(judge):
    still_waiting = []

    def answer(trial, attempt, step):
        judge.reporter.go_on(trial, attempt, step)
        still_waiting.append(not judge.reporter._answered.is_set())

    first = judge.answer_one(lambda: answer(0, 0, 1))
    judge.reporter.broadcast(0.5, step=1)
    first.join()
    second = judge.answer_one(
        lambda: answer(0, 0, 1),  # the verdict of step 1, once more
        lambda: answer(9, 0, 2),
        lambda: answer(0, 9, 2),
        lambda: answer(0, 0, 2),
    )
    judge.reporter.broadcast(0.25, step=2)
    second.join()
    assert still_waiting == [False, True, True, True, False]


def test_the_end_of_the_experiment_ends_the_wait(judge):
    answering = judge.answer_one(judge.reporter.stop_now)
    with pytest.raises(EarlyStopException):
        judge.reporter.broadcast(0.5, step=1)
    answering.join()


def test_a_verdict_that_does_not_come_is_waited_for_only_so_long(judge):
    with patch.object(module, "_WAIT_LIMIT_S", 0.001):
        judge.reporter.broadcast(0.5, step=1)
        judge.reporter.broadcast(0.25, step=2)
    assert [judge.asked.get(), judge.asked.get()] == [1, 2]


def test_only_every_so_many_steps_and_never_the_first_await_a_verdict():
    with Desk(judge_every=3) as desk, patch.object(module, "_ROUND_TRIP_S", NEVER_S):
        for _ in range(8):
            desk.reporter.broadcast(0.5)
            desk.reporter._flushed_at = 0.0  # long ago
        desk.reporter.end()
    assert [message.awaits for message in desk.sent] == [3, 6, None]
    assert [message.steps for message in desk.sent] == [[0, 1, 2, 3], [4, 5, 6], [7]]


def test_steps_that_are_quicker_than_a_verdict_never_wait_and_ask_only_for_the_newest():
    with patch.object(module, "perf_counter", lambda: 1000.0), Desk(judge_every=1) as desk:
        for step in range(1, 6):
            desk.reporter.broadcast(0.5, step=step)
        assert [(message.steps, message.awaits) for message in desk.sent] == [([1], 1)]
        desk.reporter.flush()
        assert [(message.steps, message.awaits) for message in desk.sent[1:]] == [([2, 3, 4, 5], 5)]


def test_of_several_messages_only_the_last_awaits_the_verdict():
    with (
        patch.object(module, "_POINTS_PER_MESSAGE", 2),
        patch.object(module, "perf_counter", lambda: 1000.0),
        Desk(judge_every=5) as desk,
    ):
        for _ in range(6):
            desk.reporter.broadcast(0.5)
        desk.reporter.end()
    assert [(message.steps, message.awaits) for message in desk.sent] == [([0, 1], None), ([2, 3], None), ([4, 5], 5)]


# --- logs


def test_lines_are_logged_in_order_and_in_messages_that_are_not_too_large(desk):
    for number in range(250):
        desk.reporter.log(f"{number:0999}")  # 1,000 characters with its end
    desk.reporter.end()
    assert desk.lines() == [f"{number:0999}" for number in range(250)]
    assert [len(message.lines) for message in desk.sent] == [100, 100, 50]


def test_a_line_that_is_too_long_is_cut_and_halves_of_characters_are_replaced(desk):
    desk.reporter.log("x" * 150_000)
    desk.reporter.log("größe \udc80")
    desk.reporter.end()
    assert [len(line) for line in desk.lines()] == [100_000, 7]
    assert desk.lines()[1] == "größe ?"


def test_a_log_that_is_full_says_so_once_and_takes_no_more():
    with patch.object(module, "_LOG_LIMIT", 1 << 20), Desk() as desk:
        for _ in range(600):
            desk.reporter.log("x" * 1_999)  # 2,000 characters with its end
            desk.reporter.flush()
        desk.reporter.end()
        lines = desk.lines()
        assert lines[:525] == ["x" * 1_999] * 525  # 525 * 2,000 is the first above 2 ** 20
        assert lines[525:] == ["[maggy: the log of this trial is full at 1 MiB; the rest is dropped]"]


# --- a driver that takes nothing


class Jam:
    """A link that is full until it is cleared."""

    def __init__(self) -> None:
        self.full = True
        self.sent: list[Metrics | Log] = []
        self.reporter = Reporter(self.sent.append, trial=3, full=lambda: self.full)

    def in_a_thread(self, work) -> threading.Thread:
        thread = threading.Thread(target=work)
        thread.start()
        return thread


def test_a_trial_waits_while_the_driver_takes_nothing_and_loses_no_point():
    jam = Jam()
    returned = threading.Event()

    def train():
        jam.reporter.broadcast(0.5)
        jam.reporter.flush()
        jam.reporter.broadcast(0.25)  # waits
        returned.set()

    training = jam.in_a_thread(train)
    assert not returned.wait(3 * module._HOLD_S)
    assert jam.sent == []
    jam.full = False
    training.join(PATIENCE_S)
    assert returned.is_set()
    jam.reporter.end()
    assert [(message.steps, message.values) for message in jam.sent] == [([0, 1], [0.5, 0.25])]


def test_a_trial_that_has_ended_waits_until_its_points_are_taken():
    jam = Jam()
    jam.reporter.broadcast(0.5)
    ending = jam.in_a_thread(jam.reporter.end)
    while not jam.reporter._held:
        pass
    jam.full = False
    ending.join(PATIENCE_S)
    assert [message.values for message in jam.sent] == [[0.5]]


def test_a_trial_that_waits_for_the_driver_is_stopped_all_the_same():
    jam = Jam()
    caught = SimpleQueue()

    def train():
        jam.reporter.broadcast(0.5)
        jam.reporter.flush()
        try:
            jam.reporter.broadcast(0.25)
        except EarlyStopException as stop:
            caught.put(stop)

    training = jam.in_a_thread(train)
    while not jam.reporter._held:
        pass
    jam.reporter.stop_now()
    assert caught.get(timeout=PATIENCE_S).metric == 0.25
    training.join()
    jam.reporter.end()
    assert [message.values for message in jam.sent] == [[0.5, 0.25]]


def test_lines_that_the_driver_does_not_take_are_dropped_with_a_note():
    jam = Jam()
    for _ in range(3):
        jam.reporter.log("dropped")
    jam.reporter.flush()
    jam.full = False
    jam.reporter.log("kept")
    jam.reporter.end()
    (log,) = jam.sent
    assert log.lines == ["[maggy: 3 lines were dropped, as the driver did not take them]", "kept"]


# --- by hand


def test_outside_an_experiment_it_prints_what_it_is_told(capsys):
    reporter = Reporter()
    assert reporter.trial_id is None
    reporter.broadcast(0.5)
    reporter.log("a line")
    reporter.broadcast(np.float32(0.25), step=7)
    assert capsys.readouterr().out == "step 0: 0.5\na line\nstep 7: 0.25\n"
    with pytest.raises(BroadcastMetricTypeError):
        reporter.broadcast("0.5")
    assert not [thread for thread in threading.enumerate() if thread.name == "maggy-reporter"]


def test_a_rank_that_holds_goes_on_up_to_the_broadcast_where_all_leave_and_not_beyond():
    with Desk() as desk:
        reporter = desk.reporter
        reporter.broadcast(1.0)
        assert reporter.hold(3, 1) == 1
        reporter.stop(3, 1, 2)
        reporter.broadcast(2.0)
        for _ in range(2):  # whoever catches it meets it again
            with pytest.raises(EarlyStopException):
                reporter.broadcast(3.0)


def test_a_broadcast_that_has_diverged_counts_as_one_though_the_function_may_catch_that():
    with Desk() as desk:
        reporter = desk.reporter
        with pytest.raises(BroadcastMetricValueError):
            reporter.broadcast(math.nan)
        assert reporter.hold(3, 1) == 1
        reporter.stop(3, 1, 2)
        with pytest.raises(BroadcastMetricValueError):
            reporter.broadcast(math.nan)
        with pytest.raises(EarlyStopException):
            reporter.broadcast(math.nan)


# --- steps that are few and long, and functions that do not broadcast


def test_who_waits_for_a_verdict_goes_on_with_it_and_not_before():
    with Desk(judge_every=1) as desk:
        passed = SimpleQueue()

        def train():
            desk.reporter.broadcast(0.5, step=1, wait=True)
            passed.put("went on")

        training = threading.Thread(target=train)
        training.start()
        while not desk.sent:
            pass
        training.join(0.2)  # much longer than a verdict is usually waited for
        assert passed.empty()
        desk.reporter.go_on(3, 1, 1)
        assert passed.get(timeout=PATIENCE_S) == "went on"
        training.join()


def test_who_waits_for_a_verdict_leaves_where_it_is_to_stop():
    with Desk(judge_every=1) as desk:
        caught = SimpleQueue()

        def train():
            try:
                desk.reporter.broadcast(0.5, step=1, wait=True)
            except EarlyStopException as stop:
                caught.put(stop)

        training = threading.Thread(target=train)
        training.start()
        while not desk.sent:
            pass
        desk.reporter.stop(3, 1)
        assert caught.get(timeout=PATIENCE_S).metric == 0.5
        training.join()


class Interrupted(BaseException):
    pass


def test_a_function_that_does_not_broadcast_is_interrupted_by_a_stop(desk):
    begun, caught = threading.Event(), SimpleQueue()

    def forever():
        begun.set()
        while True:
            pass

    def train():
        try:
            desk.reporter.interruptibly(forever, Interrupted)
        except Interrupted:
            caught.put("interrupted")

    training = threading.Thread(target=train)
    training.start()
    begun.wait(PATIENCE_S)
    desk.reporter.stop(3, 1)
    assert caught.get(timeout=PATIENCE_S) == "interrupted"
    training.join()


def test_a_stop_from_before_interrupts_at_once_and_one_from_after_nothing(desk):
    assert desk.reporter.interruptibly(lambda: 5, Interrupted) == 5
    desk.reporter.stop(3, 1)
    for _ in range(100):
        pass  # it would be raised here
    with pytest.raises(Interrupted):
        desk.reporter.interruptibly(lambda: 5, Interrupted)


def test_a_stop_at_the_last_moment_raises_within_or_not_at_all():
    """Whenever it comes, what follows is not hit."""
    for _ in range(300):
        with Desk() as desk:
            stopping = threading.Thread(target=desk.reporter.stop, args=(3, 1))
            stopping.start()
            try:
                assert desk.reporter.interruptibly(lambda: sum(range(50)), Interrupted) == 1225
            except Interrupted:
                pass
            stopping.join()
            sum(range(1000))


def test_what_follows_a_function_that_could_be_interrupted_can_be_profiled(desk):
    assert desk.reporter.interruptibly(lambda: 5, Interrupted) == 5
    calls = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        found = (lambda: 7)()
    finally:
        sys.setprofile(before)
    assert found == 7 and "<lambda>" in calls
