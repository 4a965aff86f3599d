"""Spaces: nested values, grids, samples, unions and products."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searchspace.strategies import spaces, templates

from maggy.errors import SearchspaceError
from maggy.searchspace import (
    Choice,
    Constant,
    Double,
    FuncParam,
    Grid,
    Normal,
    Rand,
    RandInt,
    Searchspace,
    Space,
)
from maggy.testing.streams import global_streams


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_configuration_is_nested_as_the_user_wrote_it():
    space = Space(name="mlp", optim={"lr": Rand(0, 1), "betas": (0.9, Rand(0.9, 1))}, layers=[RandInt(1, 9), 8])
    params = space.draw(rng())
    assert params == {
        "name": "mlp",
        "optim": {"lr": params["optim"]["lr"], "betas": [0.9, params["optim"]["betas"][1]]},
        "layers": [params["layers"][0], 8],
    }
    assert list(space.parameters) == ["optim.lr", "optim.betas.1", "layers.0"]
    assert space.flat(params) == {
        "optim.lr": params["optim"]["lr"],
        "optim.betas.1": params["optim"]["betas"][1],
        "layers.0": params["layers"][0],
    }
    assert space.keys() == ["name", "optim", "layers"]
    assert len(space) == 3
    assert "optim" in space
    assert "optim.lr" in space
    assert "lr" not in space


def test_the_seeds_tuples_may_stand_in_any_template():
    space = Space(a=("double", [0, 1], {"log": False}), b=[("INTEGER", [1, 3])], c=("just", "text"))
    assert space == Space(a=Rand(0, 1), b=[RandInt(1, 3)], c=["just", "text"])


def test_the_same_object_in_two_places_is_one_variable():
    size = RandInt(1, 1000)
    space = Space(width=size, tower=[size, {"top": size}], other=RandInt(1, 1000))
    assert list(space.parameters) == ["width", "other"]
    for params in (space.draw(rng(seed)) for seed in range(5)):
        assert params["tower"] == [params["width"], {"top": params["width"]}]
        assert params["other"] != params["width"]
        assert space.allows(params)
        assert not space.allows({**params, "tower": [1001 - params["width"], {"top": params["width"]}]})


def test_what_the_user_changes_afterwards_does_not_change_the_space_and_trials_share_nothing():
    template = {"a": [Rand(0, 1), 1], "b": {"c": 2}}
    space = Space(template)
    template["b"]["c"] = 3
    first, second = space.draw(rng()), space.draw(rng())
    first["b"]["c"] = 4
    first["a"].append(5)
    assert second == space.draw(rng())
    assert second["b"] == {"c": 2}


def test_a_value_can_be_computed_from_others():
    low = RandInt(1, 5)
    space = Space(low=low, high=FuncParam(lambda a, b, extra: a + b + extra[0], low, 10, extra=[low]))
    for params in (space.draw(rng(seed)) for seed in range(5)):
        assert params["high"] == 2 * params["low"] + 10
        assert space.allows(params)
        assert space.decode(space.encode(params)) == params
    assert not space.allows({"low": 1, "high": 99})
    assert [cell.draw(rng()) for cell in Space(a=FuncParam(max, Grid(1, 2), 2))] == [{"a": 2}, {"a": 2}]


def test_what_only_a_function_sees_can_be_drawn_but_not_encoded():
    space = Space(x=FuncParam(abs, RandInt(-5, -1)))
    params = space.draw(rng())
    assert 1 <= params["x"] <= 5
    assert list(space.parameters) == ["x.0"]
    for look in (space.flat, space.encode, space.allows, space.start_with):
        with pytest.raises(SearchspaceError, match=r"'x.0' cannot be told .* key of its own"):
            look(params)


def test_a_function_that_fails_or_returns_what_cannot_travel_is_named():
    for function, message in ((lambda x: 1 / 0, "ZeroDivisionError"), (lambda x: object(), "a value must be a str")):
        with pytest.raises(SearchspaceError, match=message):
            Space(x=FuncParam(function, 1)).draw(rng())


def test_iterating_expands_the_grids_and_leaves_the_random_parts():
    space = Space(a=Grid(1, 2), b=[Grid("x", "y")], c=Rand(0, 1))
    cells = list(space)
    assert cells == [Space(a=a, b=[b], c=Rand(0, 1)) for a in (1, 2) for b in ("x", "y")]
    assert all(cell.has_stochastic and not cell.has_grid for cell in cells)
    assert list(Space(a=1)) == [Space(a=1)]
    assert list(Space()) == [Space()]


def test_grids_and_random_parts_are_told_apart():
    assert (Space(a=Grid(1, 2)).has_grid, Space(a=Grid(1, 2)).has_stochastic) == (True, False)
    assert (Space(a=[{"b": Rand(0, 1)}]).has_grid, Space(a=[{"b": Rand(0, 1)}]).has_stochastic) == (False, True)
    assert not Space(a=1).has_grid
    assert not Space(a=1).has_stochastic


def test_sampling_draws_the_random_parts_of_each_branch_and_keeps_grids():
    space = Space(a=Grid(1, 2), r=Rand(0, 1)) + Space(b=RandInt(1, 100)) + Space(c=3)
    sampled = space.sample(3, seed=7)
    assert sampled.has_grid
    assert not sampled.has_stochastic
    cells = [cell.draw(rng()) for cell in sampled]
    assert len(cells) == 3 * 2 + 3 + 1
    assert [cell["a"] for cell in cells[:6]] == [1, 2, 1, 2, 1, 2]
    assert cells[0]["r"] == cells[1]["r"] != cells[2]["r"]
    assert cells[-1] == {"c": 3}
    assert sampled == space.sample(3, seed=7)
    assert sampled != space.sample(3, seed=8)


def test_the_two_levels_of_the_users_guide():
    first, second = Space(a=1, b=Grid(2, 4)), Space(b=RandInt(10, 20))
    third = Space(c=Rand(0, 1)).sample(10, seed=0)
    assert len(list((first + second) * third)) == (2 + 1) * 10


def test_a_union_chooses_a_branch_first_and_names_its_parameters_after_it():
    union = Space(kind="tree", depth=RandInt(1, 9)) + {"kind": "net", "lr": Rand(0, 1), "act": Choice("relu", "tanh")}
    assert list(union.parameters) == ["branch", "b0.depth", "b1.lr", "b1.act"]
    assert union.keys() == ["kind", "depth", "lr", "act"]
    assert union.optional == {"depth", "lr", "act"}
    drawn = [union.draw(rng(seed)) for seed in range(60)]
    assert 15 < sum(params["kind"] == "tree" for params in drawn) < 45
    tree, net = {"kind": "tree", "depth": 3}, {"kind": "net", "lr": 0.25, "act": "tanh"}
    assert union.flat(tree) == {"branch": 0, "b0.depth": 3}
    assert union.flat(net) == {"branch": 1, "b1.lr": 0.25, "b1.act": "tanh"}
    assert union.encode(net).tolist()[0::2] == [0.75, 0.25]
    assert np.isnan(union.encode(net)[1])
    assert [name for name in union.parameters if union.is_active(name, union.flat(tree))] == ["branch", "b0.depth"]
    assert not union.allows({"kind": "tree", "lr": 0.25, "act": "tanh"})
    with pytest.raises(SearchspaceError, match="lies in none of the 2 branches"):
        union.flat({"kind": "other"})


def test_unions_and_products_take_dicts_and_sums():
    a, b = Space(a=Grid(1, 2)), Space(b=Grid(1, 2, 3))
    assert sum([a, b]) == a + b == a + {"b": Grid(1, 2, 3)} == {"a": Grid(1, 2)} + b == Space([a, {"b": Grid(1, 2, 3)}])
    assert a * b == a * {"b": Grid(1, 2, 3)} == {"a": Grid(1, 2)} * b == Space(a=Grid(1, 2), b=Grid(1, 2, 3))
    assert a * {} == a == Space() * a
    assert isinstance(Searchspace(a=Rand(0, 1)) * {"b": 1}, Space)
    for other in (1, "b", None):
        with pytest.raises(TypeError, match="Space"):
            a * other
        with pytest.raises(TypeError, match="Space"):
            a + other


def test_a_product_refuses_a_key_that_both_sides_have():
    with pytest.raises(SearchspaceError, match=r"both sides of a product have \['a'\]"):
        Space(a=1, b=2) * Space(a=Rand(0, 1))


def test_one_object_on_both_sides_of_a_product_is_one_variable_and_in_a_union_two():
    x = RandInt(1, 1000)
    assert list((Space(a=x) * Space(b=x)).parameters) == ["a"]
    assert list((Space(a=x) + Space(b=x)).parameters) == ["branch", "b0.a", "b1.b"]


def renamed(template):
    """The same template under other keys."""
    return {f"x{key}": value for key, value in template.items()}


fresh = st.integers(0, 9) | st.builds(Grid, st.just(1), st.just(2)) | st.builds(Rand, st.just(0), st.just(1))
plain_templates = st.dictionaries(st.sampled_from("abc"), fresh, max_size=3)


@given(a=st.lists(plain_templates, min_size=1, max_size=3), b=st.lists(plain_templates, min_size=1, max_size=3))
def test_the_sizes_of_unions_and_products_add_and_multiply(a, b):
    left, right = Space(a), Space([renamed(template) for template in b])
    assert len(list(left * right)) == len(list(left)) * len(list(right))
    assert len(list(left + right)) == len(list(left)) + len(list(right))
    assert list(left + right) == list(left) + list(right)
    assert left + (right + left) == (left + right) + left
    assert left * {} == left == {} * left
    assert (left + right).has_grid == (left.has_grid or right.has_grid)


@given(space=spaces(), seed=st.integers(0, 99))
def test_a_draw_is_allowed_by_its_space_and_repeated_by_its_seed(space, seed):
    before = global_streams()
    params = space.draw(rng(seed))
    assert space.allows(params)
    assert params == space.draw(rng(seed)) == space.nested(space.draw_flat(rng(seed)))
    assert set(space.keys()) - space.optional <= params.keys() <= set(space.keys())
    assert global_streams() == before


@given(space=spaces(), seed=st.integers(0, 99))
def test_values_by_name_are_the_configuration_and_back(space, seed):
    params = space.draw(rng(seed))
    flat = space.flat(params)
    assert space.nested(flat) == params
    for name, parameter in space.parameters.items():
        assert (name in flat) == space.is_active(name, flat)
        assert name not in flat or flat[name] in parameter
    everything = {name: parameter.generate(0) for name, parameter in space.parameters.items()}
    assert space.nested({**everything, **flat}) == params  # what does not exist is ignored
    assert space.flat({**params, "budget": 3}) == flat  # what lagom adds is no matter


@given(space=spaces(), seed=st.integers(0, 99))
def test_a_configuration_comes_back_from_the_unit_cube(space, seed):
    params = space.draw(rng(seed))
    point = space.encode(params)
    flat = space.flat(params)
    assert point.shape == (len(space.parameters),)
    assert point.dtype == np.float64
    assert [bool(np.isnan(u)) for u in point] == [name not in flat for name in space.parameters]
    assert np.all((point[~np.isnan(point)] >= 0) & (point[~np.isnan(point)] <= 1))
    again = space.flat(space.decode(point))
    assert again.keys() == flat.keys()
    for name, parameter in space.parameters.items():
        if name in flat and isinstance(parameter, Double | Normal):  # far out, a normal distribution is steep
            assert parameter.to_unit(again[name]) == pytest.approx(parameter.to_unit(flat[name]), abs=1e-9)
        elif name in flat:
            assert again[name] == flat[name]


@given(space=spaces(), data=st.data())
def test_any_point_is_a_configuration(space, data):
    d = len(space.parameters)
    point = data.draw(st.lists(st.floats(-1, 2) | st.just(float("nan")), min_size=d, max_size=d))
    params = space.decode(point)
    flat = space.flat(params)
    assert all(flat[name] in space.parameters[name] for name in flat)


@given(space=spaces())
def test_a_space_survives_json_pickle_and_copies(space):
    for again in (Space.from_json(space.json()), pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert again == space
        assert again.starts == space.starts
        assert again.draw(rng()) == space.draw(rng())
    assert Space(space) == space


@given(space=spaces(), seed=st.integers(0, 9))
def test_cells_of_a_sample_are_single_configurations_of_the_space(space, seed):
    sampled = space.sample(2, seed)
    assert not sampled.has_stochastic
    for cell in list(sampled)[:20]:
        assert not cell.parameters
        assert space.allows(cell.draw(rng()))


@given(template=templates(), seed=st.integers(0, 9))
def test_values_that_are_fixed_are_not_drawn(template, seed):
    space = Space(template)
    fixed = {name: parameter.generate(seed + 1) for name, parameter in space.parameters.items()}
    flat = space.draw_flat(rng(seed), fixed)
    assert flat == {name: fixed[name] for name in space.parameters if space.is_active(name, flat)}


def test_a_branch_can_be_fixed():
    union = Space(a=Rand(0, 1)) + Space(b=Rand(0, 1))
    for seed in range(8):
        assert union.draw_flat(rng(seed), {"branch": 1, "b1.b": 0.5, "b0.a": 0.5}) == {"branch": 1, "b1.b": 0.5}


def test_spaces_differ_by_what_they_hold():
    space = Space(a=Rand(0, 1), b=[1, Choice(1, 2)])
    x = Rand(0, 1)
    assert space == Space({"a": Rand(0, 1), "b": [1, Choice(1, 2)]})
    assert space != Space(b=[1, Choice(1, 2)], a=Rand(0, 1))
    assert space != Space(a=Rand(0, 1), b=[True, Choice(1, 2)])
    assert space != Space(a=Grid(1, 2), b=[1, Choice(1, 2)])
    assert Space(a=x, b=x) != Space(a=Rand(0, 1), b=Rand(0, 1))
    assert Space(a=FuncParam(abs, x)) == Space(a=FuncParam(abs, x))
    assert Space(a=FuncParam(abs, x)) != Space(a=FuncParam(round, x))
    assert Space(a=1) != {"a": 1}
    assert Searchspace(a=Rand(0, 1)) == Space(a=Rand(0, 1))


def test_a_space_reads_well():
    assert repr(Space(a=Rand(0, 1), b=[1])) == "Space(a=Rand(0.0, 1.0), b=[1])"
    assert repr(Space(a=1) + Space(b=2)) == "Space({'a': 1}, {'b': 2})"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(a=object()), "hyperparameter 'a': a value must be a str"),
        (lambda: Space(a={"b": [1, float("nan")]}), "hyperparameter 'a.b.1': nan is not a finite number"),
        (lambda: Space(a=[("INTEGER", [3, 1])]), "hyperparameter 'a.0': the lower bound 3 must be less"),
        (lambda: Space(a=("DOUBLE", [0, 1], {"lgo": True})), "DOUBLE has no option 'lgo', only log, q, when"),
        (lambda: Space({"a.b": 1}), "'a.b' cannot be a key"),
        (lambda: Space(a={1: 2}), "in 'a': 1 cannot be a key"),
        (lambda: Space({"_expr_": "DOUBLE"}), "'_expr_' cannot be a key"),
        (lambda: Space(a={"_expr_": "DUOBLE", "values": [0, 1]}), "unknown type 'DUOBLE'"),
        (lambda: Space(5), "a template is a dict"),
        (lambda: Space("ab"), "a template is a dict"),
        (lambda: Space([]), "at least one template"),
        (lambda: Space({"a": 1}, b=2), "keywords or of templates, not of both"),
        (lambda: Space(a=Rand(0, 1)).nested({}), "there is no value for hyperparameter 'a'"),
        (lambda: Space(a=[Rand(0, 1)]).flat({"a": []}), "has no value for 'a.0'"),
        (lambda: Space(a=Rand(0, 1)).decode([0.1, 0.2]), "expected 1 values, got 2"),
        (lambda: Space(a=Rand(0, 1)).is_active("b", {}), "no hyperparameter 'b', only .'a'."),
        (lambda: (Space() + Space()).nested({}), "'branch' has to be one of 0..1, got None"),
        (lambda: Space(a=FuncParam(abs, 1)).json(), "function abs, which cannot be written as JSON"),
        (lambda: Space.from_json("[]"), "expected what Space.json.. writes"),
        (lambda: Space.from_json("{"), "expected what Space.json.. writes"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(make, message):
    with pytest.raises(SearchspaceError, match=message):
        make()


def test_a_constant_may_look_like_anything():
    space = Space(a=Constant(["DOUBLE", [0, 1]]), b=Constant({"c": None}))
    assert space.draw(rng()) == {"a": ["DOUBLE", [0, 1]], "b": {"c": None}}
    assert Space.from_json(space.json()) == space


def test_encoding_takes_microseconds_for_each_parameter():
    space = Space({f"x{i}": Rand(1e-5, 1, log=True) for i in range(10)})
    params = space.draw(rng())
    looks = 0

    class Counted(dict):
        def __getitem__(self, key):
            nonlocal looks
            looks += 1
            return super().__getitem__(key)

    space.encode(Counted(params))
    assert looks == 10  # each value is looked at once, whatever the machine
