"""Workers that come and go while an experiment runs."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.brain.events import TrialFinished, WorkerJoined, WorkerLost
from maggy.config import BaseConfig
from maggy.errors import EngineError, ExperimentDirError, ExperimentFailedError
from maggy.joining import join
from maggy.journal import ExperimentFolder, read
from maggy.ticket import GUEST_SEATS
from maggy.trial import TrialState

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A home for tickets that no other test has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def background(tmp_path):
    with ThreadPoolExecutor(1) as threads:
        yield threads
        (tmp_path / "go").touch()  # whatever a test that fails has left running


class Guest(subprocess.Popen):
    """A process that joins."""

    def __init__(self, folder, **settings):
        code = "import sys; from maggy.joining import join; join(sys.argv[1])"
        super().__init__([sys.executable, "-c", code, str(folder)], stderr=subprocess.PIPE, text=True, **settings)


def until(condition, *alive):
    """Look until it holds."""
    while not condition():
        time.sleep(0.01)
        for process in alive:
            assert process.poll() is None, process.stderr.read()


def wait_for_it(x, reporter, folder):
    """Runs until the file `go` is there; says who runs."""
    import os
    import uuid

    who = Path(folder, f"runs-{reporter.trial_id}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    who.touch()
    try:
        while not Path(folder, "go").exists():
            reporter.broadcast(x)
    finally:
        who.rename(who.with_name(who.name.replace("runs", "ran")))
    return {"Metric": x, "cwd": os.getcwd(), "threads": os.environ["OMP_NUM_THREADS"]}


def running(folder):
    return list(folder.glob("runs-*"))


def joined(folder):
    """How many workers have joined the experiment of a folder so far."""
    return sum(path.read_text().count("WorkerJoined") for path in Path(folder, "journal").rglob("*.jsonl"))


def events_of(result, kind):
    return [record.event for record in read(ExperimentFolder(result.experiment_dir)) if isinstance(record.event, kind)]


def test_a_guest_gets_trials_and_leaves_when_the_experiment_is_over(tmp_path, background):
    folder = str(tmp_path)
    config = search(6, searchspace=X, num_workers=1, es_policy="none", experiment_dir=tmp_path / "run")
    experiment = background.submit(
        lagom, lambda x, reporter: wait_for_it(x, reporter, folder), config, engine="local", verbose=0
    )
    until(lambda: running(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with Guest(tmp_path / "run", cwd=elsewhere, env=environment) as guest:
        until(lambda: len(running(tmp_path)) == 2, guest)
        (tmp_path / "go").touch()
        result = experiment.result()
        assert guest.wait(60) == 0

    assert [trial.state for trial in result.trials] == [TrialState.FINISHED] * 6
    assert {trial.metric_dict["cwd"] for trial in result.trials} == {folder}  # that of the driver
    first, second = events_of(result, WorkerJoined)
    assert first.seat == 0 and second.seat >= GUEST_SEATS
    [of_the_guest] = {t.metric_dict["threads"] for t in result.trials if t.worker == second.worker}
    assert of_the_guest == "1"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_guest_that_goes_returns_its_trial(tmp_path, background, how):
    folder = str(tmp_path)
    config = search(6, searchspace=X, num_workers=1, es_policy="none", experiment_dir=tmp_path / "run")
    experiment = background.submit(
        lagom, lambda x, reporter: wait_for_it(x, reporter, folder), config, engine="local", verbose=0
    )
    until(lambda: running(tmp_path))
    with Guest(tmp_path / "run") as guest:
        until(lambda: len(running(tmp_path)) == 2, guest)
        guest.send_signal(how)
        assert guest.wait(60) == -how
    (tmp_path / "go").touch()
    result = experiment.result()

    assert sorted(trial.trial_id for trial in result.trials) == list(range(6))
    assert sorted(trial.attempt for trial in result.trials) == [0, 0, 0, 0, 0, 1]
    [lost] = events_of(result, WorkerLost)
    assert lost.preempted == (how != signal.SIGKILL)


def test_more_workers_than_trials_wait_until_it_is_over(tmp_path, background):
    folder = str(tmp_path)
    config = search(1, searchspace=X, experiment_dir=tmp_path / "run")
    experiment = background.submit(
        lagom, lambda x, reporter: wait_for_it(x, reporter, folder), config, engine="local", verbose=0
    )
    until(lambda: running(tmp_path))
    with Guest(tmp_path / "run") as one, Guest(tmp_path / "run") as other:
        until(lambda: joined(tmp_path / "run") == 3, one, other)
        (tmp_path / "go").touch()
        assert experiment.result()["num_trials"] == 1
        assert (one.wait(60), other.wait(60)) == (0, 0)


def test_a_guest_leaves_when_its_driver_is_killed_and_a_later_one_is_told(tmp_path):
    script = (
        "import time\n"
        "from pathlib import Path\n"
        "from maggy import lagom\n"
        "from maggy.config import BaseConfig\n"
        "def train():\n"
        "    Path('started').touch()\n"
        "    time.sleep(1000)\n"
        "lagom(train, BaseConfig(experiment_dir='run'), engine='local', verbose=0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) as driver:
        until((tmp_path / "started").exists)
        with Guest(tmp_path / "run") as guest:
            until(lambda: joined(tmp_path / "run") == 2, guest)
            driver.kill()
            assert guest.wait(60) == 0

    with pytest.raises(EngineError, match=r"the driver of '.*run' was killed, so there is nothing to join"):
        join(tmp_path / "run")
    with pytest.raises(EngineError, match=r"no driver of this user runs '.*run'"):  # and the file is gone
        join(tmp_path / "run")


def test_what_lets_a_guest_in_is_private_and_goes_with_the_experiment(tmp_path, background, cache):
    folder = str(tmp_path)
    config = search(1, searchspace=X, experiment_dir=tmp_path / "run")
    experiment = background.submit(
        lagom, lambda x, reporter: wait_for_it(x, reporter, folder), config, engine="local", verbose=0
    )
    until(lambda: running(tmp_path))
    [invitation] = (cache / "maggy/tickets").iterdir()
    assert stat.S_IMODE(invitation.stat().st_mode) == 0o600
    assert stat.S_IMODE(invitation.parent.stat().st_mode) == 0o700
    secret = json.loads(json.loads(invitation.read_text())["ticket"])["secret_key"].encode()
    (tmp_path / "go").touch()
    experiment.result()
    assert list(invitation.parent.iterdir()) == []
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert len(secret) == 40 and secret not in written
    with pytest.raises(EngineError, match=r"is over: its result is there"):
        join(tmp_path / "run")


def test_a_guest_that_cannot_load_the_function_is_told_and_the_experiment_goes_on(tmp_path, background, monkeypatch):
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "only_here.py").write_text("def square(x): return x * x\n")
    monkeypatch.syspath_prepend(modules)
    folder = str(tmp_path)

    class ByName:
        def __reduce__(self):
            return __import__, ("only_here",)

    module = ByName()

    def train(x, reporter):
        assert module.square(2) == 4
        return wait_for_it(x, reporter, folder)

    config = search(2, searchspace=X, num_workers=1, experiment_dir=tmp_path / "run")
    experiment = background.submit(lagom, train, config, engine="local", verbose=0)
    until(lambda: running(tmp_path))
    with Guest(tmp_path / "run") as guest:
        _, err = guest.communicate(timeout=60)
    assert guest.returncode == 1
    assert "EngineError: the worker cannot work here" in err
    assert "ModuleNotFoundError: No module named 'only_here'" in err
    (tmp_path / "go").touch()
    assert experiment.result()["num_trials"] == 2


def test_where_there_is_nothing_to_join_it_says_why(tmp_path):
    with pytest.raises(ExperimentDirError, match="holds no experiment"):
        join(tmp_path)

    folder = str(tmp_path / "inline")

    def train():
        from maggy.joining import join

        join(folder)

    with pytest.raises(ExperimentFailedError, match="runs on the inline engine, which nobody can join"):
        lagom(train, BaseConfig(experiment_dir=folder), engine="inline", verbose=0)


def test_workers_that_join_and_leave_at_random_repeat_no_finished_trial(tmp_path, background):
    """Three guests at most come, are warned or killed in the middle of a trial."""
    folder, chance = str(tmp_path), random.Random(20)

    def train(x, reporter):
        import os
        import time
        import uuid

        Path(folder, f"run-{reporter.trial_id}-{uuid.uuid4().hex}").write_text(os.environ.get("GUEST", ""))
        for step in range(20):
            time.sleep(0.01)
            reporter.broadcast(x, step)
        return x

    def may_go(guest):
        """Whether a guest runs a trial that was not begun before: lost three times, a trial is given up."""
        paths = sorted(tmp_path.glob("run-*"), key=lambda path: path.stat().st_mtime)
        begun = Counter(path.name.split("-")[1] for path in paths)
        own = [path.name.split("-")[1] for path in paths if path.read_text() == guest.name]
        return bool(own) and begun[own[-1]] == 1

    config = search(60, searchspace=X, num_workers=1, es_policy="none", experiment_dir=tmp_path / "run")
    experiment = background.submit(lagom, train, config, engine="local", verbose=0)
    until(lambda: list(tmp_path.glob("run-*")))
    guests, came, gone = [], 0, 0
    over = threading.Event()
    experiment.add_done_callback(lambda _: over.set())
    while not over.wait(chance.uniform(0.05, 0.3)):
        guest = chance.choice(guests) if guests else None
        if len(guests) < 3:
            came += 1
            guests.append(Guest(tmp_path / "run", env={**os.environ, "GUEST": str(came)}))
            guests[-1].name = str(came)
        elif may_go(guest):
            guest.send_signal(chance.choice([signal.SIGTERM, signal.SIGKILL]))
            guest.communicate(timeout=60)
            guests.remove(guest)
            gone += 1
    for guest in guests:
        guest.communicate(timeout=60)
    assert gone > 3
    result = experiment.result()

    assert sorted(trial.trial_id for trial in result.trials) == list(range(60))
    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    undisturbed = lagom(lambda x: x, search(60, searchspace=X), engine="inline", verbose=0)
    assert {t.trial_id: t.final_metric for t in result.trials} == {
        t.trial_id: t.final_metric for t in undisturbed.trials
    }
    finished = [event.trial for event in events_of(result, TrialFinished)]
    assert sorted(finished) == list(range(60))  # none twice
    begun = Counter(int(path.name.split("-")[1]) for path in tmp_path.glob("run-*"))
    assert all(1 <= begun[trial.trial_id] <= trial.attempt + 1 for trial in result.trials)
