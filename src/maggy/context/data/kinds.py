"""What a value is, told without importing the framework it is of: where that is not loaded, nothing is of it."""

from __future__ import annotations

import os
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any


def is_a(value: object, package: str, *names: str) -> bool:
    """Whether a value is of a class with one of these names in a package, or of a class derived from it."""
    return any(kind.__name__ in names and _package(kind) == package for kind in type(value).__mro__)


def is_exactly(value: object, package: str, name: str) -> bool:
    """Whether a value is of this very class: one that is derived from it may know more than its files would hold."""
    return type(value).__name__ == name and _package(type(value)) == package


def is_path(value: object) -> bool:
    """Whether a value is taken as a path or a URL."""
    return isinstance(value, str | os.PathLike)


def is_factory(value: object) -> bool:
    """Whether a value is called to make data: a function, a class, a partial, or an object that can only be called."""
    if isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType | partial):
        return True
    return callable(value) and not hasattr(value, "__getitem__") and not hasattr(value, "__iter__")


def is_spark_table(value: object) -> bool:
    """Whether this is a Spark DataFrame, of a classic session or of Spark Connect."""
    kind = type(value)
    return kind.__module__.startswith("pyspark.sql") and kind.__name__ == "DataFrame"


def is_array(value: object) -> bool:
    """Whether this is a NumPy array or a PyTorch tensor."""
    return is_a(value, "numpy", "ndarray") or is_a(value, "torch", "Tensor")


def is_torch_dataset(value: object) -> bool:
    """Whether this is a data set of PyTorch."""
    return is_a(value, "torch", "Dataset", "IterableDataset")


def is_tf_dataset(value: object) -> bool:
    """Whether this is a `tf.data.Dataset`."""
    return is_a(value, "tensorflow", "DatasetV2")


def is_container(value: object) -> bool:
    """Whether this is a list, a tuple, a dict or a named tuple, and nothing derived from one."""
    return type(value) in (list, tuple, dict) or (isinstance(value, tuple) and hasattr(value, "_fields"))


def like(container: Any, items: list[Any]) -> Any:
    """Other items in a list or tuple of the same class."""
    kind = type(container)
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
