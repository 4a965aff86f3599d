"""Ablation studies as their users run them."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from maggy import Trial, experiment, lagom
from maggy.ablating import Ablating
from maggy.ablation import AblationStudy, Ablator, AbstractAblator, LeaveTwoOut, ParquetStore
from maggy.ablation.components import Contrast, Design, Variant
from maggy.config import AblationConfig
from maggy.errors import AblationError, ConfigError, ResumeError, SignatureError, UnknownNameError
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

TABLE = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["fare", "age", "noise"]).assign(survived=[0, 1, 0, 1])


@pytest.fixture
def study() -> AblationStudy:
    return AblationStudy("titanic", 1, "survived")


def of(study: AblationStudy, **settings: Any) -> AblationConfig:
    return AblationConfig(study, **{"seed": 7, **settings})


def run(train: Any, study: AblationStudy, engine: Any = "inline", **settings: Any) -> Any:
    return lagom(train, of(study, **settings), engine=engine, verbose=0)


def metrics(result: Any) -> dict[str, list[float]]:
    """Of each variant, in the order of the repeats."""
    found: dict[str, dict[int, float]] = {}
    for trial in result.trials:
        found.setdefault(trial.params["variant"], {})[trial.params["repeat"]] = trial.final_metric
    return {variant: [value for _, value in sorted(of.items())] for variant, of in found.items()}


# --- switches


def noisy(seed: int, mixup: bool = True, warmup: int = 10, unused: int = 1) -> float:
    return random.Random(seed).gauss(0, 5) + 0.5 * mixup + 0.01 * warmup


def test_the_effect_of_a_switch_is_exact_although_the_metric_is_noisy_because_repeats_are_paired(
    study: AblationStudy, engine: Any
) -> None:
    study.components.include("mixup", off=False)
    study.components.include("warmup", "unused", off=0)

    result = run(noisy, study, engine)

    assert [effect.effect for effect in result.effects.values()] == pytest.approx([-0.5, -0.1, 0.0])
    assert list(result.effects) == ["mixup", "warmup", "unused"]
    assert result.effects.reference.high - result.effects.reference.low > 1
    assert {effect.pairs for effect in result.effects.values()} == {5}


def test_the_result_is_one_of_a_search_and_has_the_effects_too(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    result = run(noisy, study, repeats=2)

    told = json.loads(Path(result.experiment_dir, "result.json").read_text())
    assert told["num_trials"] == result["num_trials"] == 4
    assert told["best_config"] == result["best_config"] == result.best.params
    assert told["effects"]["effects"][0]["name"] == "mixup"
    assert told["effects"]["effects"][0]["effect"] == pytest.approx(-0.5)
    about = json.loads(Path(result.experiment_dir, "experiment.json").read_text())
    about = about["config"]["ablation_study"]["components"]
    assert about == {"mixup": {"name": "mixup", "argument": "mixup", "off": False}}


def test_the_summary_ends_with_the_table_of_effects(study: AblationStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study.components.include("mixup", off=False)
    result = lagom(noisy, of(study, repeats=2), engine="inline")
    assert str(result.effects) in capsys.readouterr().err


def test_a_function_without_a_seed_is_run_once_unless_it_is_said_otherwise(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)

    def train(mixup: bool = True) -> float:
        return float(mixup)

    once = run(train, study)
    assert metrics(once) == {"base": [1.0], "without mixup": [0.0]}
    assert once.effects["mixup"].low is None
    assert metrics(run(train, study, repeats=2)) == {"base": [1.0, 1.0], "without mixup": [0.0, 0.0]}


def test_a_fixed_seed_means_one_repeat_and_more_are_refused(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    assert len(run(noisy, study, hparams={"seed": 3}).trials) == 2
    with pytest.raises(ConfigError, match="hparams fixes the seed, so repeats would be the same run"):
        run(noisy, study, hparams={"seed": 3}, repeats=2)


def test_the_whole_training_has_what_the_config_says_and_a_dict_of_all_of_it(study: AblationStudy) -> None:
    study.components.include("mixup", off=0.0)

    def train(hparams: dict[str, Any]) -> float:
        assert set(hparams) == {"mixup", "depth"}
        return hparams["depth"] + hparams["mixup"]

    result = run(train, study, hparams={"mixup": 0.5, "depth": 2})
    assert metrics(result) == {"base": [2.5], "without mixup": [2.0]}


def test_what_is_switched_off_may_be_a_part_of_the_data(study: AblationStudy, engine: Any) -> None:
    study.components.include("children", off=TABLE[TABLE.age > 5], argument="train_set")

    def train(train_set: pd.DataFrame) -> float:
        assert list(train_set) == ["fare", "age", "noise", "survived"]
        return len(train_set)

    assert metrics(run(train, study, engine, train_set=TABLE)) == {"base": [4], "without children": [2]}


@pytest.mark.parametrize(
    ("include", "settings", "says"),
    [
        ({"mixup": True}, {}, "'mixup' is True in the whole training too, so switching it off changes nothing"),
        ({"mixup": False}, {"hparams": {"mixup": False}}, "'mixup' is False in the whole training too"),
        ({"mixin": False}, {}, "unknown argument of the training function with a value 'mixin'. Did you mean 'mixup'"),
        ({"seed": 0}, {}, "'seed'"),
        ({"train_set": TABLE}, {}, "'train_set' replaces train_set, which noisy.. does not take"),
    ],
)
def test_a_switch_that_switches_nothing_is_an_error(
    study: AblationStudy, include: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    for name, off in include.items():
        study.components.include(name, off=off)
    with pytest.raises((AblationError, UnknownNameError), match=says):
        run(noisy, study, **settings)
    assert not Path("maggy-runs").exists()


def test_a_switch_replaces_only_what_the_config_has(study: AblationStudy) -> None:
    study.components.include("train_set", off=TABLE)
    with pytest.raises(AblationError, match="'train_set' replaces train_set, which the config does not have"):
        run(lambda train_set=None: 1.0, study)


# --- features


def columns(train_set: pd.DataFrame, test_set: pd.DataFrame) -> float:
    assert list(train_set) == list(test_set)
    return sum({"fare": 1, "age": 10, "noise": 100, "survived": 1000}[name] for name in train_set)


def test_columns_are_left_out_of_all_data_and_the_label_stays(study: AblationStudy, engine: Any) -> None:
    study.features.include("fare", "age")
    study.features.include_groups(["age", "noise"])

    result = run(columns, study, engine, train_set=TABLE, test_set=TABLE)

    assert metrics(result) == {
        "base": [1111], "without fare": [1110], "without age": [1101], "without age, noise": [1001],
    }  # fmt: skip


def test_a_prefix_stands_for_the_columns_that_begin_so(study: AblationStudy) -> None:
    study.features.include_groups(prefix="n")
    result = run(columns, study, train_set=TABLE, test_set=TABLE)
    assert metrics(result)["without n*"] == [1011]


def test_a_column_may_be_filled_in_place_of_leaving_it_out(study: AblationStudy) -> None:
    study.features.include("fare", fill=-1.0)

    def train(train_set: pd.DataFrame) -> float:
        assert list(train_set) == ["fare", "age", "noise", "survived"]
        return float(train_set.fare.sum())

    assert metrics(run(train, study, train_set=TABLE)) == {"base": [18.0], "without fare = -1": [-4.0]}


@pytest.mark.parametrize(
    ("name", "says"),
    [("fair", "Did you mean 'fare'|close.*fare"), ("survived", "label"), ("x*", r"x\*")],
)
def test_a_column_that_cannot_go_is_an_error_before_anything_starts(study: AblationStudy, name: str, says: str) -> None:
    study.features.include(name)
    with pytest.raises(AblationError, match=says):
        run(columns, study, train_set=TABLE, test_set=TABLE)
    assert not Path("maggy-runs").exists()


def test_a_prefix_stands_for_columns_of_what_a_generator_makes_and_is_refused_where_the_generator_is_told(
    study: AblationStudy,
) -> None:
    study.features.include_groups(prefix="n")
    study.set_dataset_generator(lambda: TABLE)
    assert metrics(run(lambda dataset: dataset().shape[1], study)) == {"base": [4], "without n*": [3]}
    study.set_dataset_generator(passengers)
    with pytest.raises(AblationError, match=r"nobody knows beforehand which of its columns 'n\*' stands for"):
        run(lambda dataset_function: 1.0, study)


def test_a_design_that_leaves_no_column_is_an_error_before_anything_starts(study: AblationStudy) -> None:
    study.features.include("fare", "age", "noise")
    with pytest.raises(AblationError, match="train_set would be left without any column but the label"):
        run(lambda train_set: 1.0, study, train_set=TABLE, ablator="add-one-in")
    assert not Path("maggy-runs").exists()


def test_a_store_gives_no_trial_its_data_without_the_label_or_with_a_column_that_does_not_exist_left_out(
    study: AblationStudy,
) -> None:
    TABLE.to_parquet("titanic_1.parquet")

    class Careless(FirstFeature):
        def initialize(self) -> None:
            self.left = [{"ablated_feature": name} for name in (None, "survived", "fair")]

        def get_number_of_trials(self) -> int:
            return 3

        def get_model_generator(self, ablated_layer: str | None = None) -> None:
            return None

    result = run(lambda dataset: len(dataset.schema.names), study, ablator=Careless())
    whole, label, unknown = result.trials
    assert whole.final_metric == 4
    assert "'survived' is the label" in label.error
    assert "Did you mean 'fare'" in unknown.error


def test_leaving_out_what_the_function_does_not_take_is_an_error(study: AblationStudy) -> None:
    study.features.include("fare")
    with pytest.raises(
        AblationError, match=r"leaving out 'fare' would change nothing: noisy\(\) does not take train_set"
    ):
        run(noisy, study, train_set=TABLE)


def test_a_study_without_data_is_an_error(study: AblationStudy) -> None:
    study.features.include("fare")
    with pytest.raises(AblationError, match="the study has no data"):
        run(noisy, study)


def passengers(rows: int, ablated_features: tuple[str, ...] = ()) -> pd.DataFrame:
    return TABLE.drop(columns=list(ablated_features)).head(rows)


def test_a_generator_is_told_what_to_leave_out_and_the_function_does_not_know(
    study: AblationStudy, engine: Any
) -> None:
    study.features.include("fare")
    study.set_dataset_generator(passengers)

    def train(dataset_function: Any, dataset: Any) -> float:
        assert dataset is dataset_function
        data = dataset_function(3)
        return len(data) + 10 * len(list(data))

    assert metrics(run(train, study, engine)) == {"base": [43], "without fare": [33]}


def test_of_what_a_generator_makes_that_cannot_be_told_the_columns_are_left_out_afterwards(
    study: AblationStudy,
) -> None:
    study.features.include("fare")
    study.set_dataset_generator(lambda rows: TABLE.head(rows))
    result = run(lambda dataset_function: len(list(dataset_function(2))), study)
    assert metrics(result) == {"base": [4], "without fare": [3]}


def test_a_generator_that_ignores_what_it_is_told_fails_its_trials(study: AblationStudy) -> None:
    study.features.include("fare")
    study.set_dataset_generator(lambda ablated_features=(): TABLE)

    result = run(lambda dataset_function: len(dataset_function()), study)

    [failed] = result.failed_trials
    assert failed.params["variant"] == "without fare"
    assert "AblationError" in failed.error and "fare" in failed.error
    assert result.effects["fare"].effect is None
    assert "failed" in result.effects["fare"].note


def test_data_that_is_given_twice_is_an_error(study: AblationStudy) -> None:
    study.set_dataset_generator(passengers)
    study.features.include("fare")
    with pytest.raises(
        ConfigError, match="the data is given twice: by the config and by the study's dataset generator"
    ):
        run(columns, study, train_set=TABLE)


def test_a_feature_store_has_the_data(study: AblationStudy) -> None:
    TABLE.to_parquet("titanic_1.parquet")
    study.features.include("fare", "noise")

    def train(dataset: Any, dataset_function: Any) -> float:
        assert dataset_function() is dataset
        return len(dataset.to_table().column_names)

    assert metrics(run(train, study)) == {"base": [4], "without fare": [3], "without noise": [3]}


# --- models


def linear(inputs: int = 3) -> Any:
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(OrderedDict(body=nn.Linear(inputs, 3), relu=nn.ReLU(), output=nn.Linear(3, 1)))


def layers_of(model_function: Any) -> float:
    import torch

    net = model_function()
    net(torch.zeros(2, 3))
    return sum(isinstance(module, torch.nn.Linear | torch.nn.ReLU) for module in net)


def test_layers_are_left_out_of_what_the_function_makes(study: AblationStudy, engine: Any) -> None:
    import torch

    study.model.layers.include("body")
    study.model.layers.include_groups(["body", "relu"])
    study.model.add_custom_model_generator(lambda: torch.nn.Sequential(torch.nn.Linear(3, 1)), "depth")
    study.model.set_base_model_generator(linear)
    study.model.set_sample(torch.zeros(2, 3))

    result = run(layers_of, study, engine)

    assert metrics(result) == {
        "base": [3], "without body": [2], "without body, relu": [1], "without depth": [1],
    }  # fmt: skip


def test_another_model_stands_in_where_layers_cannot_be_left_out(study: AblationStudy) -> None:
    class Net:
        depth = 2

    class Shallow(Net):
        depth = 1

    study.model.add_custom_model_generator(Shallow, "depth")
    result = run(lambda model: model().depth, study, model=Net)
    assert metrics(result) == {"base": [2], "without depth": [1]}


def test_a_layer_that_is_not_there_or_cannot_go_is_an_error_before_anything_starts(study: AblationStudy) -> None:
    import torch

    study.model.layers.include("boddy")
    with pytest.raises(AblationError, match="body"):
        run(layers_of, study, model=linear)
    study.model.layers.exclude("boddy")
    study.model.layers.include("output")
    study.model.set_sample(torch.zeros(2, 3))
    with pytest.raises(AblationError, match="output"):
        run(layers_of, study, model=linear)
    assert not Path("maggy-runs").exists()


def test_a_model_that_is_given_twice_or_not_at_all_is_an_error(study: AblationStudy) -> None:
    study.model.layers.include("body")
    with pytest.raises(ConfigError, match="the study has no model"):
        run(noisy, study)
    study.model.set_base_model_generator(linear)
    with pytest.raises(ConfigError, match="the model is given twice"):
        run(layers_of, study, model=linear)


# --- designs, stops and ends


def test_two_that_stand_in_for_each_other_show_in_their_interaction(study: AblationStudy) -> None:
    study.components.include("dropout", "decay", off=False)

    def train(dropout: bool = True, decay: bool = True) -> float:
        return float(dropout or decay)

    result = run(train, study, ablator=LeaveTwoOut())
    assert {name: effect.effect for name, effect in result.effects.items()} == {
        "dropout": 0.0, "decay": 0.0, "dropout x decay": -1.0,
    }  # fmt: skip


@pytest.mark.parametrize(("ablator", "effects"), [("add-one-in", [10.0, 1.0]), ("Cumulative", [-1.0, -10.0])])
def test_other_designs_go_by_name(study: AblationStudy, ablator: str, effects: list[float]) -> None:
    study.components.include("ones", "tens", off=0)

    def train(ones: int = 1, tens: int = 1) -> float:
        return ones + 10 * tens

    result = run(train, study, ablator=ablator)
    assert [effect.effect for effect in result.effects.values()] == effects


def broadcasts(reporter: Any, seed: int, steps: int, good: bool = True) -> float:
    for step in range(3 if good else steps):
        reporter.broadcast(float(good), step)
    return float(good)


def test_no_trial_is_stopped_early_unless_that_is_asked_for(study: AblationStudy) -> None:
    study.components.include("good", off=False)
    assert {trial.state for trial in run(broadcasts, study, hparams={"steps": 3}).trials} == {TrialState.FINISHED}

    result = run(broadcasts, study, es_policy="median", es_min=0, repeats=3, hparams={"steps": 1_000_000})
    stopped = [trial for trial in result.trials if trial.state is TrialState.STOPPED]
    assert [trial.params["variant"] for trial in stopped] == ["without good"] * 3
    assert "was stopped early" in result.effects["good"].note
    assert result.effects["good"].effect is None


def test_a_study_that_was_interrupted_goes_on_and_no_trial_runs_twice(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    study.features.include("fare")

    driver = os.getpid()

    def train(train_set: pd.DataFrame, seed: int, reporter: Any, mixup: bool = True) -> float:
        import os
        import signal
        from pathlib import Path

        with Path("began").open("a") as file:
            file.write(".")
        if len(Path("began").read_text()) == 4:
            os.kill(driver, signal.SIGINT)
            while True:
                reporter.broadcast(0.0)
        return mixup + 10 * len(list(train_set)) + seed * 1e-12

    begun = run(train, study, train_set=TABLE, experiment_dir="run")
    assert begun.interrupted and len(begun.trials) == 3
    result = lagom(resume="run", engine="inline", verbose=0)
    assert len(result.trials) == 15
    assert len(Path("began").read_text()) == 16
    assert [round(effect.effect, 6) for effect in result.effects.values()] == [-10, -1]
    epochs = [record.event for record in read(ExperimentFolder.open("run")) if "DriverStarted" in str(record.event)]
    assert len(epochs) == 2


def test_what_replaces_data_lies_in_a_file_of_the_experiment_and_is_found_there_again(study: AblationStudy) -> None:
    big = pd.concat([TABLE] * 50_000, ignore_index=True)
    study.components.include("children", off=big, argument="train_set")

    def train(train_set: pd.DataFrame) -> float:
        return len(train_set)

    begun = run(train, study, train_set=TABLE, experiment_dir="run")
    assert Path("run/recipe.pkl").stat().st_size < 100_000
    assert len(list(Path("run/data").iterdir())) == 2
    Path("run").rename("moved")
    again = lagom(resume="moved", engine="inline", verbose=0, num_workers=3)
    assert metrics(again) == metrics(begun) == {"base": [4], "without children": [200_000]}

    study.components.include("children", off=big.head(9), argument="train_set")
    with pytest.raises(ResumeError, match=r"200000 rows.*9 rows"):
        lagom(train, of(study, train_set=TABLE), engine="inline", resume="moved", verbose=0)
    newer = lagom(train, of(study, train_set=TABLE, repeats=2), engine="inline", resume="moved", force=True, verbose=0)
    assert metrics(newer) == {"base": [4, 4], "without children": [200_000, 9]}


def test_a_study_that_has_changed_is_not_resumed(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    run(noisy, study, experiment_dir="run")
    study.components.include("warmup", off=0)
    with pytest.raises(ResumeError, match="warmup"):
        lagom(noisy, of(study), engine="inline", resume="run", verbose=0)


def wide(ablated_features: tuple[str, ...] = ()) -> pd.DataFrame:
    return passengers(4, ablated_features).assign(more=0)


CHANGES: dict[str, list[Any]] = {
    "off": [lambda study, off=off: study.components.include("sizes", off=off) for off in ([1], [1, 2])],
    "columns": [
        lambda study, columns=columns: study.features.include_groups(columns, name="two")
        for columns in (["fare", "age"], ["fare", "noise"])
    ],
    "generator": [
        lambda study, make=make: (study.set_dataset_generator(make), study.features.include("fare"))
        for make in (partial(passengers, 4), wide)
    ],
    "store": [
        lambda study, root=root: (setattr(study, "feature_store", ParquetStore(root)), study.features.include("fare"))
        for root in ("one", "two")
    ],
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_in_a_study_is_noticed_when_it_is_resumed(what: str) -> None:
    for root in ("one", "two"):
        Path(root).mkdir()
        TABLE.to_parquet(f"{root}/titanic_1.parquet")

    def train(dataset: Any = None, sizes: Any = (0,)) -> float:
        return len(sizes)

    begun, changed = (AblationStudy("titanic", 1, "survived") for _ in range(2))
    for study, change in zip((begun, changed), CHANGES[what], strict=True):
        change(study)
    given = {"dataset": TABLE} if what == "columns" else {}
    run(train, begun, experiment_dir="run", **given)
    lagom(train, of(begun, **given), engine="inline", resume="run", verbose=0)
    with pytest.raises(ResumeError, match="is not what was begun"):
        lagom(train, of(changed, **given), engine="inline", resume="run", verbose=0)


WIDTH = 8


def width() -> int:
    return WIDTH


def by_the_study(study: AblationStudy) -> None:
    study.model.set_base_model_generator(width)


def by_another_model(study: AblationStudy) -> None:
    study.model.set_base_model_generator(int)
    study.model.add_custom_model_generator(width, "depth")


@pytest.mark.parametrize(("give", "settings"), [(by_the_study, {}), (by_another_model, {}), (id, {"model": width})])
def test_a_study_whose_model_is_made_otherwise_is_not_resumed(
    study: AblationStudy, give: Any, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(model: Any, mixup: bool = True) -> float:
        return model() + mixup

    study.components.include("mixup", off=False)
    give(study)
    begun = run(train, study, experiment_dir="run", **settings)
    again = lagom(train, of(study, **settings), engine="inline", resume="run", verbose=0)
    assert metrics(again) == metrics(begun)
    monkeypatch.setattr(f"{__name__}.WIDTH", 16)
    with pytest.raises(ResumeError, match="WIDTH"):
        lagom(train, of(study, **settings), engine="inline", resume="run", verbose=0)


def test_the_same_seed_gives_the_same_study_and_another_gives_another(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    once, again, other = (run(noisy, study, seed=seed) for seed in (3, 3, 4))
    assert metrics(once) == metrics(again)
    assert metrics(once)["base"][0] != metrics(other)["base"][0]


# --- the developer API, and the flat form


class FirstFeature(AbstractAblator):
    """The base, and the first feature; the model is that of the ablator."""

    def initialize(self) -> None:
        self.left = [{"ablated_feature": None}, {"ablated_feature": self.ablation_study.features.list_all()[0]}]

    def get_number_of_trials(self) -> int:
        return 2

    def get_trial(self, ablation_trial: Trial | None = None) -> Trial | None:
        return Trial(self.left.pop(0)) if self.left else None

    def finalize_experiment(self, trials: list[Trial]) -> None:
        self.finalized = len(trials)

    def get_model_generator(self, ablated_layer: str | None = None) -> Any:
        return lambda: 0.5


def test_an_ablator_of_ones_own_says_what_is_left_out_and_makes_what_it_likes(
    study: AblationStudy, engine: Any
) -> None:
    study.features.include("age", "fare")

    def train(train_set: pd.DataFrame, model_function: Any) -> float:
        return len(list(train_set)) + model_function()

    ablator = FirstFeature()
    result = run(train, study, engine, ablator=ablator, train_set=TABLE, model=int)
    assert metrics(result) == {"base": [4.5], "without age": [3.5]}
    assert result.effects["age"].effect == -1.0
    assert ablator.finalized == 2


def test_the_flat_form_of_the_first_versions(study: AblationStudy) -> None:
    study.features.include("fare")
    study.set_dataset_generator(passengers)

    def training_function(dataset_function: Any, reporter: Any) -> dict[str, Any]:
        return {"metric": len(list(dataset_function(2))), "log": "fine"}

    result = experiment.lagom(
        map_fun=training_function,
        experiment_type="ablation",
        ablation_study=study,
        ablator="loco",
        name="Titanic-LOCO",
        engine="inline",
        verbose=0,
    )
    assert result["best_config"] == {"variant": "base", "repeat": 0}
    assert result["worst_config"] == {"variant": "without fare", "repeat": 0}
    assert "Titanic-LOCO" in result.experiment_dir


def test_an_ablator_that_does_not_exist_and_a_study_that_is_none_are_errors(study: AblationStudy) -> None:
    study.components.include("mixup", off=False)
    with pytest.raises(UnknownNameError, match=r"unknown ablator 'locco'\. Did you mean 'loco'"):
        run(noisy, study, ablator="locco")
    with pytest.raises(ConfigError, match="ablation_study has to be an AblationStudy, got str"):
        run(noisy, "titanic")
    with pytest.raises(AblationError, match="nothing to leave out"):
        run(noisy, AblationStudy())
    with pytest.raises(SignatureError, match=r"asks for 'modle', which nobody provides\. Did you mean 'mod"):
        run(lambda modle, mixup=True: 1.0, study, model=int)


class OwnMaker(FirstFeature):
    """Makes data and model itself, from what it knows of the study."""

    def initialize(self) -> None:
        super().initialize()
        self.offset = 0.5

    def get_dataset_generator(self, ablated_feature: str | None = None, dataset_type: str | None = None) -> Any:
        assert self.ablation_study.label_name == "survived"
        return lambda: TABLE.drop(columns=[ablated_feature] if ablated_feature else [])

    def get_model_generator(self, ablated_layer: str | None = None) -> Any:
        offset = self.offset
        return lambda: offset


@pytest.mark.parametrize("ablator", [OwnMaker, OwnMaker()])
def test_an_ablator_that_makes_data_and_model_needs_no_others_and_is_on_workers_what_it_is_here(
    study: AblationStudy, ablator: Any, engine: Any
) -> None:
    study.features.include("age")

    def train(dataset_function: Any, model_function: Any) -> float:
        return len(list(dataset_function())) + model_function()

    assert metrics(run(train, study, engine, ablator=ablator)) == {"base": [4.5], "without age": [3.5]}


def test_an_ablator_travels_without_the_tables_of_its_study(study: AblationStudy) -> None:
    study.features.include("age")
    weekdays = pd.DataFrame({"x": np.random.default_rng(0).random(500_000)})
    study.components.include("weekends", off=weekdays, argument="train_set")
    study.model.set_sample(np.zeros((1000, 1000)))
    ablator = OwnMaker()

    about = Ablating(of(study, ablator=ablator, train_set=TABLE), lambda dataset, model, train_set: 1.0)
    ablator.ablation_study = study

    assert len(cloudpickle.dumps(about.arrangement(lambda name, data: None))) < 100_000
    assert ablator.ablation_study is study


def test_an_ablator_that_never_tries_the_whole_has_no_effects_and_says_so(study: AblationStudy) -> None:
    study.features.include("age", "fare")

    class NoBase(FirstFeature):
        def initialize(self) -> None:
            self.left = [{"ablated_feature": "age"}, {"ablated_feature": "fare"}]

    result = run(lambda train_set, model: 1.0, study, ablator=NoBase, train_set=TABLE)
    assert result.effects["age"].note == "'base' has no result in 1 of 1 repeats"
    assert "base: no result, 1 repeat" in str(result.effects)
    assert not result.effects.in_steps


def test_an_ablator_has_to_say_how_many_trials_there_are(study: AblationStudy) -> None:
    study.features.include("age")

    class Silent(FirstFeature):
        def get_number_of_trials(self) -> None:
            return None

    with pytest.raises(ConfigError, match=r"Silent\.get_number_of_trials must return a whole number .* got None"):
        run(lambda model: 1.0, study, ablator=Silent)


# --- names that others have too


def test_a_hyperparameter_may_be_called_as_an_entry_of_the_study_is(study: AblationStudy) -> None:
    study.components.include("variant", off="s")

    def train(variant: str, repeat: int) -> float:
        return len(variant) + 10 * repeat

    result = run(train, study, hparams={"variant": "large", "repeat": 3})
    assert metrics(result) == {"base": [35], "without variant": [31]}


def test_tables_of_switches_lie_in_the_experiments_folder_whatever_they_are_called(study: AblationStudy) -> None:
    study.components.include("../../../up and away", off=TABLE[:1], argument="train_set")
    study.components.include("x" * 300, off=TABLE[:2], argument="train_set")
    result = run(lambda train_set: len(train_set), study, train_set=TABLE, experiment_dir="run")
    assert [effect.effect for effect in result.effects.values()] == [-3, -2]
    assert len(list(Path("run/data").iterdir())) == 3


# --- what need not be there


def test_a_dataset_that_the_function_can_do_without_is_not_looked_for(study: AblationStudy) -> None:
    study.components.include("mixup", off=0.0)

    def train(hparams: dict[str, Any], dataset: Any = None) -> float:
        return hparams["mixup"] + len({"dataset": dataset})

    assert metrics(run(train, study, hparams={"mixup": 1.0})) == {"base": [2], "without mixup": [1]}


def test_where_models_stand_in_for_each_other_the_base_may_be_of_any_kind(study: AblationStudy) -> None:
    study.model.add_custom_model_generator(lambda depth: depth, "bagging")
    study.components.include("doubling", off=lambda depth: 0, argument="model")
    study.model.set_base_model_generator(lambda depth: 2 * depth)
    result = run(lambda model: model(3), study)
    assert metrics(result) == {"base": [6], "without bagging": [3], "without doubling": [0]}


def test_a_model_that_was_made_already_is_an_error_wherever_it_is_given(study: AblationStudy) -> None:
    from torch import nn

    made, says = nn.Linear(1, 1), r"got an object of Linear\. All trials would share one"
    study.components.include("width", off=made, argument="model")
    with pytest.raises(ConfigError, match=says):
        run(lambda model: 1.0, study, model=nn.Linear)
    study.components.exclude("width")
    study.model.add_custom_model_generator(made, "width")
    with pytest.raises(ConfigError, match=says):
        run(lambda model: 1.0, study, model=nn.Linear)
    study = AblationStudy()
    study.features.include("fare")
    study.model.set_base_model_generator(made)
    with pytest.raises(ConfigError, match=says):
        run(lambda model, train_set: 1.0, study, train_set=TABLE)


def test_an_off_value_that_is_equal_changes_nothing_whatever_its_type(study: AblationStudy) -> None:
    study.components.include("decay", off=0)
    with pytest.raises(AblationError, match=r"'decay' is 0\.0 in the whole training too"):
        run(lambda decay=0.0: decay, study)


class Filled(Ablator):
    """Fills each feature, where the study says to leave it out."""

    def make_design(self, components: Any) -> Design:
        [one] = components
        return Design(
            variants=[Variant(name="base"), Variant(name="filled", without=(replace(one, fill=-5.0),))],
            contrasts=[Contrast(name=one.name, weights={"filled": 1, "base": -1})],
        )


def test_a_design_of_ones_own_may_leave_out_in_another_way_than_the_study(study: AblationStudy) -> None:
    study.features.include("fare")
    result = run(lambda train_set: float(train_set.fare.min()), study, train_set=TABLE, ablator=Filled)
    assert metrics(result) == {"base": [0.0], "filled": [-5.0]}
