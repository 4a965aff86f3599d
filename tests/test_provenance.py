"""What of a config may change when an experiment is resumed, and what is noticed."""

from __future__ import annotations

import msgspec
import pytest

from maggy.config import HyperparameterOptConfig, TfDistributedConfig, TorchDistributedConfig
from maggy.journal.folder import to_json
from maggy.provenance import describe, differences
from maggy.searchspace import Searchspace


def train(lr):
    return lr


def told(config):
    """What experiment.json says of a config."""
    about = describe(config, function=train, engine="local", seats=2, num_trials=1, seed=7)
    return msgspec.json.decode(to_json(about))


def search(**settings):
    settings = {"workers_per_trial": 2, "distributed": "torch", **settings}
    return HyperparameterOptConfig(3, "randomsearch", Searchspace(lr=("DOUBLE", [0, 1])), **settings)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"workers_per_trial": 4}, {"workers_per_trial": "2 -> 4"}),
        ({"distributed": "keras"}, {"distributed": "'torch' -> 'keras'"}),
        ({"combine": "max"}, {"combine": "'mean' -> 'max'"}),
        ({"min_workers": 1, "workers_timeout_s": 5.0, "collective_timeout_s": 5.0, "num_workers": 8}, {}),
    ],
)
def test_trials_have_to_stay_comparable_and_how_long_anybody_waits_may_change(changes, shown):
    assert differences(told(search()), told(search(**changes))) == shown


def test_how_the_workers_of_a_trial_train_together_is_noticed_setting_by_setting():
    before, after = (search(distributed=TorchDistributedConfig(zero_lvl=level)) for level in (0, 3))
    assert differences(told(before), told(after)) == {"distributed.zero_lvl": "0 -> 3"}


def test_one_training_may_go_on_with_other_workers_and_not_in_another_way():
    begun = TorchDistributedConfig(num_workers=4, mixed_precision=True)
    assert differences(told(begun), told(TorchDistributedConfig(num_workers=2, mixed_precision=True))) == {}
    changed = differences(told(begun), told(TorchDistributedConfig(num_workers=4, zero_lvl=3)))
    assert changed == {"mixed_precision": "True -> False", "zero_lvl": "0 -> 3"}


def scaled(dataset):
    return dataset


def shuffled(dataset):
    return dataset[::-1]


@pytest.mark.parametrize(
    "make", [TfDistributedConfig, lambda **settings: search(distributed=TfDistributedConfig(**settings))]
)
def test_the_source_of_what_prepares_the_data_is_compared(make):
    before, after = (told(make(process_data=function)) for function in (scaled, shuffled))
    changed = differences(before, after)
    assert any("-def scaled(dataset):" in text for text in changed.values())
    assert any("+def shuffled(dataset):" in text for text in changed.values())


def test_a_description_says_what_is_needed_to_do_it_again():
    about = told(search(optimization_key=["accuracy", "seconds"], direction=["max", "min"]))
    assert about["objectives"] == [{"key": "accuracy", "direction": "max"}, {"key": "seconds", "direction": "min"}]
    assert about["versions"].keys() >= {"maggy", "python", "numpy"}
    assert about["packages"]["msgspec"]
    assert about["machine"].keys() == {"host", "system", "processor", "cores"}
    assert about["code_hash"] == told(search())["code_hash"]
    assert about["code_hash"] != told(search(distributed=TfDistributedConfig(process_data=scaled)))["code_hash"]


def test_where_an_experiment_was_run_from_is_no_reason_not_to_resume_it():
    before, after = told(search()), told(search())
    after |= {"git": None, "packages": {}, "versions": {}, "machine": {}, "script": "other.py", "engine": "spark"}
    assert differences(before, after) == {}


def test_the_arguments_of_the_program_are_not_kept(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--token", "s3cret"])
    assert told(search())["script"] == "train.py"
    assert "s3cret" not in str(told(search()))
