"""A result that is read back from the folder is the one that `lagom` returned."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from maggy import Result, Searchspace, lagom, simulate
from maggy.ablation import AblationStudy
from maggy.config import AblationConfig, BaseConfig, HyperparameterOptConfig
from maggy.errors import ExperimentDirError
from maggy.optimizer import Asha
from maggy.simulation import LearningCurve, Losses
from maggy.trial import Trial

_OF_THE_DRIVER = {"info_dict", "curve", "start", "end", "run_s"}  # what only policies see; the journal rounds times


def train(x: float, budget: float | None = None, reporter: Any = None) -> float:
    if x > 0.9:
        raise ValueError("too much")
    for step in range(int(budget or 4)):
        reporter.broadcast(x * (step + 1), step)
    return x * int(budget or 4)


def search(folder: Path, trials: int = 20, **settings: Any) -> HyperparameterOptConfig:
    settings = {"optimizer": "randomsearch", "seed": 4, "experiment_dir": folder, **settings}
    return HyperparameterOptConfig(trials, searchspace=Searchspace(x=("DOUBLE", [0.0, 1.0])), **settings)


def assert_the_same(loaded: Result, returned: Result) -> None:
    assert dict(loaded) == dict(returned)
    for name in ("experiment_dir", "interrupted", "study_stopped"):
        assert getattr(loaded, name) == getattr(returned, name)
    for mine, its in zip(loaded.trials, returned.trials, strict=True):
        for field in fields(Trial):
            if field.name not in _OF_THE_DRIVER:
                assert getattr(mine, field.name) == getattr(its, field.name), (its.trial_id, field.name)
        assert (mine.start, mine.end) == pytest.approx((its.start, its.end))
    assert [t.trial_id for t in loaded.ranked] == [t.trial_id for t in returned.ranked]
    assert (loaded.best and loaded.best.trial_id) == (returned.best and returned.best.trial_id)


@pytest.mark.parametrize("settings", [{}, {"optimizer": Asha(3, resource_min=1, resource_max=9)}, {"direction": "min"}])
def test_a_search_is_read_back_with_its_failures_promotions_and_stopped_trials(tmp_path, settings):
    returned = lagom(train, search(tmp_path / "run", es_min=3, **settings), engine="inline", verbose=0)
    loaded = Result.load(tmp_path / "run")
    assert returned.failed_trials
    assert_the_same(loaded, returned)
    assert dict(loaded) == json.loads((tmp_path / "run" / "result.json").read_text())


def test_trials_that_were_lost_and_tried_again_are_read_back(tmp_path):
    space = Searchspace(x=("DOUBLE", [0.0, 1.0]))
    config = HyperparameterOptConfig(30, Asha(3, resource_min=1, resource_max=9), space, direction="min")
    returned = simulate(
        config,
        lambda params: LearningCurve([params["x"] + 1 / step for step in range(1, 10)]),
        workers=4,
        seed=3,
        resumes=True,
        losses=Losses(mtbf_s=20),
        experiment_dir=tmp_path / "run",
    )
    assert any(trial.attempt > len(trial.rungs) for trial in returned.trials)
    assert_the_same(Result.load(tmp_path / "run"), returned)


def test_a_single_run_is_read_back(tmp_path):
    returned = lagom(lambda: 0.5, BaseConfig(experiment_dir=tmp_path / "run"), engine="inline", verbose=0)
    assert_the_same(Result.load(tmp_path / "run"), returned)
    assert dict(Result.load(tmp_path / "run")) == {"test result": 0.5}


@pytest.mark.parametrize("ablator", ["loco", "leave-two-out", "cumulative"])
def test_a_study_is_read_back_with_the_effects_of_its_design(tmp_path, ablator):
    def tell(a=True, b=True, seed=0):
        return a + 0.5 * b + seed % 7 / 100

    study = AblationStudy()
    study.components.include("a", off=False)
    study.components.include("b", off=False)
    config = AblationConfig(study, ablator=ablator, repeats=2, confidence=0.9, experiment_dir=tmp_path / "run")
    returned = lagom(tell, config, engine="inline", verbose=0)
    loaded = Result.load(tmp_path / "run")
    assert_the_same(loaded, returned)
    assert str(loaded.effects) == str(returned.effects)
    rows = loaded.plot.effects().layout.yaxis.ticktext
    assert list(rows) == list(returned.effects)

    about = json.loads((tmp_path / "run" / "experiment.json").read_text())
    del about["design"]  # as where an ablator of the user's own decides
    (tmp_path / "run" / "experiment.json").write_text(json.dumps(about))
    with_base = Result.load(tmp_path / "run").effects
    assert {formula for each in with_base.values() if (formula := each.formula)} >= {"without a - base"}


def test_several_objectives_are_read_back_with_their_front(tmp_path):
    def tell(x):
        return {"loss": x, "size": 1 - x if x < 0.5 else 2.0}

    keys = {"optimization_key": ["loss", "size"], "direction": ["min", "min"]}
    returned = lagom(tell, search(tmp_path / "run", **keys), engine="inline", verbose=0)
    loaded = Result.load(tmp_path / "run")
    assert_the_same(loaded, returned)
    assert loaded["pareto_ids"] == [trial.trial_id for trial in loaded.pareto]
    assert 0 < len(loaded.pareto) < 20


def test_an_experiment_whose_driver_was_lost_gives_what_there_is_and_all_of_it_once_it_is_resumed(tmp_path):
    config = search(tmp_path / "run", optimizer=Asha(3, resource_min=1, resource_max=9))
    lagom(train, config, engine="inline", verbose=0)
    journal = next((tmp_path / "run").glob("**/*.jsonl"))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: len(lines) // 2]))
    (tmp_path / "run" / "result.json").unlink()

    halfway = Result.load(tmp_path / "run")
    assert halfway.interrupted
    assert 0 < len(halfway.trials) < 20
    assert halfway["best_val"] == max(trial.final_metric for trial in halfway.ranked)
    assert halfway.plot.history().data

    returned = lagom(train, config, resume=tmp_path / "run", engine="inline", verbose=0)
    loaded = Result.load(tmp_path / "run")
    assert len(loaded.chronicle.drivers) == 2
    assert not loaded.interrupted
    assert_the_same(loaded, returned)
    before = halfway.chronicle.last_t
    assert [span for span in loaded.chronicle.spans if span.start < before]
    assert all(span.end <= before for span in loaded.chronicle.spans if span.start < before)
    assert all(worker.lost <= before for worker in loaded.chronicle.workers.values() if worker.joined < before)
    assert "resumed" in [note.text for note in loaded.plot.timeline().layout.annotations]


def test_a_folder_in_an_object_store_is_read_like_any_other(tmp_path):
    returned = lagom(train, search(tmp_path / "run"), engine="inline", verbose=0)
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "run"), "/results-of-a-test", recursive=True)
    loaded = Result.load("memory://results-of-a-test")
    assert dict(loaded) == dict(returned)
    assert loaded.experiment_dir == "memory://results-of-a-test"
    assert len(loaded.curves()) == len(returned.curves())
    loaded.export("memory://results-of-a-test/trials.csv")
    assert store.cat("/results-of-a-test/trials.csv").startswith(b"trial_id,state,metric")


def test_a_folder_without_an_experiment_is_refused(tmp_path):
    with pytest.raises(ExperimentDirError):
        Result.load(tmp_path)


def test_what_was_returned_reads_its_folder_when_it_is_asked_to_plot(tmp_path):
    returned = lagom(train, search(tmp_path / "run"), engine="inline", verbose=0)
    best = {trace.name: trace for trace in returned.plot.history().data}["best so far"]
    assert best.y[-1] == returned["best_val"]
    assert {"history", "timeline", "save"} <= set(dir(returned.plot))
    with pytest.raises(AttributeError, match=r"no plot 'histroy'\. Did you mean 'history'"):
        returned.plot.histroy()
    assert returned.plot.save("timeline", tmp_path / "timeline.html").stat().st_size > 1000
    assert sum(returned.importance().values()) == pytest.approx(1)


def test_a_simulation_without_a_folder_has_nothing_to_plot_and_says_what_to_do():
    result = simulate(search(Path("unused"), trials=3), lambda params: params["x"], workers=1, seed=1)
    assert len(result.to_pandas()) == 3
    with pytest.raises(ExperimentDirError, match="experiment_dir="):
        result.plot.history()
