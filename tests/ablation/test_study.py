"""What a study leaves out, in the seeds' words and beyond."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from maggy.ablation import AblationStudy
from maggy.ablation.components import CustomModel, Features, Layers, Switch
from maggy.errors import AblationError, UnknownNameError


@pytest.fixture
def study() -> AblationStudy:
    return AblationStudy("titanic_train_dataset", 1, "survived")


def test_the_calls_of_the_slides(study: AblationStudy) -> None:
    study.features.include("pclass", "fare")
    study.model.layers.include_groups(prefix="my_dense")

    assert study.list_all() == [
        Features(name="pclass", columns=("pclass",)),
        Features(name="fare", columns=("fare",)),
        Layers(name="my_dense*", patterns=("my_dense*",)),
    ]


def test_a_list_stands_for_what_is_in_it_and_nothing_is_included_twice(study: AblationStudy) -> None:
    study.features.include(["pclass", "fare"], "age", "fare")
    study.model.layers.include("a", ["b", "a"])

    assert study.features.list_all() == ["pclass", "fare", "age"]
    assert study.model.layers.list_all() == ["a", "b"]


def test_what_was_included_can_be_taken_back(study: AblationStudy) -> None:
    study.features.include("pclass", "fare", "age")
    study.features.include_groups(["age", "fare"], prefix="cabin_")
    study.features.exclude("fare", ["age"])
    study.features.exclude_groups(["fare", "age"])
    study.model.layers.include("a", "b", how="zero")
    study.model.layers.include_groups(["a", "b"])
    study.model.layers.exclude("a")
    study.model.layers.exclude_groups(["b", "a"])
    study.components.include("mixup", "cutout", off=False)
    study.components.exclude("mixup")

    assert [each.name for each in study.list_all()] == ["pclass", "cabin_*", "b (zero)", "cutout"]


@pytest.mark.parametrize("take_back", [
    lambda study: study.features.exclude("fair"),
    lambda study: study.features.exclude_groups(prefix="fare"),
    lambda study: study.model.layers.exclude("dense"),
    lambda study: study.components.exclude("mixin"),
])  # fmt: skip
def test_what_was_not_included_cannot_be_taken_back(study: AblationStudy, take_back) -> None:
    study.features.include("fare")
    study.model.layers.include("my_dense")
    study.components.include("mixup", off=False)
    with pytest.raises(UnknownNameError, match="of this study '"):
        take_back(study)


def test_a_group_of_one_is_no_group(study: AblationStudy) -> None:
    with pytest.raises(AblationError, match=r"a group has at least two members, got \('fare',\)"):
        study.features.include_groups(["fare"])
    with pytest.raises(AblationError, match="goes into include"):
        study.model.layers.include_groups("my_dense")


def test_a_group_may_have_a_name(study: AblationStudy) -> None:
    study.features.include_groups(["sibsp", "parch"], name="family")
    study.model.layers.include_groups(prefix="my_dense", name="middle", how="freeze")
    assert [each.name for each in study.list_all()] == ["family", "middle (freeze)"]
    with pytest.raises(AblationError, match="name='family' goes with one group, got 2"):
        study.features.include_groups(["sibsp", "parch"], prefix="cabin", name="family")


def test_there_are_four_ways_to_leave_out_a_layer_and_each_has_a_name_of_its_own(study: AblationStudy) -> None:
    for how in ("identity", "zero", "freeze", "reinit"):
        study.model.layers.include("body", how=how)
    assert study.model.layers.list_all() == ["body", "body (zero)", "body (freeze)", "body (reinit)"]
    with pytest.raises(UnknownNameError, match="unknown way to leave a layer out 'frozen'"):
        study.model.layers.include("body", how="frozen")


def test_a_feature_that_is_filled_says_so(study: AblationStudy) -> None:
    study.features.include("fare", fill=0.0)
    assert study.list_all() == [Features(name="fare = 0", columns=("fare",), fill=0.0)]


def test_a_switch_is_an_argument_or_stands_for_one(study: AblationStudy) -> None:
    study.components.include("mixup", "cutout", off=False)
    study.components.include("weekends", off="weekdays.parquet", argument="train_set")

    assert study.list_all() == [
        Switch(name="mixup", argument="mixup", off=False),
        Switch(name="cutout", argument="cutout", off=False),
        Switch(name="weekends", argument="train_set", off="weekdays.parquet"),
    ]
    with pytest.raises(AblationError, match="argument='train_set' goes with one name, got 2"):
        study.components.include("weekends", "nights", off=None, argument="train_set")


def test_other_models_are_compared_under_their_own_names(study: AblationStudy) -> None:
    def no_attention() -> None: ...

    study.model.add_custom_model_generator(no_attention, "attention")
    assert study.list_all() == [CustomModel(name="attention", generator=no_attention)]


def test_a_feature_and_a_layer_of_the_same_name_are_told_apart(study: AblationStudy) -> None:
    study.features.include("age")
    study.model.layers.include("age")
    assert [each.name for each in study.list_all()] == ["feature age", "layer age"]


def test_two_models_of_the_same_name_are_an_error(study: AblationStudy) -> None:
    study.model.add_custom_model_generator(int, "attention")
    study.model.add_custom_model_generator(float, "attention")
    with pytest.raises(AblationError, match="twice; give each component a name of its own"):
        study.list_all()


@pytest.mark.parametrize("give", [
    lambda study: study.set_dataset_generator("titanic.csv"),
    lambda study: study.model.set_base_model_generator([]),
    lambda study: study.model.add_custom_model_generator(None, "other"),
    lambda study: study.components.include(3, off=None),
    lambda study: study.model.layers.include(3),
])  # fmt: skip
def test_what_is_no_generator_and_no_name_is_refused(study: AblationStudy, give) -> None:
    with pytest.raises((AblationError, TypeError)):
        give(study)


def test_a_study_of_maggy_0_3_has_no_version() -> None:
    study = AblationStudy("titanic_train_dataset", "survived")
    assert (study.training_dataset_version, study.label_name) == (None, "survived")


def test_a_study_describes_itself_in_json(study: AblationStudy) -> None:
    study.features.include("fare")
    study.model.layers.include("body", how="zero")
    study.components.include("mixup", off=False)
    study.components.include("weekends", off=object(), argument="train_set")

    told = json.loads(json.dumps(study.to_dict()))
    assert told["included_features"] == ["fare"]
    assert told["included_layers"] == ["body (zero)"]
    assert told["components"]["fare"] == {"name": "fare", "columns": ["fare"], "fill": None}
    assert told["components"]["mixup"] == {"name": "mixup", "argument": "mixup", "off": False}
    assert told["components"]["weekends"] == {"name": "weekends", "argument": "train_set", "off": "object"}


def test_one_column_may_be_left_out_and_filled_and_is_taken_back_with_both(study: AblationStudy) -> None:
    study.features.include(np.int64(3))
    study.features.include([3], fill=0)
    assert study.features.list_all() == ["3", "3 = 0"]
    study.features.exclude(3)
    assert study.features.list_all() == []


@pytest.mark.parametrize("wrong", [None, 1.5, "", [None]])
def test_what_names_no_column_is_refused(study: AblationStudy, wrong: Any) -> None:
    with pytest.raises(AblationError, match=r"named by text, or columns by their position"):
        study.features.include(wrong)


def test_a_fill_is_a_number(study: AblationStudy) -> None:
    with pytest.raises(AblationError, match="fill is a number that stands in the place of a column, got 'mean'"):
        study.features.include("fare", fill="mean")


def test_groups_are_printed_on_their_own(study: AblationStudy, capsys) -> None:
    study.model.layers.include("first")
    study.model.layers.include_groups(["a", "b"], prefix="my_dense")
    study.model.layers.print_all()
    assert capsys.readouterr().out.splitlines() == ["first", "a, b", "my_dense*"]
    study.model.layers.print_all_groups()
    assert capsys.readouterr().out.splitlines() == ["a, b", "my_dense*"]
