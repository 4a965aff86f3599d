"""What a config takes, in which order, and what it refuses."""

import inspect
import math

import pytest

from maggy.ablation import AblationStudy
from maggy.config import AblationConfig, BaseConfig, HyperparameterOptConfig, LagomConfig, OptimizationConfig
from maggy.errors import ConfigError, SearchspaceError
from maggy.searchspace import Rand, Searchspace, Space

space = Searchspace(lr=("DOUBLE", [0, 1]))


def search(**settings):
    return HyperparameterOptConfig(**{"num_trials": 3, "optimizer": "randomsearch", "searchspace": space, **settings})


def positional(config):
    """Names and defaults of the arguments that may be given by position."""
    parameters = inspect.signature(config).parameters.values()
    return [
        (p.name, None if p.default is p.empty else p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD
    ]


def test_the_positional_arguments_of_a_search_are_those_of_maggy_1_1():
    assert positional(HyperparameterOptConfig) == [
        ("num_trials", None),
        ("optimizer", None),
        ("searchspace", None),
        ("optimization_key", "Metric"),
        ("direction", "max"),
        ("es_interval", 1),
        ("es_min", 10),
        ("es_policy", "median"),
        ("name", "HPOptimization"),
        ("description", ""),
        ("hb_interval", 1),
        ("model", None),
        ("dataset", None),
    ]


def test_the_positional_arguments_of_a_single_run_are_those_of_maggy_1_1():
    assert positional(BaseConfig) == [("name", "base"), ("hb_interval", 1), ("description", "")]


def test_the_config_of_maggy_1_0_has_the_key_of_its_time():
    config = OptimizationConfig(3, "randomsearch", space)
    assert isinstance(config, HyperparameterOptConfig)
    assert config.optimization_key == "metric"
    assert OptimizationConfig(3, "randomsearch", space, "acc", "min").direction == "min"
    assert OptimizationConfig(3, "randomsearch", space, name="MNIST").name == "MNIST"


def test_what_is_left_out_of_every_config_is_none():
    for config in (BaseConfig(), search()):
        assert isinstance(config, LagomConfig)
        assert (config.num_workers, config.seed, config.experiment_dir, config.resources_per_worker) == (None,) * 4


def test_checkpoints_may_take_10_gib_unless_said_otherwise():
    assert BaseConfig().checkpoint_quota_bytes == search().checkpoint_quota_bytes == 10 * 2**30
    assert BaseConfig(checkpoint_quota_bytes=None).checkpoint_quota_bytes is None


def test_a_direction_may_be_written_in_any_case():
    assert search(direction="MIN").direction == "min"


def test_no_search_space_is_an_empty_one():
    assert search(searchspace=None).searchspace == Searchspace()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"num_trials": 0}, "num_trials has to be a whole number of at least 1, got 0"),
        ({"num_trials": -1}, "num_trials has to be a whole number of at least 1, got -1"),
        ({"num_trials": 2.0}, "num_trials has to be a whole number of at least 1, got 2.0"),
        ({"num_trials": True}, "num_trials has to be a whole number of at least 1, got True"),
        ({"num_trials": None}, "num_trials has to be a whole number of at least 1, got None"),
        ({"es_interval": 0}, "es_interval has to be a whole number of at least 1, got 0"),
        ({"es_min": -1}, "es_min has to be a whole number of at least 0, got -1"),
        ({"direction": "maximise"}, "direction has to be 'max' or 'min', got 'maximise'"),
        ({"direction": None}, "direction has to be 'max' or 'min', got None"),
        ({"searchspace": {"lr": [0, 1]}}, "searchspace has to be a Searchspace or a Space, got dict"),
    ],
)
def test_a_search_refuses_what_cannot_work(setting, says):
    with pytest.raises(ConfigError) as caught:
        search(**setting)
    assert str(caught.value) == says
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("make", [BaseConfig, search])
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"name": ""}, "name has to be text, got ''"),
        ({"name": None}, "name has to be text, got None"),
        ({"hb_interval": 0}, "hb_interval has to be a number of seconds above 0, got 0"),
        ({"hb_interval": math.nan}, "hb_interval has to be a number of seconds above 0, got nan"),
        ({"hb_interval": math.inf}, "hb_interval has to be a number of seconds above 0, got inf"),
        ({"hb_interval": "1"}, "hb_interval has to be a number of seconds above 0, got '1'"),
        ({"num_workers": 0}, "num_workers has to be a whole number of at least 1, got 0"),
        ({"num_workers": 1.5}, "num_workers has to be a whole number of at least 1, got 1.5"),
        ({"seed": -1}, "seed has to be a whole number of at least 0, got -1"),
        ({"seed": "7"}, "seed has to be a whole number of at least 0, got '7'"),
        ({"checkpoint_quota_bytes": -1}, "checkpoint_quota_bytes has to be a whole number of at least 0, got -1"),
        (
            {"checkpoint_quota_bytes": 1e9},
            "checkpoint_quota_bytes has to be a whole number of at least 0, got 1000000000.0",
        ),
        ({"resources_per_worker": 2}, "resources_per_worker has to be a dict, got 2"),
        ({"resources_per_worker": {"cores": 2}}, "resources_per_worker knows 'cpu' and 'gpu', not 'cores'"),
        ({"resources_per_worker": {"cpu": -1}}, "resources_per_worker['cpu'] is -1, not an amount"),
        ({"resources_per_worker": {"gpu": "1"}}, "resources_per_worker['gpu'] is '1', not an amount"),
    ],
)
def test_every_config_refuses_what_cannot_work(make, setting, says):
    with pytest.raises(ConfigError) as caught:
        make(**setting)
    assert str(caught.value) == says


def test_the_hyperparameters_of_a_single_run_are_a_dict():
    assert BaseConfig(hparams={"lr": 0.1}).hparams == {"lr": 0.1}
    with pytest.raises(ConfigError, match="hparams has to be a dict of names to values"):
        BaseConfig(hparams=[("lr", 0.1)])


@pytest.mark.parametrize("name", ["model", "module", "dataset_function", "train_set", "reporter", "hparams"])
def test_a_hyperparameter_cannot_take_the_place_of_something_else_that_the_function_gets(name):
    with pytest.raises(ConfigError, match=f"hparams names '{name}': a training function that asks for it gets somethi"):
        BaseConfig(hparams={name: 1})
    with pytest.raises(ConfigError, match=f"hparams names '{name}'"):
        AblationConfig(AblationStudy(), hparams={name: 1})


def test_what_lagom_passes_under_a_name_is_no_hyperparameter_of_a_search():
    with pytest.raises(SearchspaceError, match="the name 'budget' is reserved"):
        HyperparameterOptConfig(3, "randomsearch", Space(budget=Rand(0, 1)))


def test_a_single_run_may_fix_its_budget_and_its_seed_as_hyperparameters():
    assert BaseConfig(hparams={"budget": 9, "seed": 3}).hparams == {"budget": 9, "seed": 3}


def test_the_name_of_a_hyperparameter_is_text():
    with pytest.raises(ConfigError, match="hparams has to be a dict of names to values, and 1 is no text"):
        BaseConfig(hparams={1: 0.1})


def estimator():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def keras_model():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def torch_module():
    import torch

    return torch.nn.Sequential(torch.nn.Linear(2, 1))


@pytest.mark.parametrize("make", [estimator, keras_model, torch_module])
def test_a_model_that_is_made_already_is_refused_alone_and_in_a_list_and_the_error_says_why(make):
    model = make()
    for given in (model, [type(model), model]):
        with pytest.raises(ConfigError) as caught:
            search(model=given)
        assert str(caught.value) == (
            f"model has to be a class, or a function that makes a model, got an object of {type(model).__name__}. All "
            "trials would share one that is made, with what the others have learnt: give e.g. model=lambda: Net(...), "
            "and call model() in the training function"
        )
    assert search(model=[type(model), make]).model == [type(model), make]


@pytest.mark.parametrize("model", ["resnet", {"net": dict}, 3])
def test_what_cannot_be_called_is_no_model(model):
    with pytest.raises(ConfigError, match=f"model has to be a class, or a .* got an object of {type(model).__name__}"):
        BaseConfig(model=model)
