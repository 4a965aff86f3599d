"""What exists under which values, what is forbidden, and what is tried first."""

import numpy as np
import pytest

from maggy.errors import SearchspaceError
from maggy.searchspace import Choice, Constant, Discrete, FuncParam, Grid, Rand, RandInt, Searchspace, Space


def rng(seed=0):
    return np.random.default_rng(seed)


def draws(space, n=60):
    return [space.draw(rng(seed)) for seed in range(n)]


def test_a_parameter_exists_only_where_another_has_one_of_the_values():
    space = Searchspace(
        momentum=Rand(0, 1).when(optimizer=["sgd", "rmsprop"]),  # a condition may name what comes later
        optimizer=Choice("sgd", "rmsprop", "adam"),
        beta=("DOUBLE", [0.9, 1], {"when": {"optimizer": "adam"}}),
    )
    assert list(space.parameters) == ["optimizer", "momentum", "beta"]
    assert space.optional == {"momentum", "beta"}
    for params in draws(space):
        assert ("momentum" in params) == (params["optimizer"] in ("sgd", "rmsprop"))
        assert ("beta" in params) == (params["optimizer"] == "adam")
    assert not space.allows({"optimizer": "adam", "momentum": 0.5, "beta": 0.95})
    assert not space.allows({"optimizer": "adam"})
    assert space.is_active("beta", {"optimizer": "adam"})
    assert not space.is_active("beta", {"optimizer": "sgd"})
    assert not space.is_active("beta", {})


def test_conditions_form_chains():
    space = Space(
        a=Choice("on", "off"),
        b=Choice("x", "y").when(a="on"),
        c=RandInt(1, 9).when(b="x"),
        d=Constant("deep").when(c=[1, 2, 3]),
    )
    for params in draws(space):
        assert ("b" in params) == (params["a"] == "on")
        assert ("c" in params) == (params.get("b") == "x")
        assert ("d" in params) == (params.get("c") in (1, 2, 3))
        assert space.decode(space.encode(params)) == params
    # A value that is left over from elsewhere brings nothing to life.
    assert space.nested({"a": "off", "b": "x", "c": 1}) == {"a": "off"}


def test_several_conditions_have_to_hold_together():
    space = Space(a=Choice(1, 2), b=Choice(1, 2), c=Rand(0, 1).when(a=1, b=2))
    assert all(("c" in params) == (params["a"] == 1 and params["b"] == 2) for params in draws(space))


def test_a_condition_tells_one_from_true():
    space = Space(a=Choice(1, True, 1.0), b=Rand(0, 1).when(a=True))
    assert all(("b" in params) == (params["a"] is True) for params in draws(space))


def test_a_condition_may_name_a_step_of_a_real_number_however_it_is_written():
    space = Space(a=Rand(0, 1, q=0.1), b=Constant(5).when(a=[0, 0.1 + 0.2]))
    assert {params["a"] for params in draws(space) if "b" in params} <= {0.0, 0.3}
    assert space.nested({"a": 0.3}) == {"a": 0.3, "b": 5}
    assert space.nested(space.flat({"a": 0, "b": 5})) == {"a": 0, "b": 5}  # a whole number for a real one


def test_an_element_of_a_list_that_does_not_exist_is_left_out():
    space = Space(
        layers=[RandInt(10, 19), RandInt(20, 29).when(depth=[2, 3]), RandInt(30, 39).when(depth=3), "end"],
        depth=RandInt(1, 3),
    )
    assert list(space.parameters) == ["layers.0", "depth", "layers.1", "layers.2"]
    assert {len(params["layers"]) for params in draws(space)} == {2, 3, 4}
    for params in draws(space):
        assert len(params["layers"]) == params["depth"] + 1
        assert params["layers"][-1] == "end"
        assert space.allows(params)
        assert space.decode(space.encode(params)) == params


def test_what_is_computed_from_an_absent_value_is_absent_too_but_a_keyword_keeps_its_default():
    def double(x, add=0):
        return 2 * x + add

    a, b = Choice(1, 2), Choice(10, 20).when(a=1)
    space = Space(a=a, b=b, of_b=FuncParam(double, b), plus_b=FuncParam(double, a, add=b))
    assert space.optional == {"b", "of_b"}
    for params in draws(space):
        if params["a"] == 2:
            assert params == {"a": 2, "plus_b": 4}
        else:
            assert params == {"a": 1, "b": params["b"], "of_b": 2 * params["b"], "plus_b": 2 + params["b"]}
        assert space.allows(params)


def test_a_nested_condition_is_named_by_its_path():
    space = Space(optim={"name": Choice("sgd", "adam"), "momentum": Rand(0, 1).when(**{"optim.name": "sgd"})})
    assert all(("momentum" in p["optim"]) == (p["optim"]["name"] == "sgd") for p in draws(space))
    assert Space.from_json(space.json()) == space


def test_the_names_of_a_condition_stay_within_their_branch():
    union = Space(a=Choice(1, 2), b=Rand(0, 1).when(a=1)) + Space(a=Choice(3, 4), c=Rand(0, 1).when(a=3))
    for params in draws(union):
        assert ("b" in params) == (params["a"] == 1)
        assert ("c" in params) == (params["a"] == 3)


def test_a_grid_that_a_condition_names_is_settled_in_its_cells():
    space = Space(optimizer=Grid("sgd", "adam"), momentum=Rand(0, 1).when(optimizer="sgd"), steps=Grid(1, 2))
    cells = list(space)
    assert len(cells) == 4
    assert [list(cell.parameters) for cell in cells] == [["momentum"], ["momentum"], [], []]
    assert [cell.draw(rng()) for cell in cells[2:]] == [{"optimizer": "adam", "steps": n} for n in (1, 2)]


def test_a_grid_under_a_condition_has_cells_only_where_it_exists():
    space = Space(optimizer=Grid("sgd", "adam"), nesterov=Grid(True, False).when(optimizer="sgd"))
    assert [cell.draw(rng()) for cell in space] == [
        {"optimizer": "sgd", "nesterov": True},
        {"optimizer": "sgd", "nesterov": False},
        {"optimizer": "adam"},
    ]


def test_a_sample_keeps_conditions_on_grids_and_settles_those_on_samples():
    space = Space(
        grid=Grid("a", "b"),
        only_a=RandInt(1, 9).when(grid="a"),
        coin=Choice(0, 1),
        only_heads=RandInt(1, 9).when(coin=1),
        both=Constant("both").when(only_a=list(range(1, 10)), coin=1),
    )
    for cell in space.sample(20, seed=0):
        params = cell.draw(rng())
        assert ("only_a" in params) == (params["grid"] == "a")
        assert ("only_heads" in params) == (params["coin"] == 1)
        assert ("both" in params) == (params["grid"] == "a" and params["coin"] == 1)
        assert space.allows(params)


def test_the_right_side_of_a_product_may_be_a_dict_with_conditions_on_the_left():
    space = Space(a=Choice(1, 2)) * {"b": Rand(0, 1).when(a=1)}
    assert all(("b" in params) == (params["a"] == 1) for params in draws(space))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(a=Rand(0, 1).when(b=1)), "hyperparameter 'a': the condition names 'b', .* only 'a'"),
        (lambda: Searchspace(a=Rand(0, 1).when(b=1)), "the condition names 'b'"),
        (lambda: Space(a=Rand(0, 1), b=Rand(0, 1).when(a=0.5)), "'a', which has no end of values"),
        (lambda: Space(a=Choice("x"), b=Rand(0, 1).when(a="y")), "a='y', which is none of the values of Choice"),
        (lambda: Space(a=Choice(1).when(b=1), b=Choice(1).when(a=1)), "in a circle: a -> b -> a"),
        (lambda: Space(a=Choice(1).when(a=1)), "in a circle: a -> a"),
        (lambda: Space(a=[RandInt(1, 2).when(**{"a.1": 1}), RandInt(1, 2).when(b=1)], b=RandInt(1, 2)), None),
        (lambda: Space(a=[RandInt(1, 2).when(**{"a.1": 1}), RandInt(1, 2)]), "in a circle: a.1 -> a.1"),
    ],
)
def test_a_condition_that_cannot_be_followed_is_an_error_at_once(make, message):
    with pytest.raises(SearchspaceError, match=message or "circle"):
        make()


def test_conditions_may_be_added_before_what_they_name_and_are_checked_when_used():
    space = Searchspace(b=Choice(1, 2))
    space.add("a", Rand(0, 1).when(c=1))
    with pytest.raises(SearchspaceError, match="the condition names 'c'"):
        space.draw(rng())
    space.add("c", Choice(1, 2))
    assert all(("a" in params) == (params["c"] == 1) for params in draws(space))


def test_forbidden_combinations_are_not_drawn_and_not_allowed():
    space = Searchspace(optimizer=Choice("sgd", "adam"), batch=Discrete([16, 32, 64])).forbid(
        optimizer="sgd", batch=[16, 32]
    )
    assert {(p["optimizer"], p["batch"]) for p in draws(space)} == {
        ("sgd", 64),
        ("adam", 16),
        ("adam", 32),
        ("adam", 64),
    }
    assert not space.allows({"optimizer": "sgd", "batch": 16})
    assert space.allows({"optimizer": "sgd", "batch": 64})
    assert all(space.draw_flat(rng(seed), {"optimizer": "sgd"})["batch"] == 64 for seed in range(10))


def test_a_combination_with_something_absent_is_not_forbidden():
    space = Space(a=Choice(1, 2), b=Choice(1, 2).when(a=1)).forbid(b=1)
    assert {tuple(params.values()) for params in draws(space)} == {(1, 2), (2,)}


def test_a_function_can_forbid_too():
    space = Space(low=RandInt(1, 9), high=RandInt(1, 9)).forbid(lambda params: params["low"] > params["high"])
    assert all(params["low"] <= params["high"] for params in draws(space))
    with pytest.raises(SearchspaceError, match=r"function .*<lambda>, which cannot be written as JSON"):
        space.json()
    assert all(cell.draw(rng())["low"] <= cell.draw(rng())["high"] for cell in space.sample(20, seed=0))


def test_a_cell_that_is_forbidden_is_left_out():
    space = Space(a=Grid(1, 2), b=Grid(1, 2), c=Rand(0, 1)).forbid(a=1, b=1)
    assert [(cell.draw(rng())["a"], cell.draw(rng())["b"]) for cell in space] == [(1, 2), (2, 1), (2, 2)]
    rest = Space(a=Grid(1, 2), b=Grid(1, 2)).forbid(lambda params: params["a"] == params["b"])
    assert [tuple(cell.draw(rng()).values()) for cell in rest] == [(1, 2), (2, 1)]


def test_what_is_forbidden_stays_so_in_cells_samples_unions_and_products():
    space = Space(a=Grid(1, 2), b=Choice("x", "y")).forbid(a=1, b="x")
    for derived in (space.sample(9, seed=0), space * {"c": Rand(0, 1)}, space + {"a": 3}, next(iter(space))):
        assert all((params.get("a"), params.get("b")) != (1, "x") for params in draws(derived))


def test_in_a_union_a_combination_applies_where_its_names_exist():
    union = (Space(a=Choice(1, 2), b=Choice(1, 2)) + Space(a=Choice(1, 2))).forbid(a=1, b=1)
    assert {tuple(params.values()) for params in draws(union)} == {(1, 2), (2, 1), (2, 2), (1,), (2,)}
    with pytest.raises(SearchspaceError, match=r"forbid\(\) names 'c', but there are only"):
        union.forbid(c=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"c": 1}, "forbid.. names 'c', but there are only 'a', 'b'"),
        ({"a": 3}, "the forbidden combination says a=3, which is none of the values of"),
        ({"b": 0.5}, "the forbidden combination names 'b', which has no end of values"),
    ],
)
def test_a_combination_that_cannot_occur_is_an_error_and_changes_nothing(values, message):
    space = Space(a=Choice(1, 2), b=Rand(0, 1))
    with pytest.raises(SearchspaceError, match=message):
        space.forbid(**values)
    assert space == Space(a=Choice(1, 2), b=Rand(0, 1))


def test_a_space_in_which_everything_is_forbidden_says_so():
    space = Space(a=Choice(1, 2)).forbid(a=[1, 2])
    with pytest.raises(SearchspaceError, match="10000 draws in a row were forbidden"):
        space.draw(rng())
    with pytest.raises(SearchspaceError, match="10000 draws in a row were forbidden"):
        space.sample(1)
    assert list(Space(a=Grid(1, 2)).forbid(a=[1, 2])) == []


def test_known_good_configurations_are_kept_with_their_constants_filled_in():
    space = Searchspace(x=Rand(0, 1), fixed=5, y=RandInt(1, 9).when(kind="a"), kind=Choice("a", "b"))
    assert space.start_with({"x": np.float64(0.5), "kind": "b"}, {"x": 1, "y": 3, "kind": "a", "fixed": 5}) is space
    assert space.starts == (
        {"x": 0.5, "fixed": 5, "kind": "b"},
        {"x": 1, "fixed": 5, "y": 3, "kind": "a"},
    )
    space.starts[0]["x"] = 9
    assert space.starts[0]["x"] == 0.5
    assert Searchspace.from_json(space.json()).starts == space.starts


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"x": 2, "kind": "b"}, "x=2.0 lies outside of"),
        ({"x": 0.5}, "has no value for 'kind'"),
        ({"x": 0.5, "kind": "b", "y": 3}, "no 'y' is there"),
        ({"x": 0.5, "kind": "b", "fixed": 6}, "'fixed' is 5 there"),
        ({"x": 0.5, "kind": "a", "y": 7}, "it is forbidden"),
    ],
)
def test_a_start_outside_of_the_space_is_refused_with_the_reason(start, message):
    space = Searchspace(x=Rand(0, 1), fixed=5, y=RandInt(1, 9).when(kind="a"), kind=Choice("a", "b")).forbid(y=7)
    with pytest.raises(SearchspaceError, match=f"the start .* lies outside of the search space: .*{message}"):
        space.start_with(start)
    assert space.starts == ()


def test_starts_go_along_where_they_lie_in_what_a_space_becomes():
    space = Space(a=Grid(1, 2), x=Rand(0, 1)).start_with({"a": 1, "x": 0.5}, {"a": 2, "x": 0.25})
    assert [cell.starts for cell in space] == [({"a": 1, "x": 0.5},), ({"a": 2, "x": 0.25},)]
    assert (space + {"b": 1}).starts == space.starts
    assert (space * {"b": 1}).starts == ()  # incomplete: b is not said
    assert (space * Space(b=Choice(1, 2)).start_with({"b": 2})).starts[0] == {"a": 1, "x": 0.5, "b": 2}
    assert (space * {"b": FuncParam(abs, Rand(0, 1))}).starts == ()
    assert (space * {}).starts == space.starts
    assert space.sample(3, seed=0).starts == ()


def test_starts_and_what_comes_after_them_may_not_contradict():
    space = Searchspace(a=Choice(1, 2)).start_with({"a": 1})
    with pytest.raises(SearchspaceError, match="this forbids a configuration to start with"):
        space.forbid(a=1)
    with pytest.raises(SearchspaceError, match="add 'b' before start_with"):
        space.add("b", Rand(0, 1))
    assert space.starts == ({"a": 1},)
    assert space.allows({"a": 1})
