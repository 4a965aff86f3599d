import copy
import json
import math
import pickle
import random
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searchspace.strategies import templates

from maggy.errors import SearchspaceError
from maggy.searchspace import (
    Categorical,
    Constant,
    Discrete,
    Double,
    FuncParam,
    Grid,
    Integer,
    NormalRand,
    Rand,
    RandInt,
    Searchspace,
)
from maggy.searchspace.structure import holds_expression
from maggy.testing.streams import global_streams


def sample_space() -> Searchspace:
    sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("integer", (2, 8)))
    sp.add("dropout", ("DOUBLE", [0.01, 0.99]))
    sp.add("batch", ("Discrete", [16, 32, 64]))
    sp.add("act", ("CATEGORICAL", ["relu", None, [1, 2]]))
    return sp


def test_the_seeds_sample_reads_back_in_every_historical_way():
    sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
    sp.add("dropout", ("DOUBLE", [0.01, 0.99]))

    assert sp.kernel == [2, 8]
    assert sp.dropout == [0.01, 0.99]
    assert sp.get("pool") == [2, 8]
    assert sp.get("absent") is None
    assert sp.get("absent", 7) == 7
    assert sp.names() == {"kernel": "INTEGER", "pool": "INTEGER", "dropout": "DOUBLE"}
    assert sp.keys() == ["kernel", "pool", "dropout"]
    assert sp.values() == [("INTEGER", [2, 8]), ("INTEGER", [2, 8]), ("DOUBLE", [0.01, 0.99])]
    assert list(sp.items()) == [
        {"name": "kernel", "type": "INTEGER", "values": [2, 8]},
        {"name": "pool", "type": "INTEGER", "values": [2, 8]},
        {"name": "dropout", "type": "DOUBLE", "values": [0.01, 0.99]},
    ]
    assert list(sp) == list(sp.items())
    assert "pool" in sp
    assert "keys" not in sp
    assert len(sp) == 3
    assert sp.to_dict() == {
        "kernel": ("INTEGER", [2, 8]),
        "pool": ("INTEGER", [2, 8]),
        "dropout": ("DOUBLE", [0.01, 0.99]),
    }
    assert (
        sp.json() == '{"kernel": ["INTEGER", [2, 8]], "pool": ["INTEGER", [2, 8]], "dropout": ["DOUBLE", [0.01, 0.99]]}'
    )
    assert repr(sp) == (
        "Searchspace(kernel=('INTEGER', [2, 8]), pool=('INTEGER', [2, 8]), dropout=('DOUBLE', [0.01, 0.99]))"
    )


def test_two_iterations_over_one_space_do_not_disturb_each_other():
    sp = sample_space()
    pairs = [(a["name"], b["name"]) for a in sp for b in sp]
    assert len(pairs) == 25


@pytest.mark.parametrize(
    "again",
    [
        lambda sp: Searchspace(**sp.to_dict()),
        lambda sp: Searchspace(**json.loads(sp.json())),
        lambda sp: Searchspace(**sp.parameters),
        lambda sp: pickle.loads(pickle.dumps(sp)),
        copy.copy,
        copy.deepcopy,
        lambda sp: eval(repr(sp)),
    ],
)
def test_a_space_equals_what_is_read_back_from_it(again):
    assert again(sample_space()) == sample_space()


def test_spaces_differ_by_type_by_region_and_by_order():
    sp = Searchspace(a=("INTEGER", [1, 3]), b=("DISCRETE", [1, 2]))
    assert sp == Searchspace(a=("INTEGER", [1, 3]), b=("DISCRETE", [1, 2]))
    assert sp != Searchspace(a=("INTEGER", [1, 4]), b=("DISCRETE", [1, 2]))
    assert sp != Searchspace(a=("DOUBLE", [1, 3]), b=("DISCRETE", [1, 2]))
    assert sp != Searchspace(a=("INTEGER", [1, 3]), b=("CATEGORICAL", [1, 2]))
    assert sp != Searchspace(b=("DISCRETE", [1, 2]), a=("INTEGER", [1, 3]))
    assert sp != {"a": ("INTEGER", [1, 3]), "b": ("DISCRETE", [1, 2])}


def test_typed_parameters_can_be_given_and_are_what_the_tuples_become():
    sp = Searchspace(k=Integer(2, 8), lr=Double(0, 1), b=Discrete([16, 32]), act=Categorical(["relu"]))
    assert dict(sp.parameters) == {
        "k": Integer(2, 8),
        "lr": Double(0.0, 1.0),
        "b": Discrete((16, 32)),
        "act": Categorical(("relu",)),
    }
    assert sp == Searchspace(
        k=("INTEGER", [2, 8]), lr=("DOUBLE", [0, 1]), b=("DISCRETE", [16, 32]), act=("CATEGORICAL", ["relu"])
    )


def test_what_a_space_hands_out_cannot_be_used_to_change_it():
    sp = sample_space()
    sp.kernel.append(99)
    sp.act[2].append(99)
    sp.names()["new"] = "DOUBLE"
    with pytest.raises(TypeError):
        sp.parameters["new"] = Integer(1, 2)
    assert sp == sample_space()


def test_an_absent_name_is_an_attribute_error_that_lists_the_present_ones():
    with pytest.raises(AttributeError, match=r"no hyperparameter 'kernl', only \['kernel', 'pool'"):
        _ = sample_space().kernl


def test_numpy_values_become_plain_python_values():
    sp = Searchspace(
        k=("INTEGER", np.array([2, 8])),
        lr=("DOUBLE", [np.float32(0.5), np.float64(1.5)]),
        b=("DISCRETE", np.linspace(0, 1, 3)),
        n=("DISCRETE", range(3)),
        act=("CATEGORICAL", [np.str_("relu"), np.bool_(True), [np.int64(3)], np.array(4)]),
    )
    assert sp.to_dict() == {
        "k": ("INTEGER", [2, 8]),
        "lr": ("DOUBLE", [0.5, 1.5]),
        "b": ("DISCRETE", [0.0, 0.5, 1.0]),
        "n": ("DISCRETE", [0, 1, 2]),
        "act": ("CATEGORICAL", ["relu", True, [3], 4]),
    }
    assert [type(value) for value in sp.act] == [str, bool, list, int]


def test_a_draw_is_repeated_by_its_seed_and_leaves_the_global_streams_alone():
    sp = sample_space()
    before = global_streams()
    assert sp.get_random_parameter_values(5, seed=3) == sp.get_random_parameter_values(5, seed=3)
    assert sp.get_random_parameter_values(5, seed=3) != sp.get_random_parameter_values(5, seed=4)
    assert sp.get_random_parameter_values(5) != sp.get_random_parameter_values(5)
    assert global_streams() == before


def test_global_streams_notices_a_draw_from_either_global_stream():
    before = global_streams()
    random.random()
    after_python = global_streams()
    np.random.random()  # noqa: NPY002  the stream that must not be used
    assert len({before, after_python, global_streams()}) == 3


def test_both_bounds_of_an_integer_and_every_choice_are_drawn():
    # 400 draws miss one of 7 values with a chance of at most 7 * (6/7)**400 < 1e-25; the seed is fixed anyway
    configs = sample_space().get_random_parameter_values(400, seed=0)
    assert {config["kernel"] for config in configs} == {2, 3, 4, 5, 6, 7, 8}
    assert {config["batch"] for config in configs} == {16, 32, 64}
    assert {json.dumps(config["act"]) for config in configs} == {'"relu"', "null", "[1, 2]"}


bounds = st.tuples(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53)).filter(lambda b: b[0] < b[1])
floats = st.floats(allow_nan=False, allow_infinity=False)
wide = st.tuples(floats, floats).filter(lambda b: b[0] < b[1] and math.isfinite(b[1] - b[0]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | floats | st.text(),
    lambda value: st.lists(value, max_size=3),
    max_leaves=5,
)


@given(
    integer=bounds,
    double=wide,
    choices=st.lists(json_values, min_size=1, max_size=5, unique_by=json.dumps),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_drawn_lies_in_the_space_and_survives_json(integer, double, choices, seed):
    sp = Searchspace(i=("INTEGER", integer), d=("DOUBLE", double), c=("CATEGORICAL", choices))
    assert Searchspace(**json.loads(sp.json())) == sp
    for config in sp.get_random_parameter_values(3, seed=seed):
        assert json.loads(json.dumps(config)) == config
        assert type(config["i"]) is int
        assert type(config["d"]) is float
        assert all(config[name] in parameter for name, parameter in sp.parameters.items())


def test_what_lies_in_a_parameter():
    assert 2 in Integer(2, 8)
    assert 8 in Integer(2, 8)
    assert 9 not in Integer(2, 8)
    assert 2.0 not in Integer(2, 8)
    assert True not in Integer(0, 8)
    assert 0.5 in Double(0, 1)
    assert 1 in Double(0, 1)
    assert math.nan not in Double(0, 1)
    assert "1" not in Double(0, 1)
    assert 1 in Discrete([1, 2])
    assert True not in Discrete([1, 2])
    assert [1] in Categorical([[1], [2]])


def test_a_grid_lists_every_value_of_a_parameter_and_a_double_has_none():
    assert list(Integer(2, 5).grid) == [2, 3, 4, 5]
    assert list(Discrete([16, 32]).grid) == [16, 32]
    assert len(Integer(0, 2**53).grid) == 2**53 + 1  # made on demand
    assert Double(0, 1).grid is None


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (("FLOAT", [0, 1]), "'x': unknown type 'FLOAT', known: INTEGER, DOUBLE, DISCRETE, CATEGORICAL, NORMAL"),
        (("INTEGER", 2, 8), "expected a pair of a type and a list"),
        (("INTEGER",), "expected a pair of a type and a list"),
        ([2, 8], "expected a pair of a type and a list"),
        ("INTEGER", "expected a pair of a type and a list"),
        (("CATEGORICAL", "relu"), "expected a list after CATEGORICAL"),
        (("DOUBLE", 0.5), "expected a list after DOUBLE"),
        (("CATEGORICAL", {"relu", "tanh"}), "expected a list after CATEGORICAL"),
        (("INTEGER", []), "list of values is empty"),
        (("DISCRETE", []), "list of values is empty"),
        (("CATEGORICAL", np.array([])), "list of values is empty"),
        (("INTEGER", [1, 2, 3]), "INTEGER takes two bounds, .low, high., got 3 values; or use DISCRETE"),
        (("DOUBLE", [1]), "DOUBLE takes two bounds"),
        (("INTEGER", [8, 2]), "lower bound 8 must be less than the upper bound 2"),
        (("DOUBLE", [0.5, 0.5]), "must be less than the upper bound 0.5; for a constant use"),
        (("INTEGER", [2.0, 8.0]), "must be whole numbers, got 2.0; or use DOUBLE"),
        (("INTEGER", ["2", "8"]), "bounds of INTEGER must be numbers, got '2'"),
        (("DOUBLE", [None, 1]), "bounds of DOUBLE must be numbers, got None"),
        (("INTEGER", [False, True]), "bounds of INTEGER must be numbers, got False"),
        (("DOUBLE", [0, True]), "bounds of DOUBLE must be numbers, got True"),
        (("DOUBLE", [math.nan, 1]), "nan is not a finite number"),
        (("DOUBLE", [0, math.inf]), "inf is not a finite number"),
        (("DOUBLE", [-1.7e308, 1.7e308]), "too wide"),
        (("INTEGER", [0, 2**53 + 1]), "beyond 2..53"),
        (("DISCRETE", [16, 32, 16]), "the value 16 occurs twice"),
        (("CATEGORICAL", [[1], [1]]), r"the value \[1\] occurs twice"),
        (("CATEGORICAL", [math.nan]), "not a finite number"),
        (("CATEGORICAL", [max, min]), "use a name, e.g. 'relu', and look up what it stands for inside"),
        (("CATEGORICAL", [(3, 3)]), "of type tuple"),
        (("CATEGORICAL", [{"a": 1}]), "of type dict"),
        (("CATEGORICAL", [[np.float64]]), "use a name"),
        (("CATEGORICAL", [Colour.RED]), "of type Colour"),
        (("CATEGORICAL", [np.datetime64("2024-01-01")]), "of type date"),
    ],
)
def test_what_cannot_be_searched_is_refused_and_leaves_the_space_as_it_was(value, message):
    sp = Searchspace(a=("INTEGER", [1, 2]))
    with pytest.raises(SearchspaceError, match=message) as caught:
        sp.add("x", value)
    assert str(caught.value).startswith("hyperparameter 'x': ")
    assert sp.keys() == ["a"]
    assert isinstance(caught.value, ValueError)  # as the seeds raised


def test_values_that_only_look_equal_are_different_choices():
    assert Searchspace(max_features=("CATEGORICAL", [1, 1.0, True, "1"])).max_features == [1, 1.0, True, "1"]


@pytest.mark.parametrize(
    "name",
    [
        *["hparams", "reporter", "model", "module", "dataset", "train_set", "test_set", "model_function"],
        *["dataset_function", "budget", "resource", "context"],  # what lagom passes
        *["keys", "values", "items", "get", "add", "names", "to_dict", "json", "get_random_parameter_values"],
        *["draw", "parameters", "__init__"],  # what a space has
    ],
)
def test_names_that_mean_something_else_are_reserved(name):
    with pytest.raises(SearchspaceError, match=f"the name '{name}' is reserved"):
        Searchspace(**{name: ("INTEGER", [1, 2])})


@pytest.mark.parametrize("name", ["learning rate", "lr-1", "1st", "", "lambda", "None", 5, None])
def test_names_that_no_function_could_take_are_refused(name):
    with pytest.raises(SearchspaceError, match=f"{name!r} cannot name a hyperparameter"):
        Searchspace().add(name, ("INTEGER", [1, 2]))


def test_a_name_cannot_be_added_twice():
    sp = Searchspace(lr=("DOUBLE", [0, 1]))
    with pytest.raises(SearchspaceError, match="there is a hyperparameter 'lr' already"):
        sp.add("lr", ("DOUBLE", [0, 2]))
    assert sp.lr == [0, 1]


def rich_space() -> Searchspace:
    rate = Rand(1e-5, 1e-1, log=True).prior(1e-3, "high")
    return Searchspace(
        rate=rate,
        warm_up_rate=rate,  # the same object: one variable
        units=("INTEGER", [8, 64], {"q": 8}),
        optimizer=("CATEGORICAL", ["sgd", None], {"prior": None}),
        momentum=("double", [0, 1], {"when": {"optimizer": "sgd"}, "log": False, "q": None}),
        noise=("NORMAL", [0, 1], {"q": 0.5}),
        cell=Grid("a", "b"),
        depth=3,
        kind="INTEGER-like",
        shape=Constant([1, ["DOUBLE", [0, 1]]]),
        network={"name": "mlp", "layers": [RandInt(1, 9), ("DISCRETE", [1, 2]), rate, {"deep": rate}]},
        towers=[RandInt(1, 3), ("INTEGER", [1, 3])],
        note=Constant("sgd only").when(optimizer="sgd"),
    ).forbid(units=8, **{"network.layers.1": [2]})


def test_tuples_may_have_options():
    sp = rich_space()
    assert sp.parameters["rate"] == Rand(1e-5, 1e-1, log=True).prior(1e-3, "high")
    assert sp.parameters["units"] == RandInt(8, 64, q=8)
    assert sp.parameters["momentum"] == Double(0, 1).when(optimizer="sgd")
    assert sp.parameters["optimizer"] == Categorical(["sgd", None]).prior(None)
    assert sp.parameters["noise"] == NormalRand(0, 1, q=0.5)
    assert sp.to_dict()["rate"] == ("DOUBLE", [1e-5, 1e-1], {"log": True, "prior": 1e-3, "confidence": "high"})
    assert sp.to_dict()["depth"] == ("CONSTANT", [3])


def test_nested_hyperparameters_have_dotted_names_and_constants_are_none():
    sp = rich_space()
    assert list(sp.names()) == [
        *["rate", "units", "optimizer", "momentum", "noise", "cell"],
        *["network.layers.0", "network.layers.1", "towers.0", "towers.1"],
    ]
    assert len(sp) == len(sp.keys()) == 13
    assert sp.get("network.layers.0") == [1, 9]
    assert sp.get("depth") is None
    assert "depth" in sp
    params = sp.draw(np.random.default_rng(0))
    assert params["depth"] == 3
    assert params["shape"] == [1, ["DOUBLE", [0, 1]]]
    assert params["network"]["layers"][2] == params["network"]["layers"][3]["deep"] == params["rate"]
    assert sp.decode(sp.encode(params)).keys() == params.keys()


@pytest.mark.parametrize(
    "again",
    [
        lambda sp: Searchspace(**sp.to_dict()),
        lambda sp: Searchspace(**json.loads(sp.json())),
        lambda sp: Searchspace.from_json(sp.json()),
        lambda sp: pickle.loads(pickle.dumps(sp)),
        copy.copy,
        copy.deepcopy,
        lambda sp: eval(repr(sp)),
    ],
)
def test_whatever_a_space_holds_is_read_back(again):
    sp = rich_space()
    params = sp.draw(np.random.default_rng(1))
    sp.start_with(params)
    assert again(sp) == sp
    assert again(sp).starts == (params,)
    assert again(sp) != rich_space()
    assert again(sp).draw(np.random.default_rng(2)) == sp.draw(np.random.default_rng(2))


def nothing(params):
    return False


def test_functions_are_read_back_from_the_dict_and_refused_by_json():
    sp = Searchspace(x=("INTEGER", [1, 9]), y=FuncParam(abs, RandInt(-9, -1))).forbid(nothing)
    assert Searchspace(**sp.to_dict()) == sp
    with pytest.raises(SearchspaceError, match=r"the function .*, which cannot be written as JSON"):
        sp.json()


@given(template=templates())
def test_any_template_makes_a_searchspace_that_json_holds(template):
    sp = Searchspace(
        **{
            name: Constant(value) if isinstance(value, str | list) and not holds_expression(value) else value
            for name, value in template.items()
        }
    )
    assert Searchspace.from_json(sp.json()) == sp
    assert Searchspace(**sp.to_dict()) == sp


def test_numbers_and_back_as_in_the_earlier_versions():
    sp = Searchspace(lr=("DOUBLE", [0, 2]), units=("INTEGER", [10, 20]), act=("CATEGORICAL", ["relu", "tanh", 1, True]))
    assert sp.transform([0.5, 15, "tanh"]) == [0.25, 0.5, 1.0]
    assert sp.transform({"units": 20, "act": True, "lr": 2}) == [1.0, 1.0, 3.0]
    assert sp.transform([0, 10, True], normalize_categorical=True) == [0.0, 0.0, 1.0]
    assert sp.inverse_transform([0.25, 0.51, 1.0]) == [0.5, 15, "tanh"]
    assert sp.inverse_transform([0.25, 0.5, 2 / 3], normalize_categorical=True) == [0.5, 15, 1]
    for params in sp.get_random_parameter_values(20, seed=0):
        for normalize in (False, True):
            again = sp.inverse_transform(sp.transform(params, normalize), normalize)
            assert again == [pytest.approx(params["lr"]), params["units"], params["act"]]
    with pytest.raises(SearchspaceError, match="expected 3 values, got 2"):
        sp.transform([0.5, 15])
    with pytest.raises(SearchspaceError, match="'elu' is none of"):
        sp.transform([0.5, 15, "elu"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (("DOUBLE", [0, 1], {"lgo": True}), "DOUBLE has no option 'lgo', only log, q, when, prior, confidence"),
        (("CATEGORICAL", ["a"], {"log": True}), "CATEGORICAL has no option 'log'"),
        (("DOUBLE", [0, 1], {"log": True}), "a log scale needs a lower bound above 0"),
        (("DOUBLE", [0, 1], True), "expected a pair of a type and a list"),
        (("DOUBLE", [0, 1], {"prior": 2}), "the prior 2 lies outside of"),
        (("NORMAL", [0]), "NORMAL takes two numbers, .mu, sigma., got 1 values"),
        (("CONSTANT", [0, 1]), "CONSTANT takes one value, .value., got 2 values"),
        ([], "expected a pair of a type and a list"),
        ({"a": [1, object()]}, "'x.a.1': a value must be a str"),
    ],
)
def test_what_makes_no_sense_as_a_hyperparameter_is_refused(value, message):
    with pytest.raises(SearchspaceError, match=message) as caught:
        Searchspace(x=value)
    assert str(caught.value).startswith("hyperparameter 'x")
