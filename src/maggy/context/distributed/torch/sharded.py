"""A model of which every rank has a part: FSDP2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from maggy.context.distributed.torch.alone import Alone
from maggy.context.distributed.torch.sync import average_buffers, broadcast, is_lazy
from maggy.errors import ConfigError

LEAST = 100_000
"""A part of a model with fewer parameters is no unit of its own: each unit is gathered and freed by itself."""


class Sharded(Alone):
    """Weights, gradients and the optimizer's state lie in pieces on the ranks; a unit is put together for its call.

    For evaluation the whole model is put together on every rank, so that calls talk to nobody, and in evaluation each
    rank may have another number of batches.

    level  3: units are taken apart again after each call; 1, 2: only after the gradients were made
    """

    def __init__(self, net: Any, device: Any, *, mixed: bool, level: int) -> None:
        if is_lazy(net):
            raise ConfigError(
                f"zero_lvl={level} shards weights when the model is made, and those of lazy modules have no shapes "
                "yet. Call the model once on an example in the function that makes it"
            )
        super().__init__(net, device, mixed=mixed)
        self._level = level
        self._is_checked, self._syncs = False, True
        broadcast(net)
        _shard(net, device, mixed=mixed, level=level)

    def run(self, net: Any, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        import torch

        if net.training and torch.is_grad_enabled() and not self._is_checked:
            _check(net)
            self._is_checked = True
        if self._syncs != self.last:
            self._syncs = self.last
            net.set_requires_gradient_sync(self.last)
        return call(*args, **kwargs)

    def enter(self, net: Any, *, training: bool) -> None:
        if not training:
            average_buffers(net)
        net.set_reshard_after_forward(training and self._level == 3)
        for module in _sharded(net):
            if training:
                module.reshard()
            else:
                module.unshard()


def units(net: Any) -> list[Any]:
    """The parts of a model that are put together by themselves: its children that are large enough.

    Those of a Sequential, a ModuleList or a ModuleDict count in its place. One that shares weights with another is no
    unit.
    """
    found = list(dict.fromkeys(_children(net)))
    owners = Counter(id(parameter) for child in found for parameter in child.parameters())

    def is_unit(child: Any) -> bool:
        parameters = list(child.parameters())
        shares = any(owners[id(parameter)] > 1 for parameter in parameters)
        return not shares and sum(parameter.numel() for parameter in parameters) >= LEAST

    return [child for child in found if is_unit(child)]


def as_shards(state: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """A state of whole weights, cut up as that of the model is; what is cut up already stays so."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    def cut(value: Any, target: Any) -> Any:
        if not isinstance(target, DTensor) or isinstance(value, DTensor):
            return value
        return distribute_tensor(value.to(target.device), target.device_mesh, target.placements)

    return {name: cut(value, like.get(name)) for name, value in state.items()}


def _shard(net: Any, device: Any, *, mixed: bool, level: int) -> None:
    import torch
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh

    try:
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    except ImportError as error:
        raise ImportError(f"zero_lvl={level} needs PyTorch 2.6 or newer; this is {torch.__version__}") from error
    mesh = init_device_mesh(device.type, (get_world_size(),))
    dtypes: dict[str, Any] = {"param_dtype": torch.bfloat16, "reduce_dtype": torch.float32} if mixed else {}
    outputs: dict[str, Any] = {"output_dtype": torch.float32} if mixed else {}
    shard = partial(fully_shard, mesh=mesh, reshard_after_forward=level == 3)
    for unit in units(net):
        shard(unit, mp_policy=MixedPrecisionPolicy(**dtypes))
    shard(net, mp_policy=MixedPrecisionPolicy(**dtypes, **outputs))


def _children(net: Any) -> Iterator[Any]:
    from torch.nn import ModuleDict, ModuleList, Sequential

    for child in net.children():
        if type(child) in (Sequential, ModuleList, ModuleDict):
            yield from _children(child)
        else:
            yield child


def _sharded(net: Any) -> list[Any]:
    from torch.distributed.fsdp import FSDPModule

    return [module for module in net.modules() if isinstance(module, FSDPModule)]


def _check(net: Any) -> None:
    from torch.distributed.tensor import DTensor

    later = [name for name, one in net.named_parameters() if one.requires_grad and not isinstance(one, DTensor)]
    if later:
        raise ConfigError(
            f"{', '.join(map(repr, later[:5]))} came into the model after it was made, and so is not sharded. Do it in "
            "the function that makes the model"
        )
