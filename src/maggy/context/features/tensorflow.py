"""Columns of a `tf.data.Dataset`."""

from __future__ import annotations

from typing import Any

from maggy.context.data.outline import outline
from maggy.context.features.arrays import holds
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
    fills = {position: fill for position, fill in at.items() if fill is not None}
    is_pair = isinstance(data.element_spec, tuple)
    spec = data.element_spec[0] if is_pair else data.element_spec
    names = list(spec) if isinstance(spec, dict) else None
    for position, fill in fills.items():
        kind = (spec if names is None else spec[names[position]]).dtype
        if not (kind.is_floating or holds(kind.as_numpy_dtype, fill)):
            raise cut.misfit(what if names is None else f"{names[position]!r} of {what}", fill, kind.name)

    def column(x: Any, position: int) -> Any:
        values = x[..., position] if names is None else x[names[position]]
        if position not in fills:
            return values
        return tf.fill(tf.shape(values), tf.cast(fills[position], values.dtype))

    def change(x: Any) -> Any:
        if names is not None:
            return {names[position]: column(x, position) for position in kept}
        return tf.stack([column(x, position) for position in kept], axis=-1) if fills else tf.gather(x, kept, axis=-1)

    return data.map(lambda x, *rest: (change(x), *rest)) if is_pair else data.map(change)
