"""What models on several workers ask of each other, whatever Keras runs on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from maggy.context.distributed.gang import Gang


class Ranks(ABC):
    """One rank's view of the others. All of them have to call the same methods in the same order.

    stepping  the model that is in a step of `fit` or `evaluate`, and not yet in its forward pass
    """

    def __init__(self, gang: Gang) -> None:
        self.gang = gang
        self.rank, self.size = gang.rank, gang.size
        self.stepping: Any = None

    @contextmanager
    def step(self, model: Any) -> Iterator[None]:
        """What is called within is a step of this model."""
        before, self.stepping = self.stepping, model
        try:
            yield
        finally:
            self.stepping = before

    # --- items of a batch

    @abstractmethod
    def length(self, data: Any) -> Any:
        """How many items all tensors of a structure have, a number or a tensor; None if they cannot be cut alike."""

    def cut(self, data: Any, length: Any) -> Any:
        """This rank's items of a batch: each `size`-th. A rank without any takes the last, whose result is dropped."""
        import keras

        return keras.tree.map_structure(lambda tensor: None if tensor is None else self._cut(tensor, length), data)

    def gather(self, parts: Any, length: Any) -> Any:
        """A whole batch, of what the ranks have made of their items.

        Each rank goes on with the whole, as the others do. So the gradient of its own part is that of the whole, times
        `size`, since the gradients of the ranks are averaged.
        """
        import keras

        return keras.tree.map_structure(lambda part: None if part is None else self._gathered(part, length), parts)

    def agree(self, data: Any) -> Any:
        """Data of which each item is as the rank has it that takes this item, wherever ranks have shuffled apart."""
        import keras

        def agreed(tensor: Any) -> Any:
            length = self.length(tensor)
            return tensor if length is None else self._gather(self._cut(tensor, length), length)

        return keras.tree.map_structure(agreed, data)

    def _gathered(self, part: Any, length: Any) -> Any:
        whole = self._gather(part, length)
        mask = getattr(part, "_keras_mask", None)
        if mask is not None:  # losses and metrics look for it there
            whole._keras_mask = self._gather(mask, length)
        return whole

    @abstractmethod
    def _cut(self, tensor: Any, length: Any) -> Any: ...

    @abstractmethod
    def _gather(self, part: Any, length: Any) -> Any: ...

    # --- whole tensors

    @abstractmethod
    def sum(self, tensor: Any) -> Any:
        """The sum over all ranks."""

    def mean(self, tensors: Sequence[Any]) -> list[Any]:
        """The mean of each tensor over all ranks; None stays None."""
        return self._combined(tensors, 1 / self.size)

    def first(self, tensors: Sequence[Any]) -> list[Any]:
        """What rank 0 has."""
        import keras

        return self._combined(tensors if self.rank == 0 else [keras.ops.zeros_like(tensor) for tensor in tensors], 1)

    def _combined(self, tensors: Sequence[Any], factor: float) -> list[Any]:
        """The sums over all ranks times a factor, by one message between them."""
        from keras import ops

        there = [tensor for tensor in tensors if tensor is not None]
        if not there:
            return list(tensors)
        widest = max(map(wide, there))  # float64 where there is one
        flat = ops.concatenate([ops.cast(ops.reshape(tensor, (-1,)), widest) for tensor in there])
        total = self.sum(flat) * factor
        ends = list(accumulate(math.prod(tensor.shape) for tensor in there))
        parts = (
            ops.cast(ops.reshape(part, tensor.shape), tensor.dtype)
            for part, tensor in zip(ops.split(total, ends[:-1]), there, strict=True)
        )
        return [None if tensor is None else next(parts) for tensor in tensors]


def wide(tensor: Any) -> str:
    """The type in which a tensor travels: all backends and both gloo and NCCL know it, and no number changes."""
    from keras.backend import standardize_dtype

    kind = standardize_dtype(tensor.dtype)
    if kind.startswith(("float", "bfloat")):
        return "float64" if kind == "float64" else "float32"
    return "int64"
