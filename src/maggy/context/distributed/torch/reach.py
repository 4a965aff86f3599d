"""Parameters of a model that have no part in what it returns.

DistributedDataParallel waits for the gradients of all parameters. Its own remedy, `find_unused_parameters`, has to be
chosen before, costs a search in each step, and fails where a parameter is used only outside of the model's call.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any


def unreached(output: Any, parameters: Sequence[Any]) -> bool:
    """Whether gradients of an output leave out a parameter; False where that cannot be told.

    What a reentrant `torch.utils.checkpoint` does is hidden.
    """
    waiting = [tensor.grad_fn for tensor in _tensors(output)[0]]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        following = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= following
        waiting += following
    found = {id(node.variable) for node in seen if hasattr(node, "variable")}
    hidden = any("CheckpointFunction" in type(node).__name__ for node in seen)
    return bool(seen) and not hidden and any(id(parameter) not in found for parameter in parameters)


def reaching(output: Any, parameters: Sequence[Any]) -> Any:
    """The same output; gradients of it reach all parameters, some of them with nothing to add."""
    tensors, fill = _tensors(output)
    return fill(_reaching_type().apply(len(tensors), *tensors, *parameters)) if tensors else output


def _tensors(output: Any) -> tuple[list[Any], Any]:
    """The tensors of an output that have a history, and a function that makes the output with others in their place."""
    from torch import Tensor
    from torch.utils._pytree import tree_flatten, tree_unflatten

    leaves, spec = tree_flatten(output)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.grad_fn is not None]

    def fill(tensors: Sequence[Any]) -> Any:
        others = dict(zip(places, tensors, strict=True))
        return tree_unflatten([others.get(i, leaf) for i, leaf in enumerate(leaves)], spec)

    return [leaves[i] for i in places], fill


@functools.cache
def _reaching_type() -> Any:
    from torch.autograd import Function

    class Reaching(Function):
        @staticmethod
        def forward(ctx: Any, count: int, *tensors: Any) -> Any:
            ctx.set_materialize_grads(False)
            ctx.others = len(tensors) - count
            return tuple(tensor.clone() for tensor in tensors[:count])  # as itself it could not be changed in place

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return None, *gradients, *[None] * ctx.others

    return Reaching
