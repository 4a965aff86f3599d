"""How data flows through a PyTorch model: which modules are called, and the shapes of what they return."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tensor:
    """The shape and type of a tensor."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return str(self.shape)


Signature = Any
"""A `Tensor`; a tuple of signatures, for containers; or the name of another type."""


@dataclass(frozen=True)
class Merge:
    """A function of several tensors that are neither parameters nor single numbers.

    place     dotted name of the module that calls it
    function  its name
    shapes    of the tensors
    repeats   whether two of them are one and the same
    """

    place: str
    function: str
    shapes: tuple[tuple[int, ...], ...]
    repeats: bool


@dataclass
class Trace:
    """What was seen while a model ran once on a sample.

    inputs   by name of the module, what each of its calls got first
    outputs  likewise, what it returned; the model itself has the name ""
    merges   all functions of several tensors
    used     ids of the parameters that functions got
    silent   whether all that the model returned is zero
    """

    inputs: dict[str, set[Signature]] = field(default_factory=dict)
    outputs: dict[str, set[Signature]] = field(default_factory=dict)
    merges: set[Merge] = field(default_factory=set)
    used: set[int] = field(default_factory=set)
    silent: bool = False


def trace(model: Any, sample: Any, first_names: Mapping[str, str]) -> Trace:
    """Run the model on a sample, in the mode that it is in. Raises whatever the model raises.

    sample       a dict of inputs by name, a tuple or list of inputs, or the only one
    first_names  for each name of a module the one by which it goes in the trace
    """
    from torch.overrides import TorchFunctionMode

    found = Trace()
    stack = [""]
    fixed = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}

    class Merges(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = list(_tensors((args, kwargs or {})))
            found.used.update(id(one) for one in given if id(one) in fixed)
            tensors = [one for one in given if id(one) not in fixed and one.dim()]
            if len(tensors) > 1:
                shapes = tuple(tuple(tensor.shape) for tensor in tensors)
                repeats = len(set(map(_identity, tensors))) < len(tensors)
                found.merges.add(Merge(stack[-1], getattr(func, "__name__", str(func)), shapes, repeats))
            return func(*args, **(kwargs or {}))

    def watch(name: str, module: Any) -> Iterator[Any]:
        def leave(module: Any, args: Any, kwargs: Any, output: Any) -> None:  # what a hook returns replaces the output
            stack.pop()
            found.inputs.setdefault(name, set()).add(signature(next(iter((*args, *kwargs.values())), None)))
            found.outputs.setdefault(name, set()).add(signature(output))

        yield module.register_forward_pre_hook(lambda module, args: stack.append(name))
        yield module.register_forward_hook(leave, with_kwargs=True)

    hooks = [hook for name, module in model.named_modules() for hook in watch(first_names.get(name, name), module)]
    try:
        args, kwargs = _as_call(model, sample)
        with Merges():
            result = model(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    tensors = list(_tensors(result))
    found.silent = bool(tensors) and not any(bool(tensor.any()) for tensor in tensors)
    return found


def signature(value: Any) -> Signature:
    """The shapes and types of the tensors in a value."""
    import torch

    if isinstance(value, torch.Tensor):
        return Tensor(tuple(value.shape), str(value.dtype))
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return tuple((str(key), signature(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(signature, value))
    return type(value).__name__


def _as_call(model: Any, sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))

    def place(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            if not hasattr(value, "__array__"):
                return value
            value = torch.as_tensor(value)
            if value.dtype == torch.float64:  # NumPy's default, and hardly the model's
                value = value.to(torch.get_default_dtype())
        return value.to(device).clone()  # the model may write into it

    if isinstance(sample, Mapping):
        return (), {name: place(value) for name, value in sample.items()}
    return tuple(map(place, sample if isinstance(sample, list | tuple) else [sample])), {}


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _identity(tensor: Any) -> Any:
    """Equal for a tensor and a view of all of it."""
    import torch

    if tensor.layout != torch.strided or not tensor.numel() or tensor.is_meta:
        return id(tensor)
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()
