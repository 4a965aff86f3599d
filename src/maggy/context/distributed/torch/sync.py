"""What is made equal on all ranks, outside of training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def is_lazy(net: Any) -> bool:
    """Whether a model has weights whose shapes its first input tells."""
    return any(map(_is_lazy, [*net.parameters(), *net.buffers()]))


def materialise(net: Any, call: Callable[[], Any]) -> None:
    """Give lazy modules their weights by a call of the model that changes nothing else in it, and draws no dropout."""
    import torch

    modes = [(module, module.training) for module in net.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.no_grad():
            call()
    finally:
        for module, mode in modes:
            module.training = mode


def broadcast(net: Any) -> None:
    """Give all ranks the weights and buffers of rank 0."""
    import torch.distributed as dist

    for tensor in [*net.parameters(), *net.buffers()]:
        if not _is_lazy(tensor):
            values = tensor.detach().contiguous()
            dist.broadcast(values, 0)
            tensor.detach().copy_(values)


def average_buffers(net: Any) -> None:
    """Give all ranks the mean of what they have gathered in buffers, such as the statistics of BatchNorm.

    Buffers that are no part of the `state_dict` are left alone: they hold what can be computed again.
    """
    import torch
    import torch.distributed as dist

    buffers = list(_gathering(net))
    if not buffers:
        return
    flat = torch.cat([buffer.double().flatten() for buffer in buffers])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for buffer, mean in zip(buffers, torch.split(flat, [buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(mean.view_as(buffer))


def _gathering(net: Any) -> Iterator[Any]:
    for module in net.modules():
        for name, buffer in module.named_buffers(recurse=False):
            learned = name not in module._non_persistent_buffers_set
            if learned and not _is_lazy(buffer) and buffer.is_floating_point():
                yield buffer.detach()


def _is_lazy(tensor: Any) -> bool:
    from torch.nn.parameter import is_lazy

    return bool(is_lazy(tensor))
