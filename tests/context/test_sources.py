"""What is noticed when a function changes."""

import functools

import pytest

from maggy.context import sources

SETTINGS = {"layers": [1, 2]}
LIMIT = 3


def helper(x):
    return x + LIMIT


class Base:
    def run(self, x):
        return helper(x)


class Model(Base):
    def __init__(self, width=1):
        self.width = width

    def __call__(self, x):
        return self.run(x) * SETTINGS["layers"][0]


def train(x, factor=2):
    return Model(factor)(x)


def make(inner):
    def function(x):
        return x + inner

    return function


HERE = __name__


def test_a_function_is_listed_with_all_of_the_users_own_that_it_uses_and_nothing_else():
    names = sources(train)
    assert set(names) == {
        f"{HERE}.train",
        f"{HERE}.train default 0",
        f"{HERE}.Model",
        f"{HERE}.Base",
        f"{HERE}.Model.__init__",
        f"{HERE}.Model.__init__ default 0",
        f"{HERE}.Model.__call__",
        f"{HERE}.Base.run",
        f"{HERE}.helper",
        f"{HERE}.LIMIT",
        f"{HERE}.SETTINGS",
    }
    assert names[f"{HERE}.helper"] == "def helper(x):\n    return x + LIMIT\n"
    assert names[f"{HERE}.SETTINGS"] == "{'layers': list(1, 2)}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (functools.partial(train, factor=1), functools.partial(train, factor=2)),
        (functools.partial(train, 1), functools.partial(train, 2)),
        (make(1), make(2)),
        (Model(1), Model(2)),
        (Model(1).run, Model(2).run),
        (lambda x: x, lambda x: -x),
        (make([1, {"a": {2}}]), make([1, {"a": {3}}])),
    ],
)
def test_a_change_is_noticed(before, after):
    assert sources(before) != sources(after)
    assert sources(before) == sources(before)


def test_the_same_lambda_on_another_line_is_the_same():
    functions = [
        lambda x: x + LIMIT,
        (lambda x: x + LIMIT),
    ]
    assert sources(functions[0]) == sources(functions[1])


def test_a_global_that_changes_is_noticed(monkeypatch):
    before = sources(train)
    monkeypatch.setitem(SETTINGS, "layers", [9])
    assert sources(train) != before


def test_code_without_a_source_has_a_hash():
    space = {}
    exec("def typed(x):\n    return x * 2", space)
    (text,) = sources(space["typed"]).values()
    assert text.startswith("(no source; hash of its code: ")


def test_a_long_value_is_shown_by_its_hash():
    (_, text), *_ = [item for item in sources(make("x" * 1000)).items() if item[0].endswith("inner")]
    assert text.startswith("(hash of 1002 characters: ")


def test_what_refers_to_itself_comes_to_an_end():
    model = Model()
    model.itself = model
    assert f"{HERE}.Model" in sources(model)
