"""What can be chosen: typed parameters, expressions, and the spaces they span."""

from maggy.searchspace.expressions import (
    Choice,
    FuncParam,
    Grid,
    NormalRand,
    NormalRandInt,
    Rand,
    RandInt,
    TransitionChoice,
)
from maggy.searchspace.files import read_space, space_from_document, space_from_tables, space_from_toml
from maggy.searchspace.listed import Categorical, Discrete
from maggy.searchspace.parameters import Constant, Parameter, plain, plain_tree
from maggy.searchspace.ranges import Double, Integer, Normal
from maggy.searchspace.searchspace import Searchspace
from maggy.searchspace.space import Space

__all__ = [
    "Categorical",
    "Choice",
    "Constant",
    "Discrete",
    "Double",
    "FuncParam",
    "Grid",
    "Integer",
    "Normal",
    "NormalRand",
    "NormalRandInt",
    "Parameter",
    "Rand",
    "RandInt",
    "Searchspace",
    "Space",
    "TransitionChoice",
    "plain",
    "plain_tree",
    "read_space",
    "space_from_document",
    "space_from_tables",
    "space_from_toml",
]
