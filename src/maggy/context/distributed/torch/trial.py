"""From where the ranks of a trial meet to where they part."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maggy.config import Distribution
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.peers import chain
from maggy.context.distributed.torch.context import TorchContext
from maggy.context.distributed.torch.group import Group
from maggy.errors import EarlyStopException, PreemptedException


@contextmanager
def opened_torch(distribution: Distribution, gang: Gang, *, seed: int, takes_context: bool) -> Iterator[TorchContext]:
    """See `opened`. After a trial that ends well on all ranks alike the process can run another one.

    Raises ImportError where PyTorch is missing, and what `Group` does.
    """
    device = _device(gang)
    group = _meet(gang, device, distribution.timeout_s) if gang.size > 1 else None
    context = TorchContext(gang, distribution, device, seed=seed, shares_rows=not takes_context)
    try:
        yield context
    except PreemptedException:  # of this rank alone: the others cannot part from it
        raise
    except EarlyStopException as stop:
        _forget(stop)
        _close(context, group)
        raise
    _close(context, group)


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


def _forget(error: BaseException) -> None:
    """Drop what the frames hold through which an exception came."""
    for each in chain(error):
        traceback.clear_frames(each.__traceback__)


def _device(gang: Gang) -> Any:
    """This rank's GPU: the only one that it sees, as a rule; the CPU where it sees none."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("training with PyTorch needs it: pip install torch") from error
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", gang.local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device
