"""Parameters and spaces for hypothesis."""

import json

import numpy as np
from hypothesis import strategies as st

from maggy.searchspace import (
    Categorical,
    Constant,
    Discrete,
    Double,
    Grid,
    Integer,
    Normal,
    NormalRandInt,
    Parameter,
    Space,
)

scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.sampled_from(["sgd", "adam", "INTEGER", ""])
values = scalars | st.lists(scalars, max_size=2)
choices = st.lists(values, min_size=1, max_size=4, unique_by=json.dumps)
names = st.sampled_from("abcdefgh")


@st.composite
def ranges(draw) -> Parameter:
    log = draw(st.booleans())
    if draw(st.booleans()):
        low = draw(st.integers(1 if log else -1000, 1000))
        width = draw(st.integers(1, 100_000))
        return Integer(low, low + width, log=log, q=draw(st.integers(1, width)))
    low = draw(st.floats(1e-6 if log else -1e3, 1e3))
    high = low + draw(st.floats(0.05, 1e6))
    return Double(low, high, log=log, q=draw(st.none() | st.sampled_from([0.001, 0.01]) | st.just((high - low) / 3)))


normals = st.builds(Normal, st.floats(-10, 10), st.floats(0.1, 10), q=st.sampled_from([None, 0.25])) | st.builds(
    NormalRandInt, st.integers(-10, 10), st.floats(0.1, 30), q=st.integers(1, 3)
)
listed = st.builds(Discrete, choices) | st.builds(Categorical, choices) | choices.map(lambda c: Grid(*c))


@st.composite
def parameters(draw, kinds=None) -> Parameter:
    """Any parameter, with a prior or without."""
    parameter = draw(kinds if kinds is not None else ranges() | normals | listed)
    if draw(st.booleans()):
        value = parameter.generate(draw(st.integers(0, 99)))
        parameter = parameter.prior(value, draw(st.sampled_from(["low", "medium", "high"])))
    return parameter


@st.composite
def templates(draw) -> dict:
    """Nested dicts and lists with constants, parameters, conditions on what has a list of values, and sharing."""
    known: dict[str, Parameter] = {}

    def leaf(name: str) -> object:
        kind = draw(st.sampled_from(["parameter", "listed", "constant", "shared"]))
        if kind == "shared" and known:
            return known[draw(st.sampled_from(sorted(known)))]
        if kind == "constant":
            return draw(scalars) if draw(st.booleans()) else conditional(Constant(draw(scalars)))
        parameter = known[name] = conditional(draw(parameters(listed) if kind == "listed" else parameters()))
        return parameter

    def conditional(parameter: Parameter) -> Parameter:
        parents = [name for name, parent in known.items() if isinstance(parent, Discrete | Categorical)]
        if not parents or not draw(st.booleans()):
            return parameter
        parent = draw(st.sampled_from(sorted(parents)))
        # a list of values, because a value may be a list itself
        return parameter.when(**{parent: draw(st.lists(st.sampled_from(known[parent].values), min_size=1, max_size=2))})

    def node(name: str, depth: int) -> object:
        shape = draw(st.sampled_from(["leaf", "leaf", "leaf", "dict", "list"])) if depth < 2 else "leaf"
        if shape == "dict":
            return {key: node(f"{name}.{key}", depth + 1) for key in draw(st.lists(names, max_size=3, unique=True))}
        if shape == "list":
            return [node(f"{name}.{index}", depth + 1) for index in range(draw(st.integers(0, 3)))]
        return leaf(name)

    return {key: node(key, 0) for key in draw(st.lists(names, max_size=4, unique=True))}


@st.composite
def spaces(draw) -> Space:
    """Any space that JSON can hold: one to three branches, some with a forbidden value."""
    space = Space(draw(st.lists(templates(), min_size=1, max_size=3)))
    several = [
        name for name, p in space.parameters.items() if isinstance(p, Discrete | Categorical) and len(p.grid) > 1
    ]
    if several and "branch" not in space.parameters and draw(st.booleans()):
        name = draw(st.sampled_from(several))
        space.forbid(**{name: [draw(st.sampled_from(space.parameters[name].values))]})
    if draw(st.booleans()):
        space.start_with(space.draw(np.random.default_rng(draw(st.integers(0, 9)))))
    return space
