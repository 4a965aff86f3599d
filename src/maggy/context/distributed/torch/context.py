"""What a training function in PyTorch gets as `context`."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from maggy.config import Distribution
from maggy.context.distributed.context import Context
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.torch.alone import Alone
from maggy.context.distributed.torch.moving import Moving
from maggy.context.distributed.torch.placed import is_placed, place, placing, release, together
from maggy.context.distributed.torch.replicated import Replicated
from maggy.context.distributed.torch.sharded import Sharded
from maggy.context.factory import finishing
from maggy.errors import ConfigError
from maggy.seeds import seed_of


class TorchContext(Context):
    """The context of one of several ranks, or of one alone whose models are placed as theirs are."""

    def __init__(
        self, gang: Gang, distribution: Distribution, device: Any, *, seed: int = 0, shares_rows: bool = False
    ) -> None:
        super().__init__(gang, seed=seed, shares_rows=shares_rows)
        self._distribution, self._device = distribution, device
        self._placed: list[weakref.ref[Any]] = []

    @property
    def device(self) -> Any:
        return self._device

    def loader(self, dataset: Any, batch_size: int, shuffle: bool = False, **options: Any) -> Any:
        """See `Context.loader`; the batches are where this rank computes."""
        loader = super().loader(dataset, batch_size, shuffle, **options)
        return loader if self._device.type == "cpu" else Moving(loader, self._device)

    @contextmanager
    def accumulate(self, model: Any, *, last: bool) -> Iterator[None]:
        if not is_placed(model):
            yield
            return
        around = together(model)
        around.last = last
        try:
            yield
        finally:
            around.last = True

    def place(self, model: Any) -> Any:
        """The class or factory of a model, or a list of them, such that what it makes trains together with that of the
        other ranks; also for a model itself.

        A class stays a class. What is made is of the user's class, with its attributes, methods and the names of its
        weights. All ranks begin with the weights of rank 0. With DeepSpeed, its engine is made.
        """
        from torch.nn import Module

        if isinstance(model, Module):
            return self._settle(model)
        if isinstance(model, list | tuple):
            return type(model)([self.place(item) for item in model])
        if not callable(model):
            return model
        if self._distribution.deepspeed is not None:
            return self._engines(model)
        return placing(model, self._settle) if isinstance(model, type) else finishing(model, self._settle)

    def release(self) -> None:
        """Let go of all models, so that the process group can be."""
        for reference in self._placed:
            if (net := reference()) is not None:
                release(net)
        self._placed = []

    def _settle(self, made: Any) -> Any:
        from torch.nn import Module

        if isinstance(made, list | tuple):
            return type(made)([self._settle(item) for item in made])
        if not isinstance(made, Module):
            raise ConfigError(
                f"the model is to train on several workers with PyTorch, and is no torch.nn.Module but "
                f"{type(made).__name__}"
            )
        net = place(made, self._way)
        self._placed.append(weakref.ref(net))
        self._part_streams()
        return net

    def _way(self, net: Any) -> Alone:
        mixed, level = self._distribution.mixed_precision, self._distribution.zero_lvl
        if self.size == 1:
            return Alone(net, self._device, mixed=mixed)
        if level == 0:
            return Replicated(net, self._device, mixed=mixed)
        return Sharded(net, self._device, mixed=mixed, level=level)

    def _part_streams(self) -> None:
        """Go on with other random numbers on each rank, for dropout and augmentation; rank 0's are those of a worker
        alone."""
        import torch

        if self.rank and len(self._placed) == 1:
            torch.manual_seed(seed_of(self.seed, "rank", self.rank))

    def _engines(self, factory: Callable[..., Any]) -> Callable[..., Any]:
        try:
            import deepspeed
        except ImportError as error:
            raise ImportError("backend='deepspeed' needs DeepSpeed: pip install deepspeed") from error
        config = dict(self._distribution.deepspeed or {})

        @functools.wraps(factory, updated=())
        def make(*args: Any, **kwargs: Any) -> Any:
            net = factory(*args, **kwargs)
            trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
            return deepspeed.initialize(model=net, model_parameters=trained, config=config)[0]

        return make
