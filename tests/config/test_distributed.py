"""What the configs of distributed training take, in which order, and what they refuse."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest

from maggy.ablation import AblationStudy
from maggy.config import (
    AblationConfig,
    Distribution,
    HyperparameterOptConfig,
    JaxDistributedConfig,
    KerasDistributedConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)
from maggy.errors import ConfigError, UnknownNameError
from maggy.searchspace import Searchspace

space = Searchspace(lr=("DOUBLE", [0, 1]))
DEEPSPEED = {"train_batch_size": 8}


class Net:
    """Stands for a model; the configs only look whose class it is."""


def search(**settings):
    settings = {"num_trials": 3, "optimizer": "randomsearch", "searchspace": space, **settings}
    return HyperparameterOptConfig(**settings)


def ablation(**settings):
    return AblationConfig(AblationStudy(), **settings)


def positional(config):
    """Names and defaults of the arguments that may be given by position."""
    parameters = inspect.signature(config).parameters.values()
    return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


# --- one training: the historical spellings


def test_the_positional_arguments_of_a_training_on_pytorch_are_those_of_maggy_1_1():
    assert positional(TorchDistributedConfig) == [
        ("module", None),
        ("dataset", None),
        ("hparams", None),
        ("backend", "torch"),
        ("mixed_precision", False),
        ("zero_lvl", 0),
        ("deepspeed_config", None),
        ("name", "torchDist"),
        ("hb_interval", 1),
        ("description", ""),
    ]


@pytest.mark.parametrize(("config", "name"), [(TfDistributedConfig, "tfDist"), (KerasDistributedConfig, "kerasDist")])
def test_the_positional_arguments_of_a_training_with_keras_are_those_of_maggy_1_1(config, name):
    assert positional(config) == [
        ("model", None),
        ("dataset", None),
        ("process_data", None),
        ("mixed_precision", False),
        ("name", name),
        ("hb_interval", 1),
        ("description", ""),
        ("hparams", None),
    ]


def test_a_module_is_a_model_under_its_name_of_maggy_1_1():
    assert TorchDistributedConfig(Net).model is Net
    assert TorchDistributedConfig(module=[Net, Net]).model == [Net, Net]
    assert TorchDistributedConfig(model=Net) == TorchDistributedConfig(Net)
    with pytest.raises(ConfigError, match="model and module are the same: give one of them"):
        TorchDistributedConfig(Net, model=Net)


def test_the_two_data_sets_of_maggy_1_0_are_given_by_name():
    for make in (TorchDistributedConfig, TfDistributedConfig):
        config = make(Net, train_set=[1, 2], test_set=[3])
        assert (config.model, config.train_set, config.test_set, config.dataset) == (Net, [1, 2], [3], None)
    with pytest.raises(
        ConfigError, match=r"process_data has to be a .* got \[3\]; train_set and test_set are given by"
    ):
        TfDistributedConfig(Net, [1, 2], [3])
    with pytest.raises(ConfigError, match="hparams has to be a dict"):
        TorchDistributedConfig(Net, [1, 2], [3])


def test_what_a_config_says_about_the_training_is_its_distribution():
    assert TorchDistributedConfig(zero_lvl=3, mixed_precision=True).distribution == Distribution(
        framework="torch", zero_lvl=3, mixed_precision=True
    )
    assert TorchDistributedConfig(backend="deepspeed", deepspeed_config=DEEPSPEED).distribution == Distribution(
        framework="torch", deepspeed=DEEPSPEED
    )
    for make in (TfDistributedConfig, KerasDistributedConfig):
        assert make(process_data=len, collective_timeout_s=9).distribution == Distribution(
            framework="keras", process_data=len, timeout_s=9
        )
    assert JaxDistributedConfig().distribution == Distribution(framework="jax")


@pytest.mark.parametrize(
    ("make", "setting", "says"),
    [
        (
            TorchDistributedConfig,
            {"backend": "nccl"},
            "backend has to be 'torch' or 'deepspeed', got 'nccl'; gloo or NCCL is chosen by the device",
        ),
        (TorchDistributedConfig, {"zero_lvl": 4}, "zero_lvl has to be 0, 1, 2 or 3, got 4"),
        (TorchDistributedConfig, {"zero_lvl": True}, "zero_lvl has to be 0, 1, 2 or 3, got True"),
        (TorchDistributedConfig, {"zero_lvl": "3"}, "zero_lvl has to be 0, 1, 2 or 3, got '3'"),
        (
            TorchDistributedConfig,
            {"deepspeed_config": DEEPSPEED},
            "deepspeed_config goes with backend='deepspeed'; backend is 'torch'",
        ),
        (
            TorchDistributedConfig,
            {"backend": "deepspeed"},
            "backend='deepspeed' needs deepspeed_config, a dict as deepspeed.initialize takes it, got None",
        ),
        (
            TorchDistributedConfig,
            {"backend": "deepspeed", "deepspeed_config": DEEPSPEED, "zero_lvl": 1},
            "with backend='deepspeed', zero_lvl and mixed_precision are said in deepspeed_config, as zero_optimization "
            "and bf16",
        ),
        (
            TorchDistributedConfig,
            {"mixed_precision": "fp16"},
            "mixed_precision has to be True or False, got 'fp16': the type is always bfloat16",
        ),
        (
            KerasDistributedConfig,
            {"mixed_precision": 1},
            "mixed_precision has to be True or False, got 1: the type is ",
        ),
        (KerasDistributedConfig, {"process_data": 3}, "process_data has to be a function of the dataset, got 3; "),
        (JaxDistributedConfig, {"hparams": {"context": 1}}, "hparams names 'context': a training function that asks "),
        (JaxDistributedConfig, {"model": Net()}, "model has to be a class, or a function that makes a model, got an "),
        (
            JaxDistributedConfig,
            {"num_workers": 2, "min_workers": 3},
            "min_workers is 3, and a trial has 2 workers at most",
        ),
        (
            TorchDistributedConfig,
            {"workers_per_trial": 2},
            "TorchDistributedConfig is one training on num_workers workers; workers_per_trial and distributed are for "
            "searches and ablation studies",
        ),
        (TfDistributedConfig, {"distributed": "keras"}, "TfDistributedConfig is one training on num_workers workers; "),
    ],
)
def test_one_training_refuses_what_cannot_work(make, setting, says):
    with pytest.raises(ConfigError) as caught:
        make(**setting)
    assert str(caught.value).startswith(says)


# --- trials on several workers


@pytest.mark.parametrize("make", [search, ablation])
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            {"workers_per_trial": [1, 2]},
            "workers_per_trial has to be one whole number, the same for all trials; it is no hyperparameter. "
            "Got [1, 2]",
        ),
        (
            {"workers_per_trial": True},
            "workers_per_trial has to be one whole number, the same for all trials; it is no hyperparameter. Got True",
        ),
        ({"workers_per_trial": 0}, "workers_per_trial has to be a whole number of at least 1, got 0"),
        (
            {"workers_per_trial": 2},
            "workers_per_trial is 2: say how the workers train together, with distributed='torch', 'keras', 'jax' or "
            "'plain'",
        ),
        (
            {"workers_per_trial": 2, "model": Net},
            "workers_per_trial is 2: say how the workers train together, with distributed='torch', 'keras', 'jax' or "
            "'plain'",
        ),
        (
            {"workers_per_trial": 4, "num_workers": 2, "distributed": "torch"},
            "num_workers is 2, and each trial needs 4 (workers_per_trial): no trial could ever run",
        ),
        ({"min_workers": 0}, "min_workers has to be a whole number of at least 1, got 0"),
        (
            {"workers_per_trial": 2, "min_workers": 3, "distributed": "torch"},
            "min_workers is 3, and a trial has 2 workers at most",
        ),
        ({"workers_timeout_s": 0}, "workers_timeout_s has to be a number of seconds above 0, got 0"),
        ({"workers_timeout_s": "5"}, "workers_timeout_s has to be a number of seconds above 0, got '5'"),
        ({"collective_timeout_s": None}, "collective_timeout_s has to be a number of seconds above 0, got None"),
        ({"collective_timeout_s": -1.0}, "collective_timeout_s has to be a number of seconds above 0, got -1.0"),
        (
            {"collective_timeout_s": float("inf")},
            "collective_timeout_s has to be a number of seconds above 0, got inf",
        ),
        ({"combine": "median"}, "combine has to be one of 'mean', 'min', 'max', 'sum', 'first', got 'median'"),
        (
            {"distributed": 2},
            "distributed has to be one of 'torch', 'keras', 'jax', 'plain' or a config such as "
            "TorchDistributedConfig(), got 2",
        ),
        (
            {"distributed": TorchDistributedConfig},
            "distributed has to be one of 'torch', 'keras', 'jax', 'plain' or a config such as "
            "TorchDistributedConfig(), got <class 'maggy.config.distributed.TorchDistributedConfig'>",
        ),
    ],
)
def test_trials_on_several_workers_refuse_what_cannot_work(make, setting, says):
    with pytest.raises(ConfigError) as caught:
        make(**setting)
    assert str(caught.value) == says


def test_a_framework_that_does_not_exist_is_answered_with_the_closest_one():
    with pytest.raises(
        UnknownNameError, match=r"unknown framework in distributed 'pytorch'\. Did you mean 'torch'\? Known: 'torch', "
    ):
        search(workers_per_trial=2, distributed="pytorch")


def test_a_config_in_distributed_that_also_says_what_to_train_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"distributed=TorchDistributedConfig\(\.\.\.\) says how the workers of a trial train together; give "
        "model, num_workers to HyperparameterOptConfig itself",
    ):
        search(workers_per_trial=2, distributed=TorchDistributedConfig(Net, num_workers=4))


def test_how_many_workers_run_a_trial_is_no_hyperparameter():
    with pytest.raises(ConfigError, match="the search space has 'workers_per_trial', which is no hyperparameter"):
        search(searchspace=Searchspace(workers_per_trial=("INTEGER", [1, 4])))


def test_a_number_of_workers_may_be_one_of_numpys():
    assert search(workers_per_trial=np.int64(2), num_workers=np.int64(4), distributed="plain").workers_per_trial == 2


def test_a_trial_on_one_worker_needs_no_framework_and_has_none():
    assert search().distribution is None
    assert search().distributed is None


@pytest.mark.parametrize("framework", ["torch", "keras", "jax", "plain"])
def test_a_framework_is_said_by_its_name(framework):
    config = search(workers_per_trial=2, distributed=framework, collective_timeout_s=5)
    assert config.distribution == Distribution(framework=framework, timeout_s=5)


def test_a_config_says_more_than_a_name_and_the_search_has_the_last_word_about_its_timeout():
    how = TorchDistributedConfig(mixed_precision=True, zero_lvl=3, collective_timeout_s=1)
    config = search(workers_per_trial=2, distributed=how, collective_timeout_s=5)
    assert config.distribution == Distribution(framework="torch", mixed_precision=True, zero_lvl=3, timeout_s=5)


def torch_class():
    import torch

    class Mlp(torch.nn.Module):
        pass

    return Mlp


def keras_class():
    import keras

    class Mlp(keras.Model):
        pass

    return Mlp


@pytest.mark.parametrize(
    ("make", "framework"), [(torch_class, "torch"), pytest.param(keras_class, "keras", marks=pytest.mark.keras)]
)
def test_the_class_of_the_model_tells_the_framework_and_so_does_a_list_of_them(make, framework):
    """On PyTorch, a model of Keras is a module too."""
    for model in (make(), [make(), make()]):
        config = search(workers_per_trial=2, model=model)
        assert config.distributed == framework
        # `lagom` keeps a config without its model, and resumes from that.
        assert replace(config, model=None).distribution == config.distribution


# --- copies


@pytest.mark.parametrize(
    "config",
    [
        TorchDistributedConfig(Net, [1], {"lr": 1}, zero_lvl=2, num_workers=2),
        TorchDistributedConfig(backend="deepspeed", deepspeed_config=DEEPSPEED),
        TfDistributedConfig(Net, train_set=[1], process_data=len),
        JaxDistributedConfig(Net, min_workers=1),
        search(workers_per_trial=2, distributed=TorchDistributedConfig(zero_lvl=3), model=Net),
    ],
)
def test_a_config_survives_replace_and_pickle(config):
    for copy in (replace(config), pickle.loads(pickle.dumps(config)), cloudpickle.loads(cloudpickle.dumps(config))):
        assert copy == config
        assert copy.distribution == config.distribution
    changed = replace(config, name="other")
    assert (changed.name, changed.model) == ("other", config.model)
    assert replace(config, model=None).model is None
