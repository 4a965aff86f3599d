"""Messages in, messages out: what the driver does with what workers say."""

from __future__ import annotations

import math
from queue import SimpleQueue

import pytest
from driver.helpers import Listed, StopAbove, supervisor, worker

from maggy.brain.events import WorkerLost
from maggy.errors import EngineError, ExperimentFailedError, NoWorkersError
from maggy.journal import read
from maggy.trial import TrialState
from maggy.wire.channel import WrongVersion
from maggy.wire.messages import (
    EndProcess,
    Enlisted,
    Failed,
    Finished,
    GoOnTrial,
    Heartbeat,
    Leaving,
    Log,
    Metrics,
    Output,
    ProcessEnded,
    Ready,
    Release,
    RunTrial,
    Stopped,
    StopTrial,
    Unfit,
    Welcome,
)

PATIENCE_S = 30


def at_work(stage, seat=0, **who):
    """A worker that runs the next trial."""
    connection = worker(stage, seat, **who)
    stage.turn()
    connection.told()
    orders = connection.say(Ready())
    assert [type(order) for order in orders] == [RunTrial]
    return connection


# --- a whole experiment


def test_a_worker_is_welcomed_runs_every_trial_and_is_released(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}), num_trials=2)
    one = worker(stage)
    stage.turn()
    assert one.told() == [stage.welcome]
    assert one.say(Ready()) == [RunTrial(0, 0, {"lr": 0.1})]
    assert one.say(Metrics(0, 0, [0, 1], [0.9, 0.8]), Finished(0, 0, 0.7)) == [RunTrial(1, 0, {"lr": 0.2})]
    assert one.say(Finished(1, 0, 0.6, {"Metric": 0.6})) == [Release(5.0)]
    assert stage.driver.over.is_set()
    assert stage.driver.error is None

    first, second = stage.advisor.book.ended
    assert (first.trial_id, first.params, first.final_metric, first.num_points) == (0, {"lr": 0.1}, 0.7, 2)
    assert (second.final_metric, second.metric_dict, second.worker) == (0.6, {"Metric": 0.6}, 0)
    assert stage.kinds() == [
        "WorkerJoined",
        "Suggested",
        "MetricsReported",
        "TrialFinished",
        "Suggested",
        "TrialFinished",
    ]


def test_whatever_a_worker_is_told_follows_from_what_the_journal_held_before(start):
    stage = start(Listed({"lr": 0.1}))
    when_told = []
    one = worker(stage, hear=lambda message: when_told.append((message, stage.kinds())))
    stage.turn()
    one.say(Ready())
    assert when_told == [
        (stage.welcome, []),
        (RunTrial(0, 0, {"lr": 0.1}), ["WorkerJoined", "Suggested"]),
    ]


def test_two_workers_are_fed_independently(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}))
    one, two = at_work(stage), at_work(stage, seat=1, holder="h1")
    assert two.say(Finished(1, 0, 0.5)) == [RunTrial(2, 0, {"lr": 0.3})]
    assert one.told() == []
    assert [trial.worker for trial in stage.advisor.book.running.values()] == [0, 1]


def test_every_point_is_journalled_with_nan_and_infinity_as_text(start):
    stage = start(Listed({"lr": 0.1}))
    one = at_work(stage)
    one.say(Metrics(0, 0, [1, 2, 3], [0.5, math.nan, -math.inf]))
    event = stage.events()[-1]
    assert (event.steps, event.values) == ([1, 2, 3], [0.5, "nan", "-inf"])
    assert stage.advisor.book.running[0].num_points == 3


def test_what_a_trial_and_what_its_process_say_goes_to_different_files(start):
    stage = start(Listed({"lr": 0.1}))
    chief = supervisor(stage)
    one = at_work(stage)
    one.say(Log(0, 0, ["epoch 1", "epoch 2"]))
    chief.say(Output(["native code says"]))
    one.say(Failed(0, 0, "KeyError: 'x'", "KeyError", "Traceback ...\nKeyError: 'x'\n"))
    assert stage.log("trials/0/output.log") == "epoch 1\nepoch 2\nTraceback ...\nKeyError: 'x'\n"
    assert stage.log("workers/0.log") == "native code says\n"


# --- stopping


def test_a_trial_that_waits_is_told_to_go_on_or_to_stop_with_its_reason_in_the_book(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}), StopAbove(0.5), es_min=0)
    one = worker(stage)
    stage.turn()
    one.told()
    assert one.say(Ready()) == [RunTrial(0, 0, {"lr": 0.1}, judge_every=1)]
    assert one.say(Metrics(0, 0, [1], [0.9], awaits=1)) == [GoOnTrial(0, 0, 1)]  # nobody has finished yet
    one.say(Finished(0, 0, 0.9))
    assert one.say(Metrics(1, 0, [1], [0.4], awaits=1)) == [GoOnTrial(1, 0, 1)]
    assert one.say(Metrics(1, 0, [2], [0.6], awaits=2)) == [StopTrial(1, 0)]
    assert one.say(Stopped(1, 0, 0.6)) == [RunTrial(2, 0, {"lr": 0.3}, judge_every=1)]
    stopped = stage.advisor.book.ended[1]
    assert (stopped.state, stopped.final_metric, stopped.reason) == (TrialState.STOPPED, 0.6, "above 0.5")
    assert (stopped.best_metric, stopped.early_stop) == (0.4, True)


# --- attempts


def test_what_an_older_attempt_reports_is_journalled_and_changes_nothing(start):
    stage = start(Listed({"lr": 0.1}), num_trials=1)
    chief, slow = supervisor(stage), at_work(stage)
    chief.say(ProcessEnded(1, "its process was ended by SIGKILL", ""))
    at_work(stage, process=2)
    trial = stage.advisor.book.running[0]
    assert (trial.attempt, trial.worker) == (1, 1)

    assert slow.say(Metrics(0, 0, [1], [0.1], awaits=1), Finished(0, 0, 0.1)) == []
    assert (trial.num_points, trial.final_metric, trial.state) == (0, None, TrialState.RUNNING)
    assert stage.kinds()[-2:] == ["MetricsReported", "TrialFinished"]
    assert not stage.driver.over.is_set()


def test_points_of_an_attempt_that_was_lost_do_not_count_for_the_next(start):
    stage = start(Listed({"lr": 0.1}), StopAbove(9.0), num_trials=1)
    chief, one = supervisor(stage), at_work(stage)
    one.say(Metrics(0, 0, [1, 2], [0.1, 0.2]))
    chief.say(ProcessEnded(1, "killed", ""))
    two = at_work(stage, process=2)
    two.say(Metrics(0, 1, [1], [0.5]), Finished(0, 1, 0.4))
    (trial,) = stage.advisor.book.ended
    assert (trial.attempt, trial.num_points, trial.best_metric, trial.final_metric) == (1, 1, 0.4, 0.4)
    assert stage.advisor.book.finished[0].values == [0.5]


@pytest.mark.parametrize("leaving_first", [True, False])
def test_a_worker_that_was_told_to_leave_is_preempted_and_lost_once(start, leaving_first):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}), rules={"lost_limit": 1})
    chief = supervisor(stage)
    leaver = at_work(stage, process=1)
    if leaving_first:
        leaver.say(Leaving("told to"))
    chief.say(ProcessEnded(1, "told to", "", preempted=True))
    lost = [event for event in stage.events() if isinstance(event, WorkerLost)]
    assert lost == [WorkerLost(worker=0, reason="told to", preempted=True)]
    assert list(stage.advisor.book.ended) == [], "a preemption is no loss"


def test_a_trial_whose_processes_keep_dying_is_lost_with_the_last_cause(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}), rules={"lost_limit": 2})
    chief = supervisor(stage)
    for process in (1, 2):
        at_work(stage, process=process)
        chief.say(ProcessEnded(process, "its process was ended by SIGSEGV", ""))
    (lost,) = stage.advisor.book.ended
    assert (lost.state, lost.error) == (
        TrialState.LOST,
        "its process was ended by SIGSEGV (worker lost 2 times)",
    )
    assert stage.advisor.book.num_results == 0


# --- connections that break


def test_a_worker_that_comes_back_goes_on_as_if_nothing_had_happened(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}), StopAbove(0.5), es_min=0, num_trials=2, rules={"grace_s": 60.0})
    one = at_work(stage)
    one.link.cut()
    stage.turn()
    assert stage.brain.is_away(0)
    one.link.send(Metrics(0, 0, [1], [0.4]))
    one.link.send(Finished(0, 0, 0.4))
    one.link.mend()
    stage.turn()
    assert not stage.brain.is_away(0)
    assert one.told() == [RunTrial(1, 0, {"lr": 0.2}, judge_every=1)]

    one.link.send(Metrics(1, 0, [1], [0.9], awaits=1))
    one.link.cut()  # with the question under way
    stage.turn()
    one.link.mend()
    stage.turn()
    assert one.told() == [StopTrial(1, 0)]
    assert one.say(Stopped(1, 0, 0.9)) == [Release(5.0)]
    assert stage.kinds().count("MetricsReported") == 2


def test_a_worker_that_was_given_up_and_comes_back_is_sent_away_so_that_a_fresh_one_takes_its_seat(start):
    stage = start(Listed({"lr": 0.1}), rules={"grace_s": 0.0})
    chief, one = supervisor(stage), at_work(stage)
    assert chief.told() == [Enlisted(2.5)]
    chief.link.cut()
    one.link.cut()
    stage.turn()
    assert stage.kinds()[-1] == "WorkerLost"
    assert one.told() == []
    chief.link.mend()
    one.link.mend()
    assert chief.say(Heartbeat()) == [EndProcess(1, 5.0)]  # should it hang
    assert one.told() == [StopTrial(0, 0), Release(5.0)]

    chief.say(ProcessEnded(1, "its process ended with exit code 0", ""))
    fresh = worker(stage, process=2)
    stage.turn()
    assert fresh.told() == [stage.welcome]
    assert fresh.say(Ready()) == [RunTrial(0, 1, {"lr": 0.1})]


def test_a_worker_that_was_given_up_for_its_silence_is_sent_away(start):
    stage = start(Listed({"lr": 0.1}), rules={"patience_s": 0.0})
    supervisor(stage)
    one = worker(stage)
    stage.turn()
    one.told()
    assert one.say(Ready()) == [RunTrial(0, 0, {"lr": 0.1})]
    stage.turn()
    assert one.told() == [StopTrial(0, 0), Release(5.0)]


def test_a_process_that_ended_is_heard_to_the_end_and_then_forgotten(start):
    stage = start(Listed({"lr": 0.1}), num_trials=1)
    chief, one = supervisor(stage), at_work(stage)
    chief.say(ProcessEnded(1, "its process was ended by SIGKILL", ""))
    one.say(Metrics(0, 0, [1], [0.5]))
    assert stage.kinds()[-1] == "MetricsReported"
    one.link.cut()
    stage.turn()
    one.link.mend()
    stage.turn()
    assert one.link.error == "the driver does not know this worker any more"


def test_a_worker_on_a_seat_whose_last_one_is_cut_off_takes_over_at_once(start):
    stage = start(Listed({"lr": 0.1}), rules={"grace_s": 60.0})
    one = at_work(stage, holder="first")
    one.link.cut()
    stage.turn()
    two = worker(stage, holder="second")
    stage.turn()
    two.told()
    assert two.say(Ready()) == [RunTrial(0, 1, {"lr": 0.1})]
    one.link.mend()
    stage.turn()
    assert one.told() == [StopTrial(0, 0), Release(5.0)]


# --- signs of life


def test_a_supervisor_is_told_how_often_to_say_that_it_is_alive_and_keeps_its_worker_alive(start):
    stage = start(Listed({"lr": 0.1}), rules={"patience_s": 60.0})
    chief, _ = supervisor(stage), at_work(stage)
    assert chief.told() == [Enlisted(2.5)]
    before = stage.brain.workers[0].heard_at
    assert chief.say(Heartbeat()) == []
    assert stage.brain.workers[0].heard_at > before


# --- endings


def test_if_nobody_comes_in_time_the_error_says_what_the_engine_offers(start):
    stage = start(Listed({"lr": 0.1}), start_timeout_s=0.0)
    stage.driver.start()
    assert stage.driver.over.wait(PATIENCE_S)
    with pytest.raises(NoWorkersError, match=r"^no worker was ready within 0 s\. The stage has no workers at all\.$"):
        raise stage.driver.error


def test_an_optimizer_that_fails_ends_the_experiment_with_its_error_and_late_workers_are_sent_away(start):
    stage = start(Listed({"lr": 0.1}, ZeroDivisionError("no more ideas")))
    told = []

    def hear(message):
        told.append(message)
        if isinstance(message, Welcome):
            one.link.send(Ready())
        elif isinstance(message, RunTrial):
            one.link.send(Finished(message.trial, message.attempt, 0.5))

    one = worker(stage, hear=hear)
    stage.driver.start()
    assert stage.driver.over.wait(PATIENCE_S)
    with pytest.raises(ZeroDivisionError, match="no more ideas"):
        raise stage.driver.error
    late: SimpleQueue = SimpleQueue()
    worker(stage, seat=1, holder="late", hear=late.put)
    assert late.get(timeout=PATIENCE_S) == Release(2.0)
    assert told == [stage.welcome, RunTrial(0, 0, {"lr": 0.1}), Release(2.0)]


def test_whoever_comes_after_the_end_is_sent_away(start):
    stage = start(Listed({"lr": 0.1}), num_trials=1)
    at_work(stage).say(Finished(0, 0, 0.5))
    late_worker, late_supervisor = worker(stage, holder="late"), supervisor(stage, holder="late")
    stage.turn()
    assert late_worker.told() == [Release(5.0)]
    assert late_supervisor.told() == [Release(5.0)]


def test_an_interrupt_releases_everyone_and_a_trial_that_still_finishes_counts(start):
    stage = start(Listed({"lr": 0.1}, {"lr": 0.2}))
    one, two = at_work(stage), at_work(stage, seat=1, holder="h1")
    stage.driver.interrupt("Ctrl-C")
    stage.turn()
    assert one.told() == two.told() == [Release(2.0)]
    assert stage.driver.error is None
    one.say(Finished(0, 0, 0.5))
    assert [trial.final_metric for trial in stage.advisor.book.ended] == [0.5]
    stage.driver.hurry()
    stage.turn()
    assert one.told() == two.told() == [Release(0.0)]


def test_an_experiment_that_is_over_cannot_be_interrupted(start):
    stage = start(Listed({"lr": 0.1}), num_trials=1)
    at_work(stage).say(Finished(0, 0, 0.5))
    stage.driver.interrupt("lagom is leaving")
    stage.driver.fail(EngineError("the engine has gone"))
    stage.turn()
    assert stage.driver.error is None
    assert stage.kinds()[-1] == "TrialFinished"


def test_an_engine_that_fails_ends_the_experiment_with_its_error(start):
    stage = start(Listed({"lr": 0.1}))
    one, error = at_work(stage), EngineError("all executors are gone\nand more")
    stage.driver.fail(error)
    stage.turn()
    assert stage.driver.error is error
    assert one.told() == [Release(2.0)]
    assert stage.events()[-1].reason == "all executors are gone"


def test_first_trials_that_fail_alike_end_the_experiment_with_their_error(start):
    stage = start(Listed(*[{"lr": 0.1}] * 9), rules={"alike_limit": 2})
    one = at_work(stage)
    for trial in range(2):
        told = one.say(Failed(trial, 0, f"KeyError: {trial}", "KeyError at train.py:3", "Traceback ...\nKeyError"))
    assert told == [Release(2.0)]
    error = stage.driver.error
    assert isinstance(error, ExperimentFailedError)
    assert (error.error, error.traceback, error.failed) == ("KeyError: 0", "Traceback ...\nKeyError", 2)
    assert str(error).startswith(
        "the first 2 trials all failed with the same error, so the experiment was ended: KeyError: 0\nTraceback"
    )


def test_a_function_that_workers_cannot_load_ends_the_experiment(start):
    stage = start(Listed({"lr": 0.1}))
    one = worker(stage)
    stage.turn()
    one.told()
    assert one.say(Unfit("ModuleNotFoundError: No module named 'x'", "Traceback ...")) == [Release(2.0)]
    assert isinstance(stage.driver.error, ExperimentFailedError)
    assert str(stage.driver.error) == (
        "a worker cannot load the training function: ModuleNotFoundError: No module named 'x'\nTraceback ...\n"
        "Whatever it imports has to be installed where the workers run, and its data has to lie where they can read it."
    )


def test_processes_that_die_before_one_was_ready_end_the_experiment_with_what_they_said(start):
    stage = start(Listed({"lr": 0.1}))
    chief = supervisor(stage)
    for process in range(1, 6):
        assert stage.driver.error is None
        chief.say(ProcessEnded(process, "its process ended with exit code 1", "ImportError: no zmq"))
    assert isinstance(stage.driver.error, EngineError)
    assert str(stage.driver.error) == (
        "worker processes die before they can work: its process ended with exit code 1\nImportError: no zmq"
    )


def test_a_worker_of_another_version_ends_an_experiment_that_has_not_begun(start):
    stage = start(Listed({"lr": 0.1}))
    stage.driver._on_wrong_version(b"peer", WrongVersion(theirs=3, ours=2), 0.0)
    assert isinstance(stage.driver.error, EngineError)
    assert str(stage.driver.error) == (
        "a worker speaks version 3 of Maggy's protocol and this driver version 2: "
        "install the same version of Maggy where the workers run"
    )


def test_a_worker_of_another_version_that_comes_later_is_only_refused(start):
    stage = start(Listed({"lr": 0.1}))
    at_work(stage)
    stage.driver._on_wrong_version(b"peer", WrongVersion(theirs=3, ours=2), 0.0)
    assert stage.driver.error is None
    assert not stage.driver.over.is_set()


def test_closing_ends_the_thread_of_an_experiment_that_runs(start):
    stage = start(Listed({"lr": 0.1}))
    stage.driver.start()
    stage.driver.close()
    assert not stage.driver.is_alive()
    assert list(read(stage.folder)) == []
