"""Keras on PyTorch: its collectives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.keras.context import KerasContext
from maggy.context.distributed.keras.models import Divided
from maggy.context.distributed.keras.ranks import Ranks, wide
from maggy.context.distributed.meeting import parting
from maggy.context.distributed.torch.group import Group, device_of


class TorchRanks(Ranks):
    """Ranks that share a process group."""

    def length(self, data: Any) -> int | None:
        import keras
        import torch

        leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
        dense = all(isinstance(leaf, torch.Tensor) and leaf.layout is torch.strided and leaf.dim() for leaf in leaves)
        lengths = {len(leaf) for leaf in leaves} if dense else set()
        return lengths.pop() if len(lengths) == 1 else None

    def _cut(self, tensor: Any, length: int) -> Any:
        return tensor[min(self.rank, length - 1) :: self.size]

    def _gather(self, part: Any, length: int) -> Any:
        return self._gathering.apply(part, length)

    def sum(self, tensor: Any) -> Any:
        import torch.distributed

        total = tensor.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    @cached_property
    def _gathering(self) -> Any:
        import torch

        ranks = self

        class Gathering(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, part: Any, length: int) -> Any:
                ctx.shape = part.shape
                whole = part.new_zeros((length, *part.shape[1:]), dtype=getattr(torch, wide(part)))
                mine = whole[ranks.rank :: ranks.size]
                mine.copy_(part[: len(mine)])
                return ranks.sum(whole).to(part.dtype)

            @staticmethod
            def backward(ctx: Any, *gradients: Any) -> Any:
                part = gradients[0].new_zeros(ctx.shape)
                mine = gradients[0][ranks.rank :: ranks.size]
                part[: len(mine)] = mine * ranks.size
                return part, None

        return Gathering


class TorchContext(KerasContext):
    """A context on PyTorch."""

    def __init__(self, gang: Gang, device: Any, **settings: Any) -> None:
        super().__init__(gang, **settings)
        self._device = device

    @property
    def device(self) -> Any:
        return self._device


@contextmanager
def opened(gang: Gang, *, seed: int, timeout_s: float) -> Iterator[KerasContext]:
    """The context of one trial, with a process group of its own."""
    device = device_of(gang)  # Keras takes that
    if gang.size == 1:
        yield TorchContext(gang, device, seed=seed)
        return
    group = Group(gang, device, timeout_s)
    with parting(group.leave):
        yield TorchContext(gang, device, seed=seed, mixin=Divided, attributes={"_ranks": TorchRanks(gang)})
