"""Whether a PyTorch model works without some of its modules, told from a run on a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from maggy.ablation.components import Layers
from maggy.context.surgery.torch import apply, is_equal, matching, weights
from maggy.context.surgery.torch_trace import Merge, Signature, Tensor, Trace, trace
from maggy.errors import AblationError

_REMEDIES = (
    "Leave out a group of modules that keeps the shape, put lazy modules such as LazyLinear behind it, use how='zero', "
    "or give a model for this component with study.model.add_custom_model_generator"
)


class Inspection:
    """A model that was traced, to compare others with it that lack some of its modules.

    make    makes a fresh model
    sample  a batch of inputs, or None: then modules cannot be left out by how='identity'
    """

    weights = staticmethod(weights)
    is_equal = staticmethod(is_equal)

    def __init__(self, model: Any, make: Callable[[], Any], sample: Any) -> None:
        self._model, self._make, self._sample = model, make, sample
        firsts = {id(module): name for name, module in model.named_modules()}
        self._first_names = {name: firsts[id(module)] for name, module in model.named_modules(remove_duplicate=False)}
        self._traces: dict[bool, Trace] = {}  # by whether the model was in training mode
        if sample is None:
            return
        for training in (False, True):
            try:
                self._traces[training] = trace(model.train(training), sample, self._first_names)
            except Exception as error:  # what fails in one mode, e.g. a batch of one in training, may run in the other
                failure = error
        if not self._traces:
            raise AblationError(
                f"the model cannot take the sample: {type(failure).__name__}: {failure}. A tuple stands for several "
                "inputs, a dict for inputs by name; targets are not among them"
            ) from failure

    def check(self, removals: Sequence[Layers]) -> Any:
        """A model without these modules. Raises AblationError where it cannot work or is the same."""
        chosen = [(layers, matching(self._model, layers)) for layers in removals]
        for layers, found in chosen:
            self._check_called(layers, found)
        ablated = apply(self._make(), removals)
        comparison = _Comparison(chosen, self._first_names)
        for training, base in self._traces.items():
            comparison.check(base, ablated.train(training), self._sample)
        return ablated

    def within(self, found: Sequence[str]) -> dict[int, str]:
        """The modules and what lies in them: their names, by their ids."""
        modules = ((name, self._model.get_submodule(name)) for name in found)
        return {
            id(part): f"{name}.{inner}".rstrip(".") for name, each in modules for inner, part in each.named_modules()
        }

    def _check_called(self, layers: Layers, found: Sequence[str]) -> None:
        if not self._traces:
            if layers.how == "identity":
                raise AblationError(
                    f"leaving out {_listed(found)} can only be checked by running the model: give a batch of its "
                    "inputs with study.model.set_sample(batch)",
                    component=layers.name,
                )
            return
        called = {name for base in self._traces.values() for name in base.outputs}
        used = {key for base in self._traces.values() for key in base.used}
        for name in found:
            module = self._model.get_submodule(name)
            if self._first_names[name] in called:
                continue
            is_used = not used.isdisjoint(map(id, module.parameters()))
            if is_used and layers.how in ("freeze", "reinit"):
                continue
            hint = f"leave out what is in it, e.g. {name + '.*'!r}, or freeze it" if is_used else "nothing would change"
            raise AblationError(f"the model never calls {name!r} on the sample: {hint}", component=layers.name)


class _Comparison:
    """What must be as in the whole model, and how it is said if it is not."""

    def __init__(self, chosen: Sequence[tuple[Layers, Sequence[str]]], first_names: Mapping[str, str]) -> None:
        self._first_names = first_names
        self._component = " and ".join(layers.name for layers, _ in chosen)
        self._all = [name for _, found in chosen for name in found]
        self._bypassed = [first_names[name] for layers, found in chosen for name in found if layers.how == "identity"]
        self._changing = ""

    def check(self, base: Trace, ablated: Any, sample: Any) -> None:
        bypassed = [name for name in self._bypassed if name in base.outputs]
        self._changing = "; ".join(
            f"{name}: {_text(base.inputs[name])} -> {_text(base.outputs[name])}"
            for name in bypassed
            if base.inputs[name] != base.outputs[name]
        )
        for name in bypassed:
            for verb, values in (("gets", base.inputs[name]), ("returns", base.outputs[name])):
                if not all(isinstance(value, Tensor) for value in values):
                    self._refuse(f"{name!r} {verb} {_text(values)}, which is not one tensor")
        try:
            now = trace(ablated, sample, self._first_names)
        except Exception as error:
            self._refuse(f"the rest of the model fails ({type(error).__name__}: {error})", error)
        for name in bypassed:
            if name not in now.outputs:
                self._refuse(f"the model goes on to call {name!r} by another reference, e.g. one in a plain list")
        for name, outputs in now.outputs.items():
            if name in base.outputs and name not in bypassed and not outputs <= base.outputs[name]:
                changed = f"return {_text(outputs)} instead of {_text(base.outputs[name])}"
                self._refuse(f"{name!r} would {changed}" if name else f"the model would {changed}")
        for merge in sorted(now.merges - base.merges, key=str):
            self._check_merge(merge, [one for one in base.merges if _spot(one) == _spot(merge)])
        if now.silent and not base.silent:
            self._refuse("the model would return nothing but zeros")

    def _check_merge(self, merge: Merge, known: Sequence[Merge]) -> None:
        spot = f"{merge.function!r}" + (f" in {merge.place!r}" if merge.place else "")
        alike = [one for one in known if one.shapes == merge.shapes]
        if merge.repeats and not any(one.repeats for one in alike):
            self._refuse(
                f"{spot} would get the same tensor more than once, as if a branch were merged with itself; with "
                "how='zero', a branch that is added adds nothing"
            )
        if not alike:
            self._refuse(f"{spot} would merge the shapes {' and '.join(map(str, merge.shapes))}, as it never does")

    def _refuse(self, problem: str, cause: Exception | None = None) -> NoReturn:
        shapes = f" What changes the shape: {self._changing}." if self._changing else ""
        raise AblationError(
            f"cannot leave out {_listed(self._all)}: {problem}.{shapes} {_REMEDIES}", component=self._component
        ) from cause


def _spot(merge: Merge) -> tuple[str, str]:
    return merge.place, merge.function


def _text(signatures: Iterable[Signature]) -> str:
    return " and ".join(sorted(_shape(one) for one in signatures))


def _shape(one: Signature) -> str:
    return f"({', '.join(map(_shape, one))})" if isinstance(one, tuple) else str(one)


def _listed(found: Sequence[str]) -> str:
    return ", ".join(map(repr, found))
