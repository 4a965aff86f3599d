"""A model of which there is one copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maggy.context.distributed.torch.precision import bfloat16, in_float32


class Alone:
    """What is done around the calls of a model on one worker, and what its sisters for several workers do more.

    device  where it is
    mixed   whether it computes in bfloat16; what it returns is float32 even so

    inside  whether the model is being called
    last    whether the gradients that are made now go to the other ranks, see `Context.accumulate`
    """

    inside = False
    last = True

    def __init__(self, net: Any, device: Any, *, mixed: bool) -> None:
        net.to(device)
        self._device, self._mixed = device, mixed

    def run(self, net: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the model, by a function that does nothing else."""
        if not self._mixed:
            return call(*args, **kwargs)
        with bfloat16(self._device):
            output = call(*args, **kwargs)
        return in_float32(output)

    def enter(self, net: Any, *, training: bool) -> None:
        """The model goes over to training or to evaluation."""

    def release(self) -> None:
        """Let go of everything that talks to other ranks."""
