"""What a simulation leaves behind."""

from __future__ import annotations

import json

import pytest
from simulation.helpers import grid_of, search_of

from maggy import simulate
from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder, read
from maggy.optimizer import TPE, Asha
from maggy.resuming import replay_experiment
from maggy.simulation import LearningCurve, Losses


def curves(params):
    return LearningCurve([params["x"] + params["y"] / step for step in range(1, 10)], 1.0 + params["y"])


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = simulate(grid_of(3), lambda params: 0.5, workers=1)
    assert list(tmp_path.iterdir()) == []
    assert result.experiment_dir == ""


def test_a_folder_holds_the_journal_in_virtual_time_and_the_result(tmp_path):
    result = simulate(grid_of(3), lambda params: LearningCurve([0.5] * 2, 3.0), workers=1, experiment_dir=tmp_path)
    records = list(read(ExperimentFolder.open(tmp_path)))
    assert [record.t for record in records] == sorted(record.t for record in records)
    assert (records[0].t, records[-1].t, len(records)) == (0.0, 18.0, result.num_events)
    assert json.loads((tmp_path / "result.json").read_text())["best_id"] == result["best_id"]
    assert json.loads((tmp_path / "experiment.json").read_text())["engine"] == "simulated"
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        simulate(grid_of(3), lambda params: 0.5, workers=1, experiment_dir=tmp_path)


@pytest.mark.parametrize("optimizer", [Asha(3, 1, 9, sampler=TPE()), "tpe", "gridsearch"], ids=str)
def test_every_decision_comes_out_the_same_from_the_journal(optimizer, tmp_path):
    config = search_of(30, optimizer) if optimizer != "gridsearch" else grid_of(30, es_policy="median")
    result = simulate(
        config,
        curves if optimizer != "gridsearch" else lambda params: LearningCurve([params["number"]] * 4),
        workers=4,
        seed=5,
        resumes=True,
        losses=Losses(mtbf_s=30.0),
        experiment_dir=tmp_path,
    )
    told, decider = replay_experiment(tmp_path, config)
    assert told.differences == []
    assert decider.advisor.book.ended.all() == result.trials


def test_what_a_failed_trial_says_is_in_its_log(tmp_path):
    def failing(params):
        if params["number"] == 1:
            raise OSError("no memory")
        return 0.5

    simulate(grid_of(3), failing, workers=1, experiment_dir=tmp_path)
    assert "OSError: no memory" in (tmp_path / "trials" / "1" / "output.log").read_text()
