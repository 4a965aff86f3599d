"""In which precision a model computes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any


def bfloat16(device: Any) -> AbstractContextManager[Any]:
    """Within it, what can be computed in bfloat16 is; weights stay as they are."""
    import torch

    return torch.autocast(device.type, torch.bfloat16)


def in_float32(output: Any) -> Any:
    """What a model returned, such that a loss of it is computed in float32."""
    import torch
    from torch.utils._pytree import tree_map

    def full(leaf: Any) -> Any:
        return leaf.float() if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bfloat16 else leaf

    return tree_map(full, output)
