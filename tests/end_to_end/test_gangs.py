"""Trials that run on several workers each: real processes, and no framework."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from end_to_end.conftest import search
from reliability.processes import descendants, worker_processes

from maggy import Searchspace, lagom
from maggy.brain.events import WorkerLost, WorkersMissing
from maggy.earlystop import ThresholdRule
from maggy.engine.local import LocalEngine
from maggy.errors import ConfigError, ExperimentFailedError, NoWorkersError
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))
NOTHING = {"searchspace": None, "optimizer": "none"}


def gangs(num_trials: int = 1, **settings):
    """A search whose trials run on two workers each."""
    settings = {"searchspace": X, "workers_per_trial": 2, "num_workers": 2, "distributed": "plain", **settings}
    return search(num_trials, **settings)


def log_of(result, trial: int = 0) -> list[str]:
    return (Path(result.experiment_dir) / "trials" / str(trial) / "output.log").read_text().splitlines()


def events_of(result, kind):
    return [record.event for record in read(ExperimentFolder(result.experiment_dir)) if isinstance(record.event, kind)]


def test_every_rank_gets_the_same_configuration_and_the_trial_is_one_line():
    def train(x, seed, context, reporter):
        import os

        print(f"x={x} seed={seed} of {context.size}")
        reporter.broadcast(x + context.rank)
        return {"Metric": x + context.rank, "mean": context.mean(context.rank + 1, 2), "pid": str(os.getpid())}

    result = lagom(train, gangs(5, num_workers=4), engine="local", verbose=0)

    assert len(result.trials) == 5
    for trial in result.trials:
        assert trial.final_metric == pytest.approx(trial.params["x"] + 0.5)
        assert trial.best_metric == pytest.approx(trial.params["x"] + 0.5)
        assert trial.metric_dict["mean"] == 0.75
        told = sorted(log_of(result, trial.trial_id))
        assert [line[:8] for line in told] == ["[rank 0]", "[rank 1]"]
        assert told[0][8:] == told[1][8:]


@pytest.mark.parametrize("how", ["min", "max", "sum", "first"])
def test_the_metrics_of_the_ranks_become_one_as_the_config_says(how):
    def train(context, reporter):
        reporter.broadcast(10.0 * context.rank + 1)
        return 10.0 * context.rank + 1

    result = lagom(train, gangs(combine=how, **NOTHING), engine="local", verbose=0)
    assert result["metric_list"] == [{"min": 1.0, "max": 11.0, "sum": 12.0, "first": 1.0}[how]]


def test_a_stop_comes_at_the_same_step_on_every_rank_and_nothing_dead_locks():
    def train(x, budget, context, reporter):
        step = -1
        try:
            for step in range(int(budget) * 40):
                context.mean(1, 1)  # in lock-step, as a collective keeps the ranks
                reporter.broadcast(x * (step + 1), step=step)
        finally:
            reporter.log(f"left x={x} budget={budget} after step {step}")
        return x

    config = gangs(12, num_workers=4, optimizer="asha", es_policy="median", es_min=2, direction="max")
    result = lagom(train, config, engine="local", verbose=0)

    assert len(result.trials) == 12 and result["failed"] == 0
    assert result["early_stopped"] > 0
    for trial in result.trials:
        left = defaultdict(list)
        for line in log_of(result, trial.trial_id):
            if said := re.match(r"\[rank (\d)\] (left .*)", line):
                left[said[1]].append(said[2])
        assert len(left["0"]) >= 1
        assert left["0"] == left["1"], f"trial {trial.trial_id} did not stop at the same step"


def test_with_first_a_trial_is_stopped_though_only_rank_0_broadcasts():
    def train(x, context, reporter):
        for step in range(300):
            context.mean(1, 1)
            if context.rank == 0:
                reporter.broadcast(x, step=step)
        return x

    config = gangs(2, combine="first", es_policy=ThresholdRule(2.0), es_min=0)  # judges from the second trial on
    result = lagom(train, config, engine="local", verbose=0)
    finished, stopped = result.trials
    assert (finished.state, stopped.state) == (TrialState.FINISHED, TrialState.STOPPED)
    assert (stopped.final_metric, stopped.attempt, stopped.error) == (stopped.params["x"], 0, None)


# --- failures


def disturbed(how: str):
    """A function whose rank 1 does something bad at its first attempt, after the trial has saved a checkpoint."""

    def train(context, reporter):
        import os
        import signal
        import threading

        begun = reporter.load_checkpoint() or 0
        for step in range(begun, 6):
            if step == 3 and begun == 0:
                reporter.save_checkpoint(3, step=2)
                context.mean(1, 1)  # rank 0 has saved
                if context.rank == 1:
                    if how == "kill":
                        os.kill(os.getpid(), signal.SIGKILL)
                    if how == "hang":
                        threading.Event().wait()
                    if how == "raise":
                        raise ValueError("this rank does not feel well")
                    if how == "leave":
                        return 0.0
                    if how == "preempt":
                        os.kill(os.getpid(), signal.SIGTERM)
            context.mean(1, 1)
            reporter.broadcast(step, step=step)
        return {"Metric": 1.0, "begun": begun}

    return train


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("kill", r"rank 1: its process was ended by SIGKILL"),
        ("hang", r"rank 1 did not come to 'mean' within 2 s"),
        ("preempt", r"told to leave \(SIGTERM\)"),
    ],
)
def test_a_gang_that_breaks_goes_on_from_its_checkpoint_on_fresh_workers_and_the_cause_is_named(how, cause):
    config = gangs(collective_timeout_s=2.0 if how == "hang" else 60.0, **NOTHING)
    result = lagom(disturbed(how), config, engine="local", verbose=0)

    [trial] = result.trials
    assert (trial.state, trial.attempt) == (TrialState.FINISHED, 1)
    assert trial.metric_dict["begun"] == 3
    [said] = [line for line in log_of(result) if "attempt 0 is over" in line]
    assert re.search(cause, said)
    assert worker_processes() == []


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("raise", "rank 1: ValueError: this rank does not feel well"),
        ("leave", "rank 0 is at 'mean', rank 1 has returned"),
    ],
)
def test_a_rank_that_fails_fails_the_trial_and_frees_the_others(how, error):
    with pytest.raises(ExperimentFailedError, match=re.escape(error)):
        lagom(disturbed(how), gangs(**NOTHING), engine="local", verbose=0)
    assert worker_processes() == []
    [log] = Path("maggy-runs").rglob("output.log")
    assert error.removeprefix("rank 1: ") in log.read_text()


def test_other_trials_go_on_when_one_gang_fails():
    def train(x, context):
        if x > 0.5 and context.rank == 1:
            raise ValueError("too large")
        context.mean(1, 1)
        return x

    result = lagom(train, gangs(6, num_workers=4, seed=3), engine="local", verbose=0)
    large = [trial for trial in result.trials if trial.params["x"] > 0.5]
    assert 0 < len(large) == result["failed"] < 6
    assert {trial.error for trial in large} == {"rank 1: ValueError: too large"}


def test_ctrl_c_frees_a_gang_that_hangs(tmp_path):
    def train(context):
        import threading

        if context.rank == 1:
            (tmp_path / "hangs").touch()
            threading.Event().wait()
        context.mean(1, 1)

    def interrupt():
        while not (tmp_path / "hangs").exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = lagom(train, gangs(**NOTHING), engine="local", verbose=0)
    thread.join()
    assert result.interrupted and worker_processes() == []


def test_an_experiment_of_gangs_is_resumed_with_gangs():
    def train(x, context):
        return {"Metric": x, "ranks": context.mean(context.size, 1)}

    begun = lagom(train, gangs(3, num_workers=4), engine="local", verbose=0)
    resumed = lagom(resume=begun.experiment_dir, num_trials=5, force=True, verbose=0)

    assert [trial.metric_dict["ranks"] for trial in resumed.trials] == [2.0] * 5
    assert {trial.trial_id: trial.start for trial in begun.trials}.items() <= {
        trial.trial_id: trial.start for trial in resumed.trials
    }.items()


# --- too few workers


class TwoSeats(LocalEngine):
    """An engine that promises more than it has."""

    def launch(self, tickets, resources, on_exit):
        return super().launch(tickets[:2], resources, on_exit)


def test_with_min_workers_a_trial_runs_on_those_that_are_there():
    config = gangs(workers_per_trial=3, num_workers=3, min_workers=2, workers_timeout_s=4.0, **NOTHING)
    result = lagom(lambda context: context.size, config, engine=TwoSeats(), verbose=0)
    assert result["metric_list"] == [2]
    assert [(event.there, event.over) for event in events_of(result, WorkersMissing)] == [(2, True)]


@pytest.mark.parametrize("least", [None, 3])
def test_without_it_or_with_fewer_still_the_experiment_ends_with_what_is_missing(least, capsys):
    config = gangs(workers_per_trial=4, num_workers=4, min_workers=least, workers_timeout_s=4.0, **NOTHING)
    with pytest.raises(NoWorkersError, match="a trial needs 4 workers, and after 4 s there were 2"):
        lagom(lambda context: context.size, config, engine=TwoSeats())
    assert worker_processes() == []
    said = [line for line in capsys.readouterr().err.splitlines() if "a trial needs 4" in line]
    assert [line.partition("there are ")[2] for line in said] == ["2"]


def test_a_trial_that_no_engine_could_ever_run_is_refused_before_anything_starts():
    with pytest.raises(ConfigError, match=r"a trial needs 2 workers \(workers_per_trial\), and there can be 1 here"):
        lagom(lambda context: 1.0, gangs(num_workers=None, **NOTHING), engine="inline", verbose=0)
    assert not Path("maggy-runs").exists()


def test_a_search_whose_trials_need_fresh_processes_runs_inline_where_there_is_but_one():
    pytest.importorskip("jax")
    config = search(3, searchspace=X, distributed="jax")
    result = lagom(lambda x, context: x * context.size, config, engine="inline", verbose=0)
    assert result["metric_list"] == [trial.params["x"] for trial in result.trials]
    assert len(result.trials) == 3


def test_a_gang_loses_no_worker_that_it_does_not_have_to(tmp_path):
    """Processes are reused from trial to trial: nobody starts a framework anew for each."""

    def train(x, context):
        import os

        return {"Metric": x, "pid": float(os.getpid())}

    result = lagom(train, gangs(8, combine="first"), engine="local", verbose=0)
    assert len({trial.metric_dict["pid"] for trial in result.trials}) <= 2
    assert events_of(result, WorkerLost) == []
    assert json.loads((Path(result.experiment_dir) / "result.json").read_text())["num_trials"] == 8
    assert not [command for command in descendants().values() if "maggy.worker" in command]
