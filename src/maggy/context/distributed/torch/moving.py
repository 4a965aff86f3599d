"""Batches where a model is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Moving:
    """A DataLoader whose batches come to a device; in everything else it is that DataLoader."""

    def __init__(self, loader: Any, device: Any) -> None:
        self._loader, self._device = loader, device

    def __iter__(self) -> Iterator[Any]:
        return (moved(batch, self._device) for batch in self._loader)

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_loader"], name)


def moved(batch: Any, device: Any) -> Any:
    """A batch of any form with its tensors on a device."""
    import torch
    from torch.utils._pytree import tree_map

    return tree_map(lambda leaf: leaf.to(device, non_blocking=True) if isinstance(leaf, torch.Tensor) else leaf, batch)
