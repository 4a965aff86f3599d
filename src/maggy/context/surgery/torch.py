"""Leaving modules out of PyTorch models."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maggy.ablation.components import HOWS, Layers
from maggy.context.surgery.patterns import select
from maggy.errors import AblationError


def names(model: Any) -> list[str]:
    """Dotted names of all modules but the model itself; one that is reached by several names has them all."""
    return [name for name, _ in model.named_modules(remove_duplicate=False) if name]


def matching(model: Any, layers: Layers) -> list[str]:
    """What the patterns stand for."""
    return select(names(model), layers, separator=".")


def apply(model: Any, removals: Sequence[Layers]) -> Any:
    """The model itself, without the modules."""
    chosen: dict[str, list[tuple[str, Any]]] = {how: [] for how in HOWS}
    for component in removals:
        found = {name: model.get_submodule(name) for name in matching(model, component)}
        _refuse_nothing(component, found)
        chosen[component.how].extend(found.items())
    trained = _is_trained(model)
    for name, module in chosen["reinit"]:
        _reinitialise(name, module)
    for _, module in chosen["freeze"] + chosen["zero"]:
        module.requires_grad_(False)
    for _, module in chosen["zero"]:
        module.register_forward_hook(zeros_of_output)
    _bypass(model, [module for _, module in chosen["identity"]])
    if trained and not _is_trained(model):
        left_out = ", ".join(repr(name) for found in chosen.values() for name, _ in found)
        raise AblationError(
            f"without {left_out} there is nothing left to train in the model",
            component=" and ".join(component.name for component in removals),
        )
    return model


def weights(model: Any, found: Sequence[str]) -> dict[str, Any]:
    """The weights of some of the modules, by name."""
    import torch

    known = set(names(model))
    return {
        f"{name} {key}": tensor.detach()
        for name in found
        if name in known
        for key, tensor in model.get_submodule(name).named_parameters()
        if not isinstance(tensor, torch.nn.parameter.UninitializedParameter)
    }


def is_equal(one: Any, other: Any) -> bool:
    """Whether two weights of the same shape have the same values."""
    import torch

    return torch.equal(one, other)


def zeros_of_output(module: Any, inputs: Any, output: Any) -> Any:
    """A forward hook. What comes before gets gradients of zero rather than none, of which DDP would complain."""
    import torch

    if isinstance(output, torch.Tensor):
        return output.masked_fill(torch.ones((), dtype=torch.bool, device=output.device), 0)
    if isinstance(output, Mapping):
        return type(output)({key: zeros_of_output(module, inputs, value) for key, value in output.items()})  # type: ignore[call-arg]
    if isinstance(output, tuple | list):
        zeros = [zeros_of_output(module, inputs, value) for value in output]
        return type(output)(*zeros) if hasattr(output, "_fields") else type(output)(zeros)
    if output is None:
        return None
    raise AblationError(f"how='zero' knows tensors, tuples, lists and dicts of them, not a {type(output).__name__}")


def bypass() -> Any:
    """A module that returns its first input as it is."""
    return _bypass_type()()


@functools.cache
def _bypass_type() -> Any:
    import torch

    class Bypass(torch.nn.Module):
        def forward(self, x: Any, *args: Any, **kwargs: Any) -> Any:
            return x

        def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
            """Weights of what was left out are passed over when those of the whole model are loaded."""

        def __reduce__(self) -> Any:  # pickle does not find a class that was made in a function
            return bypass, ()

    return Bypass


def _bypass(model: Any, modules: Iterable[Any]) -> None:
    stand_ins = {id(module): bypass() for module in modules}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # all names of a module that has several
            if id(child) in stand_ins:
                parent.register_module(name, stand_ins[id(child)])


def _reinitialise(name: str, module: Any) -> None:
    for part in reversed(list(module.modules())):  # a module may set the weights of those inside of it
        reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
        if reset is not None:
            reset()


def _refuse_nothing(component: Layers, found: Mapping[str, Any]) -> None:
    parts = [part for module in found.values() for part in module.modules()]
    listed = ", ".join(map(repr, found))
    if component.how == "identity" and all(map(_passes_on, found.values())):
        why = f"{listed} passes on what it gets as it is"
    elif component.how == "freeze" and not any(map(_is_trained, found.values())):
        why = f"{listed} has no parameters that are trained"
    elif component.how == "reinit" and not any(part._parameters for part in parts):
        why = f"{listed} has no parameters"
    else:
        why = ""
    if why:
        raise AblationError(f"how={component.how!r} would change nothing: {why}", component=component.name)
    for part in parts if component.how == "reinit" else ():
        if part._parameters and not (hasattr(part, "reset_parameters") or hasattr(part, "_reset_parameters")):
            raise AblationError(
                f"{listed} cannot get fresh weights: the class {type(part).__name__}, which has parameters, has no "
                "method reset_parameters",
                component=component.name,
            )


def _passes_on(module: Any) -> bool:
    import torch

    if isinstance(module, torch.nn.Sequential):
        return all(map(_passes_on, module))
    dropouts = torch.nn.modules.dropout._DropoutNd
    return isinstance(module, torch.nn.Identity) or (isinstance(module, dropouts) and module.p == 0)


def _is_trained(module: Any) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
