"""Columns of PyTorch data sets, left out of each item when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from numbers import Number
from typing import Any

from maggy.context.data.kinds import is_a, is_array, is_exactly, like
from maggy.context.data.outline import Outline, named
from maggy.context.features.arrays import constant, leave_out_of_array, without
from maggy.context.features.cut import Cut


def leave_out_of_torch(data: Any, cut: Cut, what: str) -> Any:
    """A PyTorch data set whose items are without these columns.

    Items that are dicts lose keys; of pairs (x, y), and of tensors, x loses positions of its last axis. A
    `TensorDataset` is changed at once, and is returned itself where that changes nothing. Any other is a view, which
    raises AblationError at the first item that has no such column; attributes are those of the data set behind it.
    """
    if is_exactly(data, "torch", "TensorDataset"):
        changed = leave_out_of_array(data.tensors[0], cut, what)
        return data if changed is data.tensors[0] else type(data)(changed, *data.tensors[1:])
    return view(data, cut, what)


def view(data: Any, cut: Cut, what: str) -> Any:
    """The data set as it looks without these columns."""
    return _views()[is_a(data, "torch", "IterableDataset"), hasattr(type(data), "__len__")](data, cut, what)


@cache
def _views() -> dict[tuple[bool, bool], Any]:
    """The classes of views, by whether they are iterated only, and whether they have a length."""
    from torch.utils.data import Dataset, IterableDataset

    class View:
        def __init__(self, data: Any, cut: Cut, what: str) -> None:
            self._parts = data, cut, what

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # what the framework finds there would pass the view by
                raise AttributeError(name)
            return getattr(self._parts[0], name)

        def __reduce__(self) -> Any:
            return view, self._parts

    class Mapped(View, Dataset):  # type: ignore[type-arg]
        def __getitem__(self, index: Any) -> Any:
            data, cut, what = self._parts
            return leave_out_of_item(data[index], cut, what)

        def __getitems__(self, indices: list[Any]) -> list[Any]:
            data, cut, what = self._parts
            if not hasattr(data, "__getitems__"):
                return [self[index] for index in indices]
            return [leave_out_of_item(item, cut, what) for item in data.__getitems__(indices)]

    class Iterated(View, IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            data, cut, what = self._parts
            return (leave_out_of_item(item, cut, what) for item in data)

    def length(self: View) -> int:
        return len(self._parts[0])

    return {
        (False, False): Mapped,
        (True, False): Iterated,
        (False, True): type("Mapped", (Mapped,), {"__len__": length}),
        (True, True): type("Iterated", (Iterated,), {"__len__": length}),
    }


def leave_out_of_item(item: Any, cut: Cut, what: str) -> Any:
    """One item of a data set without these columns."""
    what = f"an item of {what}"
    if isinstance(item, dict):
        names = list(item)
        at = {names[position]: fill for position, fill in cut.positions(named(names), what).items()}
        kept = {name: value for name, value in item.items() if at.get(name, 0.0) is not None}
        return {name: _like(value, at[name], cut, what) if name in at else value for name, value in kept.items()}
    if isinstance(item, list | tuple) and item:
        return like(item, [leave_out_of_item(item[0], cut, what.removeprefix("an item of ")), *item[1:]])
    if is_array(item) and item.ndim:
        return without(item, cut.positions(Outline(width=item.shape[-1]), what), cut, what)
    raise cut.error(
        f"{what} is {type(item).__name__}; columns can be left out of dicts, of tensors and arrays, and of pairs "
        f"(x, y) of these"
    )


def _like(value: Any, fill: Any, cut: Cut, what: str) -> Any:
    if is_array(value):
        return constant(value, fill, cut, what)
    if isinstance(value, Number):
        return type(value)(fill) if type(value)(fill) == fill else fill  # type: ignore[call-arg]
    raise cut.misfit(what, fill, type(value).__name__)
