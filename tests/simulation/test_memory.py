"""However many trials there are: few of them are in memory, and nobody sees a difference."""

from __future__ import annotations

import pickle
from math import nan

import pytest
from simulation.helpers import search_of

from maggy import simulate
from maggy.driver import advisor
from maggy.optimizer import Asha
from maggy.result import Result
from maggy.resuming import replay_experiment
from maggy.simulation import LearningCurve, Losses

KEPT = 5
SEARCHES = {
    "random": {},
    "median": {"es_policy": "median", "es_min": 3},
    "promotion": {"optimizer": Asha(3, 1, 9, brackets=2)},
    "stopping": {"optimizer": Asha(3, 1, 9, form="stopping")},
    "two objectives": {"optimization_key": ["a", "b"], "direction": ["min", "max"]},
}


def curves(params):
    if params["x"] > 0.9:
        raise OSError("no memory")
    values = [params["x"] + params["y"] / step for step in range(1, 10)]
    others = values[::-1]
    if params["y"] > 0.7:
        values[4:] = [nan] * 5  # fails on its way to a larger budget
    return LearningCurve({"a": values, "b": others, "Metric": values}, 1.0 + params["y"])


def played(name, folder):
    config = search_of(60, **SEARCHES[name])
    lossy = {"losses": Losses(mtbf_s=100.0), "resumes": True, "checkpoint_every": 1}
    return simulate(config, curves, workers=4, seed=5, experiment_dir=folder, **lossy)


def journal_of(folder):
    return next(folder.glob("journal/*.jsonl")).read_bytes()


@pytest.mark.parametrize("name", SEARCHES)
def test_a_result_says_the_same_when_its_trials_have_left_the_memory(name, tmp_path, monkeypatch):
    all_there, few_there = tmp_path / "all", tmp_path / "few"
    whole = played(name, all_there)
    assert isinstance(whole.trials, list) and isinstance(whole.ranked, list)
    monkeypatch.setattr(advisor, "KEPT", KEPT)
    result = played(name, few_there)

    assert journal_of(few_there) == journal_of(all_there)
    assert result.trials.in_memory == KEPT < len(result.trials) == len(whole.trials) == 60
    moved = [checkpointed(trial, all_there, few_there) for trial in whole.trials]
    assert list(result.trials) == moved
    assert name != "promotion" or any("failed on its way" in trial.notes[-1] for trial in moved if trial.notes)
    assert dict(result) == dict(whole) and len(result.failed_trials) == len(whole.failed_trials) > 0
    assert [trial.trial_id for trial in result.ranked] == [trial.trial_id for trial in whole.ranked]
    assert result.best == checkpointed(whole.best, all_there, few_there) and result.best == result.ranked[0]
    assert [trial.trial_id for trial in result.pareto] == [trial.trial_id for trial in whole.pareto]
    assert result._repr_html_() == whole._repr_html_().replace(str(all_there), str(few_there))
    columns = [name for name in result.to_pandas().columns if name != "checkpoint"]
    assert result.to_pandas()[columns].equals(whole.to_pandas()[columns])
    assert dict(Result.load(few_there)) == dict(result)
    assert pickle.loads(pickle.dumps(result.trials)) == moved


@pytest.mark.parametrize("name", ["median", "promotion"])
def test_a_journal_is_replayed_with_as_few_in_memory(name, tmp_path, monkeypatch):
    monkeypatch.setattr(advisor, "KEPT", KEPT)
    result = played(name, tmp_path / "run")
    told, decider = replay_experiment(tmp_path / "run", search_of(60, **SEARCHES[name]))
    assert told.differences == []
    book = decider.advisor.book
    assert list(book.ended) == list(result.trials)
    assert book.ended.in_memory == KEPT and book.finished.in_memory <= KEPT
    assert book.running == {} and decider.brain.live == {}


def test_a_rule_that_reads_trials_has_all_of_them_in_memory(monkeypatch):
    from maggy.earlystop import AbstractEarlyStop

    class Never(AbstractEarlyStop):
        def earlystop_check(self, to_check, finalized_trials, direction):
            assert all(trial.metric_history for trial in finalized_trials)

    monkeypatch.setattr(advisor, "KEPT", KEPT)
    result = simulate(search_of(20, es_policy=Never()), curves, workers=4, seed=5)
    assert isinstance(result.trials, list)


def checkpointed(trial, there, here):
    """The trial with its checkpoint in another folder."""
    if trial.checkpoint is not None:
        trial = pickle.loads(pickle.dumps(trial))
        place = trial.checkpoint.url.replace(str(there), str(here))
        object.__setattr__(trial.checkpoint, "url", place)
    return trial
