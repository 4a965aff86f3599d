"""From where the ranks of a trial meet to where they part."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maggy.config import Distribution
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.meeting import parting
from maggy.context.distributed.torch.context import TorchContext
from maggy.context.distributed.torch.group import Group, device_of


@contextmanager
def opened_torch(distribution: Distribution, gang: Gang, *, seed: int, takes_context: bool) -> Iterator[TorchContext]:
    """See `opened`. After a trial that ends well on all ranks alike the process can run another one.

    Raises ImportError where PyTorch is missing, and what `Group` does.
    """
    device = device_of(gang)
    group = _meet(gang, device, distribution.timeout_s) if gang.size > 1 else None
    context = TorchContext(gang, distribution, device, seed=seed, shares_rows=not takes_context)
    with parting(lambda: _close(context, group)):
        yield context


def _meet(gang: Gang, device: Any, timeout_s: float) -> Group:
    # If it were imported later, defaults of its functions would keep the group for good.
    import torch.distributed.nn.functional  # noqa: F401

    group = Group(gang, device, timeout_s)
    gc.freeze()  # so that the collection at the end looks only at what the trial has made
    return group


def _close(context: TorchContext, group: Group | None) -> None:
    """Part. What a training function has made is gone by then: a process that ends with it may abort."""
    context.release()
    if group is not None:
        gc.collect()
        gc.unfreeze()
        group.leave()
