"""Searches by every optimizer's name, on real workers: promotions, hand-overs, several objectives, studies that end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from end_to_end.conftest import search

from maggy import Searchspace, lagom
from maggy.brain import events as ev
from maggy.earlystop import MedianStoppingRule, n_samples, time_budget
from maggy.errors import ConfigError, SignatureError
from maggy.journal import ExperimentFolder, read
from maggy.optimizer import PBT, Asha, Hyperband, RandomSearch, SuccessiveHalving
from maggy.resuming import replay_experiment
from maggy.trial import TrialState

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


def epochs(x, budget, reporter, folder):
    """Learns one epoch after another, and writes down which."""
    from pathlib import Path

    state = reporter.load_checkpoint() or {"epoch": 0}
    while state["epoch"] < budget:
        state["epoch"] += 1
        with Path(folder, f"{reporter.trial_id}").open("a") as file:
            file.write(f"{state['epoch']} ")
        reporter.broadcast(x + 1 / state["epoch"], step=state["epoch"])
    reporter.save_checkpoint(state)
    return x + 1 / budget


@pytest.fixture
def trained(tmp_path):
    """Where a training writes down its epochs; the function that does, and what came of it."""
    place = tmp_path / "epochs"
    place.mkdir()

    def train(x, budget, reporter):
        return epochs(x, budget, reporter, folder)

    folder = str(place)
    return train, lambda: {int(path.name): path.read_text().split() for path in place.iterdir()}


def of_kind(result, kind):
    return [r.event for r in read(ExperimentFolder.open(result.experiment_dir)) if isinstance(r.event, kind)]


def test_asha_promotes_the_best_from_their_checkpoints_and_says_why(engine, trained):
    train, written = trained
    optimizer = Asha(reduction_factor=3, resource_min=1, resource_max=9)
    result = lagom(train, search(12, optimizer=optimizer, searchspace=X, direction="min"), engine=engine, verbose=0)
    assert result["num_trials"] == len(result.trials) == 12
    assert {trial.budget for trial in result.trials} <= {1, 3, 9}
    for trial in result.trials:
        assert [int(epoch) for epoch in written()[trial.trial_id]] == list(range(1, int(trial.budget) + 1))
        assert trial.num_points == trial.budget
        assert [budget for budget, _ in trial.rungs] == [b for b in (1, 3, 9) if b <= trial.budget]
        assert len(trial.notes) == len(trial.rungs) - 1
    promotions = of_kind(result, ev.Promoted)
    assert len({(p.trial, p.budget) for p in promotions}) == len(promotions) >= 3
    assert all(p.reason.startswith(f"promoted to budget {p.budget:g}") for p in promotions)
    assert result["best_config"] == {**result.best.params, "budget": result.best.budget}
    log = Path(result.experiment_dir, "trials", str(result.best.trial_id), "output.log").read_text()
    assert [line for line in log.splitlines() if "promoted" in line] == [f"[maggy] {n}" for n in result.best.notes]


def test_without_checkpoints_a_promoted_trial_starts_over_with_its_larger_budget():
    def train(x, budget, reporter):
        for epoch in range(1, budget + 1):
            reporter.broadcast(x + 1 / epoch, step=epoch)
        return x + 1 / budget

    optimizer = SuccessiveHalving([(1, 4), (2, 2), (4, 1)])
    result = lagom(train, search(8, optimizer=optimizer, searchspace=X, direction="min"), engine="local", verbose=0)
    assert Counter(trial.budget for trial in result.trials) == {1: 4, 2: 2, 4: 2} or Counter(
        trial.budget for trial in result.trials
    ) == {1: 4, 2: 3, 4: 1}
    for trial in result.trials:
        assert (trial.num_points, trial.final_metric) == (trial.budget, trial.params["x"] + 1 / trial.budget)
    by_x = sorted(result.trials, key=lambda trial: trial.params["x"])
    assert by_x[0].budget == 4


def test_a_function_without_a_budget_is_stopped_at_milestones():
    def train(x, reporter):
        import time

        for epoch in range(1, 28):
            time.sleep(0.005)  # the work of an epoch
            reporter.broadcast(x + 1 / epoch, step=epoch)
        return x

    config = search(20, optimizer=Asha(3, 1, 27), searchspace=X, direction="min", es_policy="none", num_workers=1)
    result = lagom(train, config, engine="local", verbose=0)
    stopped = [trial for trial in result.trials if trial.state is TrialState.STOPPED]
    assert len(stopped) > 8
    assert [trial.reason for trial in stopped if not trial.reason.startswith("asha: ")] == []
    assert max(trial.num_points for trial in stopped) < 27
    best = min(result.trials, key=lambda trial: trial.params["x"])
    assert best.state is TrialState.FINISHED


def test_a_promoted_trial_that_fails_keeps_its_result_and_says_what_happened():
    def train(x, budget):
        if budget > 1:
            raise ValueError("no memory for so large a budget")
        return x

    config = search(6, optimizer=Asha(2, 1, 4), searchspace=X, direction="min")
    result = lagom(train, config, engine="inline", verbose=0)
    assert (result["num_trials"], result["failed"]) == (6, 0)
    failed = [trial for trial in result.trials if trial.error]
    assert failed and all(trial.error == "ValueError: no memory for so large a budget" for trial in failed)
    assert {(trial.state, trial.budget) for trial in result.trials} == {(TrialState.FINISHED, 1)}
    assert result["best_val"] == min(trial.params["x"] for trial in result.trials)


def test_a_member_of_a_population_takes_over_the_state_of_a_better_one(trained):
    def train(x, budget, reporter):
        state = reporter.load_checkpoint() or {"sum": 0.0, "epoch": 0}
        for epoch in range(state["epoch"], int(budget)):
            state = {"sum": state["sum"] + x, "epoch": epoch + 1}
            reporter.broadcast(state["sum"], step=epoch + 1)
        reporter.save_checkpoint(state)
        return state["sum"]

    optimizer = PBT(population=5, interval=2, budget_max=8)
    config = search(5, optimizer=optimizer, searchspace=X, direction="max", num_workers=2, es_policy="none")
    result = lagom(train, config, engine="local", verbose=0)
    children = [trial for trial in result.trials if trial.parent is not None]
    assert children
    by_id = {trial.trial_id: trial for trial in result.trials}
    for child in children:
        parent = by_id[child.parent]
        budget, metric = child.rungs[0]
        own = child.params["x"] * 2
        inherited = [m for b, m in parent.rungs if b == budget - 2]
        assert inherited and metric == pytest.approx(inherited[0] + own)
        assert f"trial {child.parent}" in child.notes[0]


def test_several_objectives_have_a_pareto_set():
    def train(x):
        return {"error": x, "cost": (1 - x) ** 2, "note": "a dict may hold more"}

    config = search(
        12, optimizer="randomsearch", searchspace=X, optimization_key=["error", "cost"], direction=["min", "min"]
    )
    result = lagom(train, config, engine="inline", verbose=0)
    assert result["pareto_ids"] == list(range(12))  # the less of one, the more of the other
    assert result.best.final_metric == min(trial.params["x"] for trial in result.trials)

    def dominated(x):
        return {"error": x, "cost": x}

    result = lagom(dominated, config, engine="inline", verbose=0)
    assert result.pareto == [result.best]


def test_nsga2_searches_the_pareto_front():
    def train(x, n):
        return {"error": x**2 + n, "cost": (x - 1) ** 2 + n}

    config = search(40, optimizer="nsga2", optimization_key=["error", "cost"], direction=["min", "min"])
    result = lagom(train, config, engine="inline", verbose=0)
    assert {trial.params["n"] for trial in result.pareto} == {1}
    assert len(result.pareto) >= 5


def test_one_objective_too_many_is_an_error_before_anything_starts():
    config = search(
        optimizer=PBT(population=4, interval=1, budget_max=2), optimization_key=["a", "b"], direction=["min", "max"]
    )
    with pytest.raises(ConfigError, match="optimises one objective, and there are 2"):
        lagom(lambda x, n, budget: x, config, engine="inline", verbose=0)


def test_a_study_ends_when_its_stopper_says_so_and_what_runs_is_told_to_stop(engine):
    def train(x, n, reporter):
        while reporter.trial_id >= 6:  # those that run when it is over would run for ever
            reporter.broadcast(x)
        return x

    config = search(100, es_policy=MedianStoppingRule() | n_samples(6), num_workers=2)
    result = lagom(train, config, engine=engine, verbose=0)
    ended = [trial for trial in result.trials if trial.state is TrialState.FINISHED]
    assert len(ended) == 6 and len(result.trials) <= 8
    assert all(trial.reason == "6 trials have ended" for trial in result.trials[6:])
    assert [event.reason for event in of_kind(result, ev.StudyStopped)] == [result.study_stopped]
    assert result.study_stopped == "6 trials have ended"


def test_a_time_budget_ends_a_study_in_which_nothing_ever_returns():
    def train(x, n, reporter):
        while True:
            reporter.broadcast(x)

    result = lagom(train, search(es_policy=time_budget(0.5), num_workers=2), engine="local", verbose=0)
    assert {trial.state for trial in result.trials} == {TrialState.STOPPED} and len(result.trials) == 2


def test_models_draw_ahead_and_the_journal_can_be_replayed():
    def train(x, n, reporter):
        import time

        time.sleep(0.05)  # longer than a draw takes
        return (x - 0.3) ** 2 + n

    result = lagom(train, search(25, optimizer="tpe", direction="min", num_workers=2), engine="local", verbose=0)
    origins = Counter(trial.origin for trial in result.trials)
    assert origins["random"] >= 10 and origins["model"] >= 5
    told, _ = replay_experiment(result.experiment_dir)
    assert told.differences == []
    assert told.decisions >= 25


@pytest.mark.parametrize("optimizer", ["tpe", "asha", "hyperband"])
def test_a_search_that_is_killed_goes_on_where_it_was(optimizer, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import os, signal, sys
from pathlib import Path
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig

def {"train(x)" if optimizer == "tpe" else "train(x, budget)"}:
    with Path("runs").open("a") as file:
        file.write(f"{{x}}\\n")
        file.flush()
    if len(Path("runs").read_text().splitlines()) == 16 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x

if __name__ == "__main__":
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    config = HyperparameterOptConfig(
        24, {optimizer!r}, space, direction="min", seed=3, num_workers=1, experiment_dir="run"
    )
    lagom(train, config, engine="inline", verbose=0, resume="run" if sys.argv[1:] else None)
"""
    )
    run = [sys.executable, str(script)]
    assert subprocess.run(run, cwd=tmp_path).returncode == -signal.SIGKILL
    assert subprocess.run([*run, "again"], cwd=tmp_path).returncode == 0
    killed = list(read(ExperimentFolder.open(tmp_path / "run")))
    assert {type(record.event) for record in killed} >= {ev.DriverStarted, ev.TrialFinished}
    (tmp_path / "runs").unlink()
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    (undisturbed / "killed").touch()
    assert subprocess.run(run, cwd=undisturbed).returncode == 0
    assert story(tmp_path / "run") == story(undisturbed / "run")


def story(folder: Path) -> list[object]:
    """What was decided, in order."""
    records = read(ExperimentFolder.open(folder))
    answers = [record.event for record in records if isinstance(record.event, ev.Suggested | ev.Promoted)]
    return [
        (event.trial, event.params, event.origin) if isinstance(event, ev.Suggested) else (event.trial, event.budget)
        for event in answers
    ]


def test_a_promoting_optimizer_needs_a_budget_to_give():
    config = search(optimizer=Hyperband(1, 9, 3), searchspace=X)
    with pytest.raises((ConfigError, SignatureError), match="budget"):
        lagom(lambda x: x, config, engine="inline", verbose=0)


def test_a_pruner_of_the_historical_form_is_a_hyperband():
    config = search(
        9,
        optimizer=RandomSearch(
            pruner="hyperband", pruner_kwargs={"min_budget": 1, "max_budget": 9, "eta": 3, "n_iterations": 2}
        ),
        searchspace=X,
    )
    result = lagom(lambda x, budget: x, config, engine="inline", verbose=0)
    assert {trial.budget for trial in result.trials} <= {1, 3, 9} and len({trial.budget for trial in result.trials}) > 1
