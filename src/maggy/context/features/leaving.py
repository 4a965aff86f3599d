"""Leaving columns out of one data set, or of all that a container holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maggy.ablation.components import Features
from maggy.context.data.handles import Handle, Stored
from maggy.context.data.kinds import is_a, is_array, is_factory, is_path, is_tf_dataset, is_torch_dataset, like
from maggy.context.data.material import holds_data
from maggy.context.data.outline import Outline, is_columns, is_number, named, outline
from maggy.context.data.paths import files_at
from maggy.context.features.arrays import leave_out_of_array
from maggy.context.features.cut import Cut
from maggy.context.features.factories import check_factory, leave_out_of_factory, whole
from maggy.context.features.tables import (
    leave_out_of_arrow_dataset,
    leave_out_of_columns,
    leave_out_of_frame,
    leave_out_of_table,
)
from maggy.context.features.tensorflow import leave_out_of_tf
from maggy.context.features.torch import leave_out_of_torch
from maggy.errors import AblationError


def leave_out(data: Any, features: Sequence[Features], *, label: str | None = None, name: str = "the data") -> Any:
    """The data, as the training gets them, without these features; what was given stays as it was.

    label  the column that is never left out
    name   what the data are called in errors

    A list is several data sets, and so are a tuple and a dict, with two exceptions: a tuple of two with as many rows
    and other columns is a pair (x, y), of which x is changed; a dict of arrays is one data set. What has a single axis,
    as labels have, stays as it is. A factory becomes one of the same signature, whose data are treated when it is
    called; one that takes `ablated_features` (a tuple) or `ablated_feature` (a name) is told, and what it makes is
    checked. Data sets of PyTorch and TensorFlow, and pyarrow Datasets unless there is a fill, stay lazy.

    Raises AblationError for the label, for columns that do not exist, and if nothing would change.
    """
    return leave_out_of({name: data}, features, label=label)[name]


def leave_out_of(data: Mapping[str, Any], features: Sequence[Features], *, label: str | None = None) -> dict[str, Any]:
    """`leave_out` for several arguments of one training, by name. At least one of them has to change."""
    if not features:
        return {name: _over_sets(value, name, _whole) for name, value in data.items()}
    cut = Cut.of(features, label)
    changed = {
        name: _over_sets(value, name, lambda each, what: _changed(each, cut, what)) for name, value in data.items()
    }
    if all(changed[name] is value for name, value in data.items()):
        raise cut.unchanged(" and ".join(data))
    return changed


def check_columns(value: Any, features: Sequence[Features], label: str | None = None, name: str = "the data") -> None:
    """Show that a value of a config, its handle, or data have these columns, as far as that can be told beforehand.

    Data whose columns are not known before they are read are left to `leave_out`.

    Raises AblationError as `leave_out` does, and for a label that no data set has.
    """
    cut = Cut.of(features, label)
    shown: list[Outline] = []

    def check(each: Any, what: str) -> Any:
        shown.append(_outline(each))
        if is_factory(each):
            check_factory(each, cut, what)
        elif shown[-1].width is not None:
            cut.positions(shown[-1], what)
        elif not (shown[-1].is_flat or _is_read_later(each)):
            raise cut.stranger(each, what)
        return each

    _over_sets(opened(value), name, check)
    names = [each.columns for each in shown if each.columns is not None]
    has_own_labels = isinstance(value, tuple) or len(names) < len(shown)
    if label is not None and names and not has_own_labels and not any(cut.label in columns for columns in names):
        raise AblationError(f"{name} has no column {label!r}, which is said to be the label")


def remaining(
    columns: Sequence[str], features: Sequence[Features], label: str | None = None, name: str = "the data"
) -> list[str]:
    """The columns of a table that is read without these features: those that stay as they are or are filled.

    Raises AblationError for the label, and for columns that do not exist.
    """
    if not features:
        return list(columns)
    at = Cut.of(features, label).positions(named(columns), name)
    return [column for position, column in enumerate(columns) if at.get(position, 0.0) is not None]


def _outline(value: Any) -> Outline:
    if isinstance(value, Handle):
        return value.outline
    return named(value) if _is_columns(value) else outline(value)


def _is_read_later(value: Any) -> bool:
    """Whether data may have columns although none are known."""
    return isinstance(value, Handle) or is_torch_dataset(value) or is_tf_dataset(value)


def _is_columns(value: Any) -> bool:
    """Whether this is a dict of columns, or one of handles for them."""
    if not isinstance(value, dict) or not value:
        return False
    handles = [
        each for each in value.values() if isinstance(each, Stored) and each.kind in ("array", "tensor", "series")
    ]
    return len(handles) == len(value) or is_columns(value)


# --- one data set


def _changed(data: Any, cut: Cut, what: str) -> Any:
    if is_factory(data):
        return leave_out_of_factory(
            data,
            cut,
            what,
            lambda made: _changed_sets(made, cut, f"what {what} made"),
            lambda made: _check_gone(made, cut, f"what {what} made"),
        )
    if outline(data).is_flat:
        return data
    if is_a(data, "pandas", "DataFrame"):
        return leave_out_of_frame(data, cut, what)
    if is_a(data, "pyarrow", "Table"):
        return leave_out_of_table(data, cut, what)
    if is_a(data, "pyarrow", "Dataset"):
        return leave_out_of_arrow_dataset(data, cut, what)
    if is_torch_dataset(data):
        return leave_out_of_torch(data, cut, what)
    if is_tf_dataset(data):
        return leave_out_of_tf(data, cut, what)
    if is_columns(data):
        return leave_out_of_columns(data, cut, what)
    if is_array(data) and outline(data).width is not None:
        return leave_out_of_array(data, cut, what)
    raise cut.stranger(data, what)


def _changed_sets(data: Any, cut: Cut, what: str) -> Any:
    changed = _over_sets(data, what, lambda each, where: _changed(each, cut, where))
    if changed is data:
        raise cut.unchanged(what)
    return changed


def _check_gone(data: Any, cut: Cut, what: str) -> None:
    def check(each: Any, where: str) -> Any:
        left = [key for key in cut.fills if str(key) in (outline(each).columns or ())]
        if left:
            raise cut.error(f"{where} still has {', '.join(map(repr, left))}, which it was told to leave out")
        return each

    _over_sets(data, what, check)


def _whole(data: Any, what: str) -> Any:
    return whole(data) if is_factory(data) else data


# --- several data sets


def _over_sets(value: Any, what: str, change: Callable[[Any, str], Any]) -> Any:
    """Change each data set that a container holds, and keep the container; itself where nothing changes.

    Raises AblationError for a tuple of which nobody can say whether it is a pair.
    """
    if value is None or is_number(value):
        return value
    if isinstance(value, dict) and not _is_columns(value):
        names = list(value)
    elif isinstance(value, list | tuple) and not outline(value).is_flat:
        names = list(range(len(value)))
    else:
        return change(value, what)
    items = [value[name] for name in names]
    if isinstance(value, tuple) and _is_pair(items, what):
        changed = [_over_sets(items[0], f"{what}[0]", change), items[1]]
    else:
        changed = [_over_sets(item, f"{what}[{name!r}]", change) for name, item in zip(names, items, strict=True)]
    if all(mine is its for mine, its in zip(changed, items, strict=True)):
        return value
    return dict(zip(names, changed, strict=True)) if isinstance(value, dict) else like(value, changed)


def _is_pair(items: list[Any], what: str) -> bool:
    """Whether the items of a tuple are x and y: as many rows, and other columns."""
    if len(items) != 2:
        return False
    x, y = map(_outline, items)
    if x.width is None or y.width is None or x.rows is None or x.rows != y.rows:
        return False
    if x.width != y.width or (x.columns is None) != (y.columns is None):
        return True
    if x.columns is None or y.columns is None:
        raise AblationError(
            f"{what} is a tuple of two arrays with as many rows and columns: it may be a pair (x, y) or two data sets. "
            f"Give a list where it is two data sets, or give names to the columns"
        )
    return set(x.columns) != set(y.columns)


def opened(value: Any) -> Any:
    """A value of a config with its paths as handles, of which the columns are known."""
    if is_path(value):
        return files_at("data", value)
    if not holds_data(value):
        return value
    if isinstance(value, dict):
        return {name: opened(item) for name, item in value.items()}
    return like(value, [opened(item) for item in value])
