"""The story that a journal tells is the one that the driver has lived through."""

from __future__ import annotations

from dataclasses import fields

import pytest

from maggy import Searchspace, lagom
from maggy.brain.commands import Ending
from maggy.chronicle import Chronicle
from maggy.config import HyperparameterOptConfig
from maggy.journal import ExperimentFolder, Follower
from maggy.optimizer import Asha
from maggy.trial import Trial, TrialState

# What only policies see, or what a driver knows of a stopped trial and the journal tells otherwise.
_OF_THE_DRIVER = {"info_dict", "curve"}


def train(x, budget=None, reporter=None):
    if x > 0.9:
        raise ValueError("too much")
    for step in range(int(budget or 4)):
        reporter.broadcast(x * (step + 1), step)
    return x * int(budget or 4)


def search(folder, train=train, trials=12, **settings):
    config = HyperparameterOptConfig(
        trials,
        settings.pop("optimizer", "randomsearch"),
        Searchspace(x=("DOUBLE", [0.0, 1.0])),
        experiment_dir=folder,
        seed=4,
        **settings,
    )
    return lagom(train, config, engine="inline", verbose=0)


def the_same(told: Trial, lived: Trial) -> None:
    for field in fields(Trial):
        if field.name not in _OF_THE_DRIVER:
            mine, theirs = getattr(told, field.name), getattr(lived, field.name)
            if field.name in ("start", "end", "run_s"):
                assert mine == pytest.approx(theirs)
            else:
                assert mine == theirs, (lived.trial_id, field.name)


@pytest.mark.parametrize("optimizer", ["randomsearch", "asha", "hyperband"])
def test_trials_of_the_folder_are_those_of_the_result(tmp_path, optimizer):
    result = search(tmp_path / "run", optimizer=optimizer, trials=30, es_min=3)
    told = Chronicle.of(tmp_path / "run")
    assert [trial.trial_id for trial in told.ended] == [trial.trial_id for trial in result.trials]
    assert {trial.state for trial in result.trials} >= {TrialState.FINISHED, TrialState.FAILED}
    for trial in result.trials:
        the_same(told.trials[trial.trial_id], trial)
    assert (told.tally.best, told.best.trial_id) == (result["best_val"], result["best_id"])
    assert told.tally.ending is Ending.COMPLETE
    assert told.about.objectives[0].direction == "max"
    assert told.about.space is not None


def test_every_point_is_in_the_curve_and_every_run_in_the_spans(tmp_path):
    search(tmp_path / "run", es_policy="none")
    told = Chronicle.of(tmp_path / "run")
    for trial in told.ended:
        if trial.state is TrialState.FINISHED:
            x = trial.params["x"]
            assert trial.curve.steps == [0, 1, 2, 3]
            assert trial.curve.values == [x, 2 * x, 3 * x, 4 * x]
    assert sorted(span.trial for span in told.spans) == list(range(12))
    assert all(span.end >= span.start and span.state is not None for span in told.spans)
    assert [worker.number for worker in told.workers.values()] == [0]


def test_a_folder_that_is_read_bit_by_bit_tells_the_same(tmp_path):
    search(tmp_path / "run", optimizer="asha", trials=20)
    whole = Chronicle.of(tmp_path / "run")
    bits = Chronicle(whole.about)
    follower = Follower(ExperimentFolder.open(tmp_path / "run"))
    while records := follower.new(limit=7):
        for record in records:
            bits.add(record)
    assert bits.version == whole.version
    assert bits.trials == whole.trials
    assert bits.decisions == whole.decisions


def test_reasons_are_kept_with_their_trial(tmp_path):
    search(tmp_path / "run", optimizer="asha", trials=20)
    told = Chronicle.of(tmp_path / "run")
    promoted = [decision for decision in told.decisions if decision.trial is not None and "promoted" in decision.text]
    assert promoted
    assert all(decision.text.startswith(f"trial {decision.trial}") for decision in promoted)


def test_the_best_is_that_of_the_result_where_a_trial_became_worse_after_its_promotion(tmp_path):
    def train(x, budget):
        return x - (10 if budget > 2 else 0)

    result = search(tmp_path / "e", train, optimizer=Asha(resource_max=4), direction="max")
    chronicle = Chronicle.of(result.experiment_dir)
    assert (chronicle.tally.best_trial, chronicle.tally.best) == (result["best_id"], result["best_val"])
    assert any(trial.rungs[0][1] > result["best_val"] for trial in result.trials)
    assert (chronicle.best.trial_id, chronicle.best.final_metric) == (result["best_id"], result["best_val"])
