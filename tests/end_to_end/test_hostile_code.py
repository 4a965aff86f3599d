"""Training functions that misbehave: each gets the right state and message, and the others their right results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, conducting, lagom
from maggy.trial import TrialState

INNOCENT = 1_000
"""Metric of a trial that has found everything as it should be."""

# --- what a process survives


def exhausts_memory(reporter):
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (64 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    hoard = []
    size = 1 << 20
    while True:
        try:
            hoard.append(bytearray(size))
        except MemoryError:
            if size == 1:
                raise
            size //= 2


def gets_its_memory_back(reporter):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return 0


def exits(reporter):
    import sys

    sys.exit("enough")


def raises_no_exception(reporter):
    class Strange(BaseException):
        pass

    raise Strange("very")


def raises_what_cannot_be_shown(reporter):
    class UnshowableError(Exception):
        def __str__(self):
            raise SystemExit("no")

        __repr__ = __str__

    raise UnshowableError


def raises_what_no_traceback_can_hold(reporter):
    error = SyntaxError("odd")
    error.lineno, error.text = 1, 5
    raise error


def recurses(reporter):
    return recurses(reporter)


def raises_in_a_destructor(reporter):
    class Fragile:
        def __del__(self):
            raise ValueError("in __del__")

    Fragile()
    return 0


def raises_at_exit(reporter):
    import atexit

    def fail():
        raise SystemExit(7)

    atexit.register(fail)
    return 0


def moves_away(reporter):
    import os

    os.chdir("/")
    return 0


def moves_into_a_folder_that_is_gone(reporter):
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
    return 0


def closes_its_output(reporter):
    import os
    import sys

    sys.stdout.close()
    sys.__stdout__.close()
    sys.__stderr__.close()
    os.close(2)
    return 0


def opens_a_file_in_place_of_its_output(reporter):
    import os

    os.close(1)
    assert os.open("/dev/full", os.O_WRONLY) == 1
    return 0


def has_no_output(reporter):
    import sys

    del sys.stdout
    sys.stderr = None
    return 0


def replaces_its_output(reporter):
    import io
    import sys

    sys.stdout = io.StringIO()
    sys.stdout.close()
    return 0


def blocks_signals(reporter):
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    return 0


def sets_an_alarm(reporter):
    import signal

    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    return 0


def forks_a_child_that_returns(reporter):
    import os

    child = os.fork()
    reporter.broadcast(666 if child == 0 else 0)
    if child == 0:
        print("the child returns", flush=True)
        return 666
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def forks_a_child_that_raises(reporter):
    import os

    child = os.fork()
    if child == 0:
        raise ValueError("in the child")
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def forks_a_child_that_stays(reporter):
    import os
    import time

    if os.fork() == 0:
        while True:
            reporter.broadcast(666)
            time.sleep(0.01)
    return 0


def leaves_threads(reporter):
    import threading

    for _ in range(3):
        threading.Thread(target=threading.Event().wait).start()
    return 0


def changes_python(reporter):
    import gc
    import sys
    import threading
    import warnings

    gc.disable()
    sys.excepthook = threading.excepthook = None
    sys.path.clear()
    warnings.simplefilter("error")
    return 0


SURVIVED = {
    exhausts_memory: "MemoryError",
    gets_its_memory_back: 0,
    exits: "SystemExit: enough",
    raises_no_exception: r".*Strange: very",
    raises_what_cannot_be_shown: r".*UnshowableError.*",
    raises_what_no_traceback_can_hold: "SyntaxError",
    recurses: "RecursionError: maximum recursion depth exceeded.*",
    raises_in_a_destructor: 0,
    raises_at_exit: 0,
    moves_away: 0,
    moves_into_a_folder_that_is_gone: 0,
    closes_its_output: 0,
    opens_a_file_in_place_of_its_output: 0,
    has_no_output: 0,
    replaces_its_output: 0,
    blocks_signals: 0,
    sets_an_alarm: 0,
    forks_a_child_that_returns: 0,
    forks_a_child_that_raises: 1,
    forks_a_child_that_stays: 0,
    leaves_threads: 0,
    changes_python: 0,
}


def look_around(start):
    """An innocent trial, which relies on its surroundings."""
    import os
    import signal
    import sys

    assert os.getcwd() == start
    print("an innocent line")
    print("and another", file=sys.stderr, flush=True)
    assert sys.stdout.encoding and sys.stderr.fileno() == 2
    os.write(1, b"past Python\n")
    os.write(2, b"past Python\n")
    assert callable(signal.getsignal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    return INNOCENT


def test_a_process_survives_it_and_the_next_trial_finds_everything_as_it_should_be(tmp_path):
    start = str(tmp_path)
    culprits = {culprit.__name__: culprit for culprit in SURVIVED}

    def train(case, innocent, reporter):
        import os

        if innocent:
            return {"Metric": look_around(start), "pid": os.getpid()}
        return {"Metric": culprits[case](reporter), "pid": os.getpid()}

    space = Searchspace(case=("CATEGORICAL", list(culprits)), innocent=("CATEGORICAL", [False, True]))
    config = search(1, optimizer="gridsearch", searchspace=space, num_workers=1, es_policy="none")
    result = lagom(train, config, engine="local", verbose=0)

    trials = {(trial.params["case"], trial.params["innocent"]): trial for trial in result.trials}
    assert len(trials) == len(result.trials) == 2 * len(SURVIVED)
    assert {trial.attempt for trial in result.trials} == {0}
    assert len({trial.metric_dict["pid"] for trial in result.trials if trial.metric_dict}) == 1
    for culprit, outcome in SURVIVED.items():
        trial = trials[culprit.__name__, False]
        if isinstance(outcome, str):
            assert trial.state is TrialState.FAILED, culprit
            assert re.fullmatch(outcome, trial.error), (culprit, trial.error)
        else:
            assert (trial.state, trial.final_metric) == (TrialState.FINISHED, outcome), (culprit, trial.error)
        follower = trials[culprit.__name__, True]
        assert (follower.state, follower.final_metric) == (TrialState.FINISHED, INNOCENT), (culprit, follower.error)
        log = Path(result.experiment_dir, f"trials/{follower.trial_id}/output.log").read_text()
        assert log.splitlines() == ["an innocent line", "and another"], culprit
    assert trials["forks_a_child_that_returns", False].num_points == 1
    log = Path(result.experiment_dir, "workers/0.log").read_text()
    assert log.count("past Python\n") == 2 * len(SURVIVED)
    assert "the child returns\n" in log
    assert "ValueError: in the child\n" in log


# --- what kills a process


def crashes():
    import ctypes

    ctypes.string_at(0)


def leaves():
    import os

    os._exit(3)


def leaves_with_its_group():
    import os
    import signal

    os.killpg(0, signal.SIGKILL)


def is_killed_for_memory():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def closes_everything():
    import os

    os.closerange(3, 1024)
    while True:
        pass


KILLED = {
    crashes: "its process was ended by SIGSEGV",
    leaves: "its process ended with exit code 3",
    leaves_with_its_group: r"its process was ended by SIGKILL \(killed, most often for memory\)",
    is_killed_for_memory: r"its process was ended by SIGKILL \(killed, most often for memory\)",
    closes_everything: "its process was ended by SIGABRT",
}


def test_a_process_dies_of_it_three_times_and_the_others_go_on():
    culprits = {culprit.__name__: culprit for culprit in KILLED}

    def train(case):
        return culprits[case]() if case in culprits else INNOCENT

    cases = [case for pair in enumerate(culprits) for case in pair]
    config = search(1, optimizer="gridsearch", searchspace=Searchspace(case=("CATEGORICAL", cases)), num_workers=2)
    result = lagom(train, config, engine="local", verbose=0)

    trials = {trial.params["case"]: trial for trial in result.trials}
    assert len(trials) == len(result.trials) == 2 * len(KILLED)
    for number, (culprit, error) in enumerate(KILLED.items()):
        trial = trials[culprit.__name__]
        assert (trial.state, trial.attempt) == (TrialState.LOST, 2)
        assert re.match(error, trial.error), (culprit, trial.error)
        assert (trials[number].state, trials[number].final_metric) == (TrialState.FINISHED, INNOCENT)


# --- what holds others up


@pytest.mark.parametrize("hold_s", [3, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
def test_code_that_holds_the_interpreter_lock_is_not_taken_for_dead(monkeypatch, hold_s):
    monkeypatch.setattr(conducting, "_LEAST_PATIENCE_S", 1.0)  # a worker that is silent for so long counts as lost

    def train(x, reporter):
        import ctypes

        reporter.broadcast(x)
        if x > 0.5:
            ctypes.PyDLL(None).sleep(hold_s)  # in contrast to CDLL it keeps the lock
        return x

    space = Searchspace(x=("DISCRETE", [0.1, 0.9]))
    config = search(1, optimizer="gridsearch", searchspace=space, num_workers=2, hb_interval=0.05)
    result = lagom(train, config, engine="local", verbose=0)

    assert {trial.params["x"]: (trial.final_metric, trial.attempt) for trial in result.trials} == {
        0.1: (0.1, 0),
        0.9: (0.9, 0),
    }


@pytest.mark.parametrize("megabytes", [50, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("how", ["print", "write", "empty lines"])
def test_a_flood_of_output_is_cut_and_the_other_trials_go_on(megabytes, how):
    def train(case, reporter):
        import os

        if case == "flood":
            for _ in range(megabytes):
                if how == "print":
                    print(("x" * 999 + "\n") * 1000, end="")
                elif how == "write":
                    os.write(1, (b"y" * 999 + b"\n") * 1000)
                else:
                    os.write(1, b"\n" * 1_000_000)
            return 0
        reporter.log(case)
        return INNOCENT

    space = Searchspace(case=("CATEGORICAL", ["flood", *map(str, range(20))]))
    config = search(1, optimizer="gridsearch", searchspace=space, num_workers=2)
    result = lagom(train, config, engine="local", verbose=0)

    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    assert sorted(result["metric_list"]) == [0] + [INNOCENT] * 20
    folder = Path(result.experiment_dir)
    flooded = folder / "trials/0/output.log" if how == "print" else max(folder.glob("workers/*.log"), key=_size)
    assert flooded.stat().st_size < 17 << 20
    *_, last = flooded.read_text().splitlines()
    whose = "the log of this trial" if how == "print" else "this log"
    assert last == f"[maggy: {whose} is full at 16 MiB; the rest is dropped]"
    for trial in result.trials:
        if trial.final_metric == INNOCENT:
            assert (folder / f"trials/{trial.trial_id}/output.log").read_text() == f"{trial.params['case']}\n"


def _size(path):
    return path.stat().st_size
