"""Ranks of real trainings are killed with -9, or stopped so that they hang: every trial ends as if nothing had been."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest
import torch
from reliability.processes import Killer, Obituary, worker_processes
from torch import nn

from maggy import Searchspace, lagom
from maggy.brain import Brain, Rules
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.config import HyperparameterOptConfig
from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder, read
from maggy.resuming import replay_experiment
from maggy.trial import TrialState

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SEED = 5
X = torch.randn(320, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
DATA = torch.utils.data.TensorDataset(X, X[:, :2].prod(1, keepdim=True).tanh())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x)


def train(model, train_set, context, reporter, learning_rate):
    """A second or two of short steps, and a checkpoint now and then."""
    torch.manual_seed(0)
    net = model().double()
    optimizer = torch.optim.AdamW(net.parameters(), learning_rate)
    begun, loss = 0, None
    if (state := reporter.load_checkpoint()) is not None:
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        begun, loss = state["epoch"], state["loss"]
    batches = context.loader(train_set, 8, shuffle=True, epoch=begun)
    for epoch in range(begun, 12):
        total = count = 0
        for x, y in batches:
            optimizer.zero_grad()
            error = nn.functional.mse_loss(net(x), y)
            error.backward()
            optimizer.step()
            total += error.item() * len(x)
            count += len(x)
        loss = context.mean(total, count)
        reporter.broadcast(loss, step=epoch)
        done = {"epoch": epoch + 1, "loss": loss}
        reporter.save_checkpoint({"net": net.state_dict(), "optimizer": optimizer.state_dict(), **done})
    return loss


def search(num_trials, folder, **settings):
    return HyperparameterOptConfig(
        num_trials,
        "randomsearch",
        Searchspace(learning_rate=("DOUBLE", [0.001, 0.02])),
        direction="min",
        es_policy="none",
        seed=SEED,
        lost_limit=1000,
        model=Net,
        train_set=DATA,
        experiment_dir=folder,
        **settings,
    )


def events_of(folder):
    return [record.event for record in read(ExperimentFolder.open(folder))]


def ranks(folder):
    """The processes that are ready for trials of an experiment, or run one."""
    try:
        ready = {event.pid for event in events_of(folder) if isinstance(event, ev.WorkerJoined)}
    except ExperimentDirError:  # it has not begun
        return []
    return [number for number in worker_processes() if number in ready]


@dataclass
class Toll:
    """What the faults came to. Times are in seconds since the signal."""

    hit: int = 0
    unprovoked: int = 0
    run_again: int = 0
    trials: int = 0
    starts: list[float] = field(default_factory=list)
    noticed: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    replaced: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"the loss was noticed after {_span(self.noticed)}, all processes of the gang were gone after "
            f"{_span(self.ended)} and new ones ready after {_span(self.replaced)} (undisturbed, a start takes "
            f"{_span(self.starts)}); {self.trials} trials, {self.run_again} of them run again, every result as on one "
            f"worker, every cause named, {self.unprovoked} gangs broken without a victim, no process left"
        )

    def add(self, folder, killed: dict[int, float], ended: dict[int, float]) -> None:
        """Take the faults of an experiment from its journal."""
        brain = Brain(Rules())
        joined: dict[int, ev.WorkerJoined] = {}
        gangs: dict[tuple[int, int], tuple[int, ...]] = {}
        waiting: dict[int, float] = {}  # when the rank was hit whose gang had a seat that is empty since
        begun = 0.0
        for record in read(ExperimentFolder.open(folder)):
            event = record.event
            if isinstance(event, ev.DriverStarted):
                begun = record.t
            elif isinstance(event, ev.WorkerJoined):
                joined[event.worker] = event
                if event.seat in waiting:
                    self.replaced.append(record.t - waiting.pop(event.seat))
                elif not gangs:
                    self.starts.append(record.t - begun)
            for command in brain.handle(event, record.t):
                if isinstance(command, do.Run):
                    gangs[command.trial, command.attempt] = command.gang
                    self.run_again += command.attempt > 0
                elif isinstance(command, do.Fence | do.Replace):
                    gang = [joined[worker] for worker in gangs.pop((command.trial, command.attempt), ())]
                    hits = [killed[member.pid] for member in gang if member.pid in killed]
                    self.unprovoked += bool(gang) and not hits
                    if hits:
                        self.hit += 1
                        self.noticed.append(record.t - hits[0])
                        seen = [ended[member.pid] for member in gang if member.pid in ended]
                        self.ended.append(max(seen) - hits[0])  # one that came after the signal is not watched
                        waiting |= {member.seat: hits[0] for member in gang}


def _span(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s (median; at most {max(seconds):.2f} s)"


def causes(folder, trial: int) -> list[str]:
    log = Path(folder) / "trials" / str(trial) / "output.log"
    said = log.read_text() if log.exists() else ""
    return re.findall(r"^\[maggy\] attempt \d+ is over: (.*)$", said, re.MULTILINE)


def under_fire(config, signum, pause_s, seed):
    """Run an experiment. Its result, and which processes were hit and have ended when."""
    with Obituary() as obituary:

        def victims():
            """One at a time: where all ranks of a gang hang, nobody waits for anybody."""
            found = ranks(config.experiment_dir)
            obituary.watch(found)
            return [] if killer.killed.keys() & found else found

        killer = Killer(victims, pause_s=pause_s, seed=seed, signum=signum)
        with killer:
            result = lagom(train, config, engine="local", verbose=0)
        assert worker_processes() == []
        time.sleep(0.1)  # the last ones are written down
    return result, killer.killed, obituary.ended


def fire(tmp_path, hits, signum, cause, pause_s, **settings):
    """Experiments one after the other, until so many ranks were hit while their gang ran a trial."""
    undisturbed = lagom(train, search(20, tmp_path / "alone"), engine="inline", verbose=0)
    expected = {trial.trial_id: (trial.params, pytest.approx(trial.final_metric)) for trial in undisturbed.trials}
    toll, number = Toll(), 0
    while toll.hit < hits:
        folder = tmp_path / str(number)
        config = search(20, folder, workers_per_trial=2, num_workers=4, **settings)
        result, killed, ended = under_fire(config, signum, pause_s, SEED + number)
        assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
        assert {trial.trial_id: (trial.params, trial.final_metric) for trial in result.trials} == expected
        for trial in result.trials:
            said = causes(folder, trial.trial_id)
            assert len(said) == trial.attempt
            assert [line for line in said if not re.search(cause, line)] == []
        told, _ = replay_experiment(folder)
        assert told.differences == []
        toll.trials += len(result.trials)
        toll.add(folder, killed, ended)
        number += 1
    return toll


def test_fifty_ranks_are_killed(tmp_path, capsys):
    begun = time.monotonic()
    toll = fire(tmp_path, 50, signal.SIGKILL, r"^rank \d: its process was ended by SIGKILL", pause_s=3.0)
    assert toll.unprovoked == 0
    with capsys.disabled():
        print(f"\n{toll.hit} ranks killed with -9 (seed {SEED}): {toll}; {time.monotonic() - begun:.0f} s")


def test_twenty_ranks_hang(tmp_path, capsys):
    begun = time.monotonic()
    cause = r"within 3 s \(collective_timeout_s\)|lost touch with the others"
    toll = fire(tmp_path, 20, signal.SIGSTOP, cause, pause_s=5.0, collective_timeout_s=3.0)
    with capsys.disabled():
        print(f"\n{toll.hit} ranks stopped so that they hang (seed {SEED}): {toll}; {time.monotonic() - begun:.0f} s")
