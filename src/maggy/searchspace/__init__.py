"""What can be chosen: typed parameters and the space they span."""

from maggy.searchspace.parameters import Categorical, Discrete, Double, Integer, Parameter, plain
from maggy.searchspace.space import Searchspace

__all__ = ["Categorical", "Discrete", "Double", "Integer", "Parameter", "Searchspace", "plain"]
