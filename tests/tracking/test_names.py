"""Trackers by name, in processes of their own, and what is left when the experiment is over."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from collections import deque
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from maggy import Searchspace, lagom
from maggy.brain import events as ev
from maggy.chronicle import About
from maggy.config import BaseConfig, HyperparameterOptConfig
from maggy.errors import ConfigError, UnknownNameError
from maggy.journal import Record
from maggy.tracking.apart import Apart
from maggy.tracking.experiment_runs import ExperimentRuns
from maggy.tracking.metric_logger import MetricLogger
from maggy.tracking.names import to_trackers
from maggy.tracking.tracker import Tracker, Tracking, Trackings
from maggy.worker.reporter import Reporter

RAW = {"id": "a", "kind": "HyperparameterOptConfig", "num_trials": 9, "seed": 1, "engine": "inline", "started": 5.0}
RAW |= {"config": {"name": "n", "optimization_key": "loss", "direction": "min", "num_trials": 9}}
ABOUT = About.of("/nowhere", RAW)


class Notes(Tracker):
    def see(self, record) -> None:
        pass


def test_names_and_trackers_may_be_mixed(monkeypatch):
    monkeypatch.setattr("maggy.tracking.names.find_spec", lambda name: ModuleSpec(name, None, origin="here"))
    notes = Notes()
    mixed = to_trackers(["tensorboard", notes, "mlflow:houses"])
    assert [getattr(tracker, "name", "") for tracker in mixed] == ["tensorboard", "", "mlflow"]
    assert mixed[1] is notes and to_trackers(notes) == [notes]
    assert to_trackers(None) == to_trackers([]) == []


@pytest.mark.parametrize(
    ("track", "error", "says"),
    [
        ("mlfow", UnknownNameError, "unknown tracker 'mlfow'. Did you mean 'mlflow'?"),
        ("tensorboard:mine", ConfigError, "takes no name"),
        ([3], ConfigError, "a Tracker, or a list of these, got 3"),
    ],
)
def test_what_is_no_tracker_is_said_before_anything_starts(track, error, says, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maggy.tracking.names.find_spec", lambda name: ModuleSpec(name, None, origin="here"))
    with pytest.raises(error) as raised:
        lagom(lambda: 1.0, track=track)
    assert says in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_service_that_is_not_installed_is_said_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maggy.tracking.names.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"track='mlflow' needs mlflow: pip install 'maggy\[mlflow\]'"):
        lagom(lambda: 1.0, track="mlflow")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_the_name_of_a_service_is_not_taken_for_its_package(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("maggy.tracking.names._SERVICES", ("a_service",))
    (tmp_path / "a_service").mkdir()
    with pytest.raises(ConfigError, match="needs a_service"):
        lagom(lambda: 1.0, track="a_service")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="it works here")
def test_a_service_whose_process_fails_costs_the_experiment_nothing(tmp_path, capsys):
    result = lagom(lambda: 1.0, BaseConfig(experiment_dir=tmp_path / "e"), engine="inline", track=Apart("mlflow"))
    assert result["test result"] == 1.0
    said = capsys.readouterr().err
    assert said.count("mlflow failed: ModuleNotFoundError: No module named 'mlflow'") == 1
    assert "records could not be written" in said


# --- what is left at the end


class Slow(Tracker):
    """Deals with nothing until it is let."""

    def __init__(self) -> None:
        self.let, self.seen, self.left_at = threading.Event(), [], False

    def see(self, record) -> None:
        self.let.wait()
        self.seen.append(record.n)

    def give_up(self) -> None:
        self.left_at = True
        self.let.set()


def records(count):
    return deque(Record(n, 10.0 + n, ev.Exhausted(ask=n)) for n in range(count))


def test_what_is_left_at_the_end_is_said_and_then_written():
    slow, said = Slow(), []

    def say(line):
        said.append(line)
        slow.let.set()  # once the user knows

    with Trackings([Tracking(slow, ABOUT, records(1200), say)], say):
        pass
    assert said == ["Slow: 1,199 records to write. Ctrl-C leaves that out"]
    assert slow.seen == list(range(1200)) and not slow.left_at


def test_ctrl_c_leaves_out_what_is_left_and_keeps_the_result():
    slow, said = Slow(), []

    def say(line):
        said.append(line)
        if "Ctrl-C" in line:
            raise KeyboardInterrupt

    with Trackings([Tracking(slow, ABOUT, records(8), say)], say):
        pass
    assert said[-1] == "Slow: 7 records left out" and slow.left_at
    assert len(slow.seen) <= 1


def test_a_ctrl_c_while_it_waits_leaves_out_what_is_left():
    slow, said = Slow(), []

    def say(line):
        said.append(line)
        if "Ctrl-C" in line:  # from another thread, so that it comes while this one waits
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    with Trackings([Tracking(slow, ABOUT, records(8), say)], say):
        pass
    assert said[-1] == "Slow: 7 records left out" and slow.left_at


def test_nothing_is_said_of_what_is_left_where_nothing_is_to_be_said(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maggy.tracking.tracker._SAY_AFTER_S", 0.0)

    class LateEnd(Notes):
        def end(self):
            threading.Event().wait(0.3)

    lagom(lambda: 1.0, BaseConfig(experiment_dir="e"), engine="inline", track=LateEnd(), verbose=0)
    assert capfd.readouterr() == ("", "")
    lagom(lambda: 1.0, BaseConfig(experiment_dir="f"), engine="inline", track=LateEnd(), verbose=1)
    assert "LateEnd: its last words to write" in capfd.readouterr().err


def test_a_tracker_that_takes_no_attributes_costs_the_experiment_nothing():
    @dataclass(frozen=True)
    class Frozen(Notes):
        x: int = 1

    said = []
    with Trackings([Tracking(Frozen(), ABOUT, records(1), said.append)], said.append):
        pass
    assert "Frozen failed and tracks nothing from here on" in said[0]


def test_a_tracker_that_fails_does_not_tell_a_password():
    class Refused(Notes):
        def begin(self, about):
            raise OSError("http://bob:s3cret@h/ does not answer")

    said = []
    with Trackings([Tracking(Refused(), ABOUT, records(1), said.append)], said.append):
        pass
    assert said == ["Refused failed and tracks nothing from here on: OSError: http://h/ does not answer"]


# --- one interface for all services


class Kept(MetricLogger):
    """Keeps what is written down, of all runs in one list."""

    def __init__(self, log, run="experiment"):
        super().__init__()
        self.log, self.run, self.is_new = log, run, True

    def create_trial(self, trial, name):
        self.note("begins", name)
        return Kept(self.log, name)

    def log_params(self, params):
        self.note("params", dict(params))

    def log_metrics(self, metrics, step=None):
        self.note("metrics", dict(metrics), step)

    def log_metadata(self, metadata):
        self.note("facts", dict(metadata))

    def finish(self, failed=False):
        self.note("failed" if failed else "finished")

    def interrupt(self):
        self.note("interrupted")

    def note(self, *what):
        self.log.append((self.run, self.at, *what))


def written(*events, known=0, new=True):
    log: list = []

    def make():
        logger = Kept(log)
        logger.is_new = new
        return logger

    runs = ExperimentRuns(ABOUT, make, written=known)
    runs.begin(ABOUT)
    for n, event in enumerate(events):
        runs.see(Record(n, 10.0 + n, event))
    runs.end()
    return log


PROMOTED = [
    ev.DriverStarted(epoch=0, num_trials=1, promotes=True),
    ev.WorkerJoined(worker=0, seat=0),
    ev.Suggested(ask=0, trial=0, params={"x": 1}, budget=1.0, resumable=True, origin="random"),
    ev.MetricsReported(trial=0, attempt=0, steps=[0], values=[4.0]),
    ev.TrialFinished(trial=0, attempt=0, metric=4.0, outputs={"loss": 4.0, "size": 7, "kind": "tree", "ok": True}),
    ev.Promoted(ask=1, trial=0, budget=3.0, reason="best of its rung"),
    ev.MetricsReported(trial=0, attempt=1, steps=[1], values=["nan"]),
    ev.TrialFinished(trial=0, attempt=1, metric=2.0),
]


def test_the_commit_of_the_code_is_among_the_facts(monkeypatch):
    monkeypatch.setitem(globals(), "ABOUT", About.of("/", RAW | {"git": {"commit": "4f00d"}, "seed": 1}))
    facts = next(note[3] for note in written(ev.DriverStarted(epoch=0, num_trials=1)) if note[2] == "facts")
    assert facts["maggy.git_commit"] == "4f00d"


def test_a_trial_that_is_promoted_goes_on_in_its_own_run():
    log = [note for note in written(*PROMOTED) if note[0] == "trial 0" or note[2] == "begins"]
    assert log[:5] == [
        ("experiment", 12.0, "begins", "trial 0"),
        ("trial 0", 12.0, "params", {"x": 1}),
        ("trial 0", 13.0, "metrics", {"loss": 4.0}, 0),
        ("trial 0", 14.0, "metrics", {"final_loss": 4.0, "size": 7.0}, None),
        ("trial 0", 14.0, "facts", {"maggy.state": "finished", "maggy.origin": "random", "maggy.budget": 1.0}),
    ]
    assert log[5:8] == [
        ("trial 0", 14.0, "finished"),
        ("experiment", 15.0, "begins", "trial 0"),
        ("trial 0", 15.0, "params", {"x": 1}),
    ]
    assert log[-3:-1] == [
        ("trial 0", 17.0, "metrics", {"final_loss": 2.0}, None),
        ("trial 0", 17.0, "facts", {"maggy.state": "finished", "maggy.origin": "random", "maggy.attempt": 1,
                                    "maggy.budget": 3.0}),
    ]  # fmt: skip


def test_what_was_written_before_is_not_written_again():
    log = written(*PROMOTED, known=5, new=False)
    of_trial = [note[1] for note in log if note[0] == "trial 0"]
    assert min(of_trial) == 15.0
    again = written(*PROMOTED, known=5, new=True)  # the service knows nothing of it: somebody has changed it
    assert min(note[1] for note in again if note[0] == "trial 0") == 12.0


def test_the_commit_that_is_run_is_written_down():
    log: list = []
    about = About.of("/nowhere", RAW | {"git": {"commit": "abc", "changed": False}})
    runs = ExperimentRuns(about, lambda: Kept(log))
    runs.begin(about)
    runs.see(Record(0, 10.0, PROMOTED[0]))
    assert log[1][3]["maggy.git_commit"] == "abc"


def test_a_report_of_an_attempt_that_was_lost_changes_nothing():
    log = written(
        *PROMOTED[:3],
        ev.WorkerLost(worker=0, reason="gone"),
        ev.MetricsReported(trial=0, attempt=0, steps=[0], values=[9.0]),
    )
    assert [note[2] for note in log if note[0] == "trial 0"] == ["params", "interrupted"]
    assert log[-1][2] == "interrupted" and log[-1][0] == "experiment"


# --- the folder for a trial's own events


def test_every_trial_has_a_folder_of_its_own_for_its_events(tmp_path):
    import maggy

    def train(x, reporter):
        assert maggy.tensorboard.logdir() == reporter.logdir
        Path(reporter.logdir, "events").write_text(str(reporter.trial_id))
        return x

    config = HyperparameterOptConfig(
        2, "randomsearch", Searchspace(x=("DOUBLE", [0, 1])), experiment_dir=tmp_path / "e", seed=1
    )
    lagom(train, config, engine="inline", verbose=0)
    for trial in (0, 1):
        assert (tmp_path / "e" / "trials" / str(trial) / "tensorboard" / "events").read_text() == str(trial)


def test_outside_an_experiment_the_folder_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reporter = Reporter()
    assert not list(tmp_path.iterdir())  # made when it is asked for
    assert reporter.logdir.startswith(str(tmp_path / "maggy-runs" / "by-hand"))
    assert reporter.logdir == reporter.logdir
