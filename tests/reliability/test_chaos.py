"""Workers and what holds them are killed with -9 at random: nothing is lost and nothing counted twice."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median

import pytest
from reliability.processes import Killer, descendants, parent, worker_processes

from maggy import Searchspace, lagom
from maggy.brain import Brain, Rules
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.config import HyperparameterOptConfig
from maggy.journal import ExperimentFolder, read
from maggy.resuming import replay_experiment
from maggy.trial import TrialState

SEED = 5


def train(x, n, reporter):
    import time

    for step in range(n):
        reporter.broadcast(x * step, step)
        time.sleep(0.02)
    return x + n


def search(num_trials, **settings):
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]), n=("INTEGER", [1, 5]))
    settings = {"es_policy": "none", "seed": SEED, "lost_limit": 1000, **settings}
    return HyperparameterOptConfig(num_trials, "randomsearch", space, **settings)


def outcome(result):
    return {trial.trial_id: (trial.state, trial.params, trial.final_metric) for trial in result.trials}


def check(result, undisturbed):
    """Every suggested configuration has ended once, as it would have without any fault; the journal says the same."""
    ids = [trial.trial_id for trial in result.trials]
    assert len(set(ids)) == len(ids)
    assert outcome(result) == outcome(undisturbed)
    events = [record.event for record in read(ExperimentFolder.open(result.experiment_dir))]
    suggested = [event.trial for event in events if isinstance(event, ev.Suggested)]
    assert sorted(suggested) == sorted(ids)
    told, decider = replay_experiment(result.experiment_dir)
    assert told.differences == []
    assert decider.brain.ended == Counter({TrialState.FINISHED: len(ids)})


@dataclass
class Toll:
    """What the faults of an experiment came to. Times are in seconds, from the journal."""

    killed: int
    lost: int
    run_again: int
    seconds: float
    noticed_after: list[float]
    run_again_after: list[float]

    def __str__(self) -> str:
        return (
            f"{self.killed} processes killed (seed {SEED}), {self.lost} losses noticed (after "
            f"{max(self.noticed_after):.2f} s at the latest, median {median(self.noticed_after):.2f} s), "
            f"{self.run_again} trials run again (handed out {max(self.run_again_after):.2f} s after that "
            f"at the latest, median {median(self.run_again_after):.2f} s), every result as undisturbed, "
            f"{self.seconds:.0f} s"
        )


def chaos(num_trials, victims, pause_s, engine, tmp_path):
    undisturbed = lagom(train, search(num_trials, experiment_dir=tmp_path / "a"), engine="inline", verbose=0)
    started = time.monotonic()
    with Killer(victims, pause_s=pause_s, seed=SEED) as killer:
        config = search(num_trials, num_workers=2, experiment_dir=tmp_path / "b")
        result = lagom(train, config, engine=engine, verbose=0)
    seconds = time.monotonic() - started
    check(result, undisturbed)
    brain, fenced_at, lost_at, run_again_after = Brain(Rules()), {}, [], []
    for record in read(ExperimentFolder.open(result.experiment_dir)):
        if isinstance(record.event, ev.WorkerLost):
            lost_at.append(record.t)
        for command in brain.handle(record.event, record.t):
            if isinstance(command, do.Fence):
                fenced_at[command.trial] = record.t
            elif isinstance(command, do.Run) and command.attempt > 0:
                run_again_after.append(record.t - fenced_at[command.trial])
    noticed_after = [min([t - k for k in killer.killed.values() if k <= t], default=0.0) for t in lost_at]
    again = sum(trial.attempt for trial in result.trials)
    return Toll(len(killer.killed), len(lost_at), again, seconds, noticed_after, run_again_after)


def executors():
    """Executors of Spark, and the Python processes in which their tasks run."""
    wanted = ("CoarseGrainedExecutorBackend", "pyspark.daemon", "maggy.worker.guard")
    return [number for number, command in descendants().items() if any(name in command for name in wanted)]


def holders():
    """The worker processes, and the processes of Dask or Ray in which their supervisors run."""
    workers = worker_processes()
    return sorted({*workers, *map(parent, workers)} - {os.getpid(), None})


def test_workers_are_killed_while_trials_run(tmp_path):
    toll = chaos(60, worker_processes, 0.4, "local", tmp_path)
    assert toll.killed >= 3
    assert toll.run_again >= 1


@pytest.mark.parametrize(
    ("engine", "cluster", "victims", "num_trials"),
    [
        pytest.param("spark", "spark", executors, 100, marks=pytest.mark.spark),
        pytest.param("dask", "dask_client", holders, 250, marks=pytest.mark.engines),
        pytest.param("ray", "ray_session", holders, 250, marks=pytest.mark.engines),
    ],
)
def test_hosts_and_workers_are_killed_while_trials_run(engine, cluster, victims, num_trials, request, tmp_path):
    request.getfixturevalue(cluster)  # which the engine finds
    toll = chaos(num_trials, victims, 1.5, engine, tmp_path)
    assert toll.killed >= 1
    assert toll.lost >= 1


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_three_hundred_trials_under_fire(tmp_path, capsys):
    toll = chaos(300, worker_processes, 0.3, "local", tmp_path)
    with capsys.disabled():
        print(f"\nlocal, 300 trials: {toll}")


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.timeout(1800)
def test_three_hundred_trials_under_fire_on_spark(spark, tmp_path, capsys):
    from maggy.engine.spark import SparkEngine

    toll = chaos(300, executors, 1.5, SparkEngine(spark), tmp_path)
    with capsys.disabled():
        print(f"\nspark, 300 trials: {toll}")
