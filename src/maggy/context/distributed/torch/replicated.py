"""A model of which every rank has a copy: DistributedDataParallel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from maggy.context.distributed.torch.alone import Alone
from maggy.context.distributed.torch.reach import reaching, unreached
from maggy.context.distributed.torch.sync import average_buffers, broadcast, is_lazy, materialise


class Replicated(Alone):
    """The copies begin with the weights of rank 0; the gradients of each step are averaged over ranks.

    Calls that make no gradients talk to nobody, so that in evaluation each rank may have another number of batches.
    Every other call goes through a DistributedDataParallel, which is made at the first of them: before, a training
    function may still freeze or exchange parts of its model. Each rank has its own buffers while it trains; they are
    averaged when evaluation begins.
    """

    def __init__(self, net: Any, device: Any, *, mixed: bool) -> None:
        super().__init__(net, device, mixed=mixed)
        self._ddp: Any = None
        self._trains: list[bool] | None = None  # which parameters were trained when that was made
        self._parameters: list[Any] = []
        self._trained: list[Any] = []
        self._hooks: list[Any] = []
        self._awaited: set[int] = set()  # parameters that have not got their gradient since the last call
        self._has_unreached: bool | None = None
        self._is_lazy = is_lazy(net)
        broadcast(net)

    def run(self, net: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        import torch

        if self._is_lazy:
            materialise(net, lambda: super(Replicated, self).run(net, call, args, kwargs))
            broadcast(net)
            self._is_lazy = is_lazy(net)
        replica = self._replica(net) if torch.is_grad_enabled() else None
        if replica is None:
            return super().run(net, call, args, kwargs)
        self._awaited = {id(parameter) for parameter in self._ends()}
        with nullcontext() if self.last else replica.no_sync():
            output = super().run(net, replica, args, kwargs)
        return self._reach(output)

    def enter(self, net: Any, *, training: bool) -> None:
        if not training:
            average_buffers(net)

    def release(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._ddp, self._trains, self._parameters, self._trained, self._hooks = None, None, [], [], []

    def _replica(self, net: Any) -> Any:
        """The DistributedDataParallel over the model, of what is trained now; None if nothing is."""
        from torch.nn.parallel import DistributedDataParallel

        if self._trains != [parameter.requires_grad for parameter in self._parameters]:
            self.release()
            self._parameters = list(net.parameters())
            self._trains = [parameter.requires_grad for parameter in self._parameters]
            self._trained = [parameter for parameter in self._parameters if parameter.requires_grad]
            if self._trained:
                self._ddp = DistributedDataParallel(net, **_own_buffers())
                self._hooks = [end.register_post_accumulate_grad_hook(self._expect) for end in self._ends()]
                self._has_unreached = None
        return self._ddp

    def _ends(self) -> list[Any]:
        """The first and the last of the parameters that are trained: hardly any gradients are made without them."""
        return self._trained[:1] + self._trained[1:][-1:]

    def _expect(self, parameter: Any) -> None:
        """Called when a parameter has got its gradient."""
        if id(parameter) not in self._awaited:
            raise RuntimeError(
                "gradients were made past the call of the model, and so are not those of all ranks. Train through "
                "net(...), or a method that calls self(...), not through net.forward(...) or one of its parts; and "
                "call backward() once after each call, on the sum of all losses"
            )
        self._awaited.discard(id(parameter))

    def _reach(self, output: Any) -> Any:
        """The output, such that gradients of it get to all parameters, as DistributedDataParallel takes for granted."""
        if self._has_unreached is None:
            self._has_unreached = unreached(output, self._trained)
        return reaching(output, self._trained) if self._has_unreached else output


def _own_buffers() -> dict[str, Any]:
    """The option that leaves each rank its own buffers; it has got another name."""
    from torch.nn.parallel import DistributedDataParallel

    named = inspect.signature(DistributedDataParallel).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in named else "broadcast_buffers": False}
