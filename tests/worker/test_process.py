"""A worker: takes its function once, then trial after trial. Here in a thread of the test, on a channel in memory."""

from __future__ import annotations

import threading

import pytest
from worker.helpers import PATIENCE_S, Boss, shared

from maggy.context.checkpoint import load, save
from maggy.context.data import Files
from maggy.errors import EarlyStopException
from maggy.ticket import INLINE_WORKER, Ticket
from maggy.wire.channel import Sign
from maggy.wire.memory import MemoryListener
from maggy.wire.messages import (
    CheckpointSaved,
    Failed,
    Finished,
    GoOnTrial,
    Log,
    Metrics,
    Ready,
    Release,
    RunTrial,
    Stopped,
    StopTrial,
    Unfit,
    Welcome,
    WorkerHello,
)


@pytest.fixture
def boss():
    """The driver's side; a worker is at work in a thread."""
    threads = set(threading.enumerate())
    listener = MemoryListener()
    ticket = Ticket(address=listener.address, experiment="e", seat=0, entry=INLINE_WORKER)
    worker = threading.Thread(target=ticket.enter, daemon=True)
    worker.start()
    boss = Boss(listener)
    yield boss
    shared.clear()
    worker.join(PATIENCE_S)
    assert not worker.is_alive(), "the worker was not released"
    listener.close()
    assert set(threading.enumerate()) == threads


def ready(boss, function, **parts):
    """The worker, waiting for its first trial."""
    peer, _ = boss.welcome(function, **parts)
    assert boss.hear(Ready) == Ready()
    return peer


# --- one trial after another


def test_a_worker_says_hello_takes_its_function_and_runs_trials_until_it_is_released(boss):
    def train(lr, reporter):
        reporter.broadcast(lr)
        return {"Metric": 2 * lr, "trial": reporter.trial_id}

    peer, hello = boss.take(WorkerHello)
    assert (hello.seat, hello.process) == (0, 0)
    boss._unread.append((peer, hello))
    peer = ready(boss, train)
    for trial, lr in enumerate([0.5, 0.25]):
        boss.tell(peer, RunTrial(trial, 0, {"lr": lr}))
        assert boss.hear(Metrics) == Metrics(trial, 0, [0], [lr])
        assert boss.hear(Finished) == Finished(trial, 0, 2 * lr, {"Metric": 2 * lr, "trial": trial})
    boss.release(peer)


def test_what_a_trial_prints_is_its_log(boss):
    def train(lr, reporter):
        print("printed")
        reporter.log("logged")
        print("no line feed", end="")
        return lr

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 2, {"lr": 0.5}))
    assert boss.hear(Log) == Log(0, 2, ["printed", "logged", "no line feed"])
    assert boss.hear(Finished) == Finished(0, 2, 0.5)
    boss.release(peer)


def test_a_trial_is_stopped_at_its_next_broadcast_with_what_it_reported_last(boss):
    shared.update(reported=threading.Event(), told=threading.Event())

    def train(lr, reporter):
        from worker.helpers import PATIENCE_S, shared

        reporter.broadcast(0.1)
        shared["reported"].set()
        shared["told"].wait(PATIENCE_S)
        reporter.broadcast(0.2)
        return 0.3

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert shared["reported"].wait(PATIENCE_S)
    boss.tell(peer, GoOnTrial(0, 0, 7), StopTrial(0, 0))  # the first answers nothing
    shared["told"].set()
    points = []
    while len(points) < 2:
        points += boss.hear(Metrics).values
    assert points == [0.1, 0.2]
    assert boss.hear(Stopped) == Stopped(0, 0, 0.2)
    boss.release(peer)


def test_a_function_that_ends_its_trial_itself_counts_as_stopped_with_what_it_reported_last(boss):
    def train(lr, reporter):
        if reporter.trial_id == 0:
            reporter.broadcast(0.25)
        raise EarlyStopException(0.5)

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    boss.hear(Metrics)
    assert boss.hear(Stopped) == Stopped(0, 0, 0.25)
    boss.tell(peer, RunTrial(1, 0, {"lr": 0.5}))
    assert boss.hear(Stopped) == Stopped(1, 0, 0.5)
    boss.release(peer)


def test_a_function_that_returns_after_a_callback_has_ended_its_training_counts_as_stopped(boss):
    def train(lr, reporter):
        from maggy.worker.running import running

        assert running() is reporter
        reporter.broadcast(lr)
        reporter.cut_short = reporter.trial_id == 0
        return 2 * lr

    peer = ready(boss, train)
    answers = []
    for trial in (0, 1):
        boss.tell(peer, RunTrial(trial, 0, {"lr": 0.5}))
        assert boss.hear(Metrics).values == [0.5]
        answers.append(boss.take(Stopped, Finished)[1])
    assert answers == [Stopped(0, 0, 0.5), Finished(1, 0, 1.0)]
    boss.release(peer)


# --- trials that fail


def test_an_error_fails_the_trial_with_a_traceback_that_begins_at_the_users_code(boss):
    def train(lr):
        return {}[lr]

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": "high"}))
    failed = boss.hear(Failed)
    assert (failed.trial, failed.attempt, failed.error) == (0, 0, "KeyError: 'high'")
    lines = failed.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(f'{__file__}", line {train.__code__.co_firstlineno + 1}, in train')
    assert lines[-1] == "KeyError: 'high'"
    boss.tell(peer, RunTrial(1, 0, {"lr": "low"}))
    assert boss.hear(Failed).error == "KeyError: 'low'"
    boss.release(peer)


def test_the_same_mistake_has_the_same_signature_whatever_its_message_says(boss):
    def train(lr):
        if lr == "a":
            raise ValueError("another place")
        return {}[lr]

    peer = ready(boss, train)
    signatures = []
    for trial, lr in enumerate(["x", "y", "a"]):
        boss.tell(peer, RunTrial(trial, 0, {"lr": lr}))
        signatures.append(boss.hear(Failed).signature)
    assert signatures[0] == signatures[1] == f"KeyError at {__file__}:{train.__code__.co_firstlineno + 3}"
    assert signatures[2] == f"ValueError at {__file__}:{train.__code__.co_firstlineno + 2}"
    boss.release(peer)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (ValueError("half a character \udc80"), "ValueError: half a character ?"),
        (ValueError("two\nlines"), "ValueError: two\nlines"),
    ],
)
def test_whatever_is_raised_fails_the_trial_and_not_the_worker(boss, error, line):
    def train(lr):
        raise error

    peer = ready(boss, train)
    for trial in range(2):
        boss.tell(peer, RunTrial(trial, 0, {"lr": 0.5}))
        failed = boss.hear(Failed)
        assert (failed.trial, failed.error) == (trial, line)
    boss.release(peer)


def test_a_traceback_that_is_too_long_loses_its_middle(boss):
    def train(lr):
        def go_on(depth):
            exec(f"if {depth}: go_on({depth} - 1)\nelse: raise ValueError('deep down')", {"go_on": go_on})

        go_on(300)

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    text = boss.hear(Failed).traceback
    assert len(text) == 20_000 + len("\n[...]\n")
    assert text.startswith("Traceback") and text.endswith("ValueError: deep down\n")
    boss.release(peer)


def test_a_function_that_returns_no_metric_fails(boss):
    peer = ready(boss, lambda lr: {"loss": lr})
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert boss.hear(Failed).error.endswith("a dict without 'Metric', the optimization_key; its keys are 'loss'")
    boss.release(peer)


def test_points_that_are_not_sent_yet_come_before_the_trials_end(boss):
    def train(lr, reporter):
        for step in range(100):
            reporter.broadcast(lr, step)
        raise ValueError("at the end")

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    steps = []
    while len(steps) < 100:
        steps += boss.hear(Metrics).steps
    assert steps == list(range(100))
    assert boss.hear(Failed).error == "ValueError: at the end"
    boss.release(peer)


def test_another_attempt_of_the_same_trial_is_another_order(boss):
    peer = ready(boss, lambda lr: lr)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}), RunTrial(0, 1, {"lr": 0.5}))
    assert boss.hear(Finished) == Finished(0, 0, 0.5)
    assert boss.hear(Finished) == Finished(0, 1, 0.5)
    boss.release(peer)


# --- checkpoints and the experiment's folder


def test_a_trial_goes_on_from_the_checkpoint_of_its_order_and_says_what_it_saves_also_on_a_new_connection(
    boss, tmp_path
):
    (tmp_path / "experiment.json").write_text('{"id": "e"}')
    save(str(tmp_path / "before"), {"epoch": 4}, 4)

    def train(lr, reporter):
        state = reporter.load_checkpoint()
        reporter.save_checkpoint({"epoch": state["epoch"] + 1})
        return state["epoch"]

    peer, _ = boss.welcome(train, folder=str(tmp_path), experiment="e")
    boss.hear(Ready)
    boss.tell(peer, RunTrial(0, 1, {"lr": 0.5}, 0, str(tmp_path / "before")))
    saved = boss.hear(CheckpointSaved)
    assert (saved.attempt, saved.number, saved.step) == (1, 0, 4)
    assert load(str(tmp_path / "trials/0/checkpoints/1-0")).state == {"epoch": 5}
    assert boss.hear(Finished).metric == 4
    boss.release(peer)


def test_a_worker_that_does_not_see_the_folder_works_and_only_its_checkpoints_fail(boss, tmp_path):
    def train(lr, reporter):
        if lr > 0.3:
            reporter.save_checkpoint({})
        return lr

    peer, _ = boss.welcome(train, folder=str(tmp_path), experiment="e")
    boss.hear(Ready)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}), RunTrial(1, 0, {"lr": 0.25}))
    error = boss.hear(Failed).error
    assert "cannot see the experiment's folder" in error and "Set experiment_dir" in error
    assert boss.hear(Finished).metric == 0.25
    boss.release(peer)


def test_a_worker_that_does_not_see_the_folder_is_unfit_where_its_data_lie_there(boss, tmp_path):
    table = Files(f"{tmp_path}/data/train_set")
    peer, _ = boss.welcome(lambda lr: lr, folder=str(tmp_path), experiment="e", fixed={"train_set": table})
    assert boss.hear(Unfit).error.startswith("maggy.errors.ExperimentDirError: the worker on ")
    boss.release(peer)


# --- beginnings and ends


def test_a_function_that_cannot_be_loaded_is_reported_and_the_end_awaited(boss):
    peer, _ = boss.take(WorkerHello)
    boss.tell(peer, Welcome(b"cno_such_module\nfunction\n."))
    unfit = boss.hear(Unfit)
    assert unfit.error == "ModuleNotFoundError: No module named 'no_such_module'"
    assert "unpack" in unfit.traceback
    boss.release(peer)


def test_a_worker_may_be_released_before_it_has_its_function(boss):
    peer, _ = boss.take(WorkerHello)
    boss.tell(peer, Release(1.0))


def test_a_release_stops_the_running_trial_which_is_no_result_and_none_follows(boss):
    shared.update(running=threading.Event(), runs=[])

    def train(lr, reporter):
        from worker.helpers import shared

        shared["runs"].append(reporter.trial_id)
        shared["running"].set()
        while True:
            reporter.broadcast(lr)

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert shared["running"].wait(PATIENCE_S)
    boss.tell(peer, RunTrial(1, 0, {"lr": 0.5}))
    boss.release(peer)
    said = set()
    while (message := boss.take(Metrics, Sign)[1]) is not Sign.GONE:
        said.add((type(message), message.trial))
    assert said == {(Metrics, 0)}
    assert shared["runs"] == [0]


def test_a_trial_that_is_done_when_the_release_comes_is_a_result(boss):
    shared.update(running=threading.Event(), released=threading.Event())

    def train(lr):
        from worker.helpers import PATIENCE_S, shared

        shared["running"].set()
        shared["released"].wait(PATIENCE_S)
        return lr

    peer = ready(boss, train)
    boss.tell(peer, RunTrial(0, 0, {"lr": 0.5}))
    assert shared["running"].wait(PATIENCE_S)
    boss.release(peer)
    shared["released"].set()
    assert boss.hear(Finished) == Finished(0, 0, 0.5)
