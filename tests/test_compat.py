"""The flat form of the versions before 1.0, and every place where older versions had what."""

import pytest

from maggy.ablation import AblationStudy
from maggy.compat import config_from_keywords
from maggy.config import AblationConfig, BaseConfig, HyperparameterOptConfig
from maggy.errors import ConfigError, UnknownNameError
from maggy.searchspace import Searchspace

space = Searchspace(lr=("DOUBLE", [0, 1]))

# Every keyword that a published version had (0.0.1 to 0.5.3), beside the training function.
OF_THE_PAST = {
    "searchspace": space,
    "optimizer": "randomsearch",
    "direction": "min",
    "num_trials": 15,
    "name": "MNIST",
    "hb_interval": 2,
    "es_policy": "none",
    "es_interval": 300,
    "es_min": 5,
    "description": "of the past",
    "experiment_type": "optimization",
    "ablation_study": None,
    "ablator": None,
    "optimization_key": "acc",
}


def test_every_keyword_of_the_past_becomes_the_setting_of_that_name():
    config = config_from_keywords(None, OF_THE_PAST)
    assert isinstance(config, HyperparameterOptConfig)
    kept = {name: value for name, value in OF_THE_PAST.items() if not name.startswith(("experiment", "ablat"))}
    assert {name: getattr(config, name) for name in kept} == kept


def test_what_is_left_out_is_as_it_was_then():
    config = config_from_keywords(None, {"searchspace": space})
    assert (config.num_trials, config.optimizer, config.direction) == (1, None, "max")
    assert (config.optimization_key, config.name, config.es_policy) == ("metric", "no-name", "median")


def test_what_is_new_can_be_said_in_the_old_form_too():
    new = {"num_workers": 2, "seed": 7, "experiment_dir": "/tmp/run", "resources_per_worker": {"cpu": 2}}
    config = config_from_keywords(None, {"searchspace": space, **new})
    assert {name: getattr(config, name) for name in new} == new


def test_a_model_and_data_can_be_given_in_the_old_form_of_every_experiment():
    new = {"model": dict, "dataset": [1], "train_set": [2], "test_set": [3]}
    for settings in ({}, {"searchspace": space}, {"ablation_study": AblationStudy()}):
        config = config_from_keywords(None, settings | new)
        assert {name: getattr(config, name) for name in new} == new


def test_trials_on_several_workers_can_be_had_in_the_old_form_of_a_search_and_of_a_study():
    new = {
        "workers_per_trial": 2,
        "distributed": "torch",
        "min_workers": 1,
        "workers_timeout_s": 30,
        "collective_timeout_s": 60,
        "combine": "max",
    }
    for settings in ({"searchspace": space}, {"ablation_study": AblationStudy()}):
        config = config_from_keywords(None, settings | new)
        assert {name: getattr(config, name) for name in new} == new


def test_a_single_run_in_the_old_form_is_no_training_on_several_workers_and_the_error_names_the_config_that_is():
    with pytest.raises(ConfigError) as caught:
        config_from_keywords(None, {"workers_per_trial": 2, "distributed": "torch"})
    assert str(caught.value) == (
        "'workers_per_trial', 'distributed' are for searches and ablation studies; for one training on several "
        "workers, give lagom a config such as TorchDistributedConfig(num_workers=2)"
    )


def test_the_second_argument_may_be_what_older_versions_had_there():
    by_space = config_from_keywords(space, {"optimizer": "randomsearch", "num_trials": 3})
    assert by_space == config_from_keywords(None, {"searchspace": space, "optimizer": "randomsearch", "num_trials": 3})
    by_name = config_from_keywords("MNIST", {"searchspace": space})
    assert by_name.name == "MNIST"
    assert config_from_keywords("MNIST", {}) == BaseConfig(name="MNIST")


def test_a_config_is_taken_as_it_is():
    config = BaseConfig(name="MNIST")
    assert config_from_keywords(config, {}) is config


def test_nothing_at_all_is_a_single_run():
    assert config_from_keywords(None, {}) == BaseConfig()
    assert config_from_keywords(None, {"seed": 7, "name": "once"}) == BaseConfig(name="once", seed=7)
    assert config_from_keywords(None, {"experiment_type": "optimization"}) == BaseConfig()


def test_a_keyword_that_no_version_had_is_refused_with_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"keyword of lagom 'num_trails'\. Did you mean 'num_trials'\?"):
        config_from_keywords(None, {"num_trails": 3})


def test_an_unknown_experiment_type_is_refused():
    with pytest.raises(UnknownNameError, match=r"experiment_type 'optimisation'\. Did you mean 'optimization'\?"):
        config_from_keywords(None, {"experiment_type": "optimisation"})


@pytest.mark.parametrize(
    ("second", "keywords", "says"),
    [
        (BaseConfig(), {"name": "MNIST", "seed": 1}, "was given a config and the keywords 'name', 'seed'; put them"),
        (42, {}, "the second argument of lagom has to be a config, e.g. HyperparameterOptConfig, got int"),
        (space, {"searchspace": Searchspace()}, "lagom was given searchspace twice"),
        ("MNIST", {"name": "CIFAR"}, "lagom was given name twice"),
        (None, {"ablation_study": object(), "num_trials": 3}, "an ablation study takes no num_trials: the study says"),
        (None, {"experiment_type": "ablation"}, r"an ablation study needs ablation_study=AblationStudy\("),
        (None, {"searchspace": space, "num_trials": 0}, "num_trials has to be a whole number of at least 1, got 0"),
    ],
)
def test_settings_that_contradict_each_other_or_cannot_work_are_refused(second, keywords, says):
    with pytest.raises(ConfigError, match=says):
        config_from_keywords(second, keywords)


def test_names_are_where_older_versions_had_them():
    import maggy.experiment.experiment
    import maggy.experiment_config
    from maggy import config, experiment, lagom

    assert experiment.lagom is lagom
    assert maggy.experiment.experiment.lagom is lagom
    assert maggy.experiment_config.OptimizationConfig is config.OptimizationConfig
    assert maggy.experiment_config.TorchDistributedConfig is config.TorchDistributedConfig
    assert maggy.experiment_config.TfDistributedConfig is config.TfDistributedConfig
    assert callable(experiment.launch)


def test_a_study_in_the_flat_form_may_have_the_number_of_trials_that_was_the_default():
    study = AblationStudy()
    config = config_from_keywords(None, {"experiment_type": "ablation", "ablation_study": study, "num_trials": 1})
    assert isinstance(config, AblationConfig)
    assert config.ablation_study is study
