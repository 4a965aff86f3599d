"""Columns of a `tf.data.Dataset`."""

from __future__ import annotations

from typing import Any

from maggy.context.data.outline import outline
from maggy.context.features.cut import Cut


def leave_out_of_tf(data: Any, cut: Cut, what: str) -> Any:
    """A `tf.data.Dataset` whose elements, or the x of their pairs (x, y), are without these columns.

    Dicts lose keys, tensors positions of their last axis. It stays lazy.
    """
    import tensorflow as tf

    shown = outline(data)
    if shown.width is None:
        raise cut.error(
            f"{what} has elements {data.element_spec}; columns can be left out of dicts, of tensors whose last axis is "
            f"known, and of pairs (x, y) of these"
        )
    at = cut.positions(shown, what)
    kept = [position for position in range(shown.width) if at.get(position, 0.0) is not None]

    def constant(column: Any, fill: float, name: str) -> Any:
        if not column.dtype.is_floating and not (column.dtype.is_integer and float(fill).is_integer()):
            raise cut.misfit(name, fill, column.dtype.name)
        return tf.fill(tf.shape(column), tf.cast(fill, column.dtype))

    def change(x: Any) -> Any:
        if isinstance(x, dict):
            names = [list(x)[position] for position in kept]
            fills = {list(x)[position]: fill for position, fill in at.items() if fill is not None}
            return {name: constant(x[name], fills[name], name) if name in fills else x[name] for name in names}
        columns = tf.unstack(x, axis=-1) if cut.has_fill else None
        if columns is None:
            return tf.gather(x, kept, axis=-1)
        fills_at = {position: fill for position, fill in at.items() if fill is not None}
        return tf.stack(
            [constant(columns[each], fills_at[each], what) if each in fills_at else columns[each] for each in kept],
            axis=-1,
        )

    if isinstance(data.element_spec, tuple):
        return data.map(lambda x, *rest: (change(x), *rest))
    return data.map(change)
