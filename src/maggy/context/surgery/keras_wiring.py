"""A Keras model wired anew, around some of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from maggy.errors import AblationError

_REMEDIES = (
    "Put the layer that merges the branches, or what changes the shape back, into the group too; leave out another "
    "group; or give a model for this component with study.model.add_custom_model_generator"
)


def is_wired(layer: Any) -> bool:
    """Whether this is a model whose wiring is known: Functional or Sequential."""
    import keras

    return type(layer) is keras.Sequential or (isinstance(layer, keras.Model) and isinstance(layer, keras.Function))


class Wiring:
    """Copies of layers, and how they are called; each copy has the weights of its original where the shapes are equal.

    names   of the original layers, by id
    chosen  ids of layers, by what becomes of them
    """

    def __init__(self, names: Mapping[int, str], chosen: Mapping[str, set[int]]) -> None:
        self._names, self._chosen = names, chosen
        self._copies: dict[int, Any] = {}  # by id of the original
        self._originals: dict[int, Any] = {}  # by id of the copy
        self._zeros: dict[int, Any] = {}  # what makes zeros of a layer's output, by id of the original

    @property
    def removed(self) -> str:
        """The layers that are left out, as text."""
        ids = self._chosen["identity"] | self._chosen["zero"] or set().union(*self._chosen.values())
        return ", ".join(repr(name) for key, name in self._names.items() if key in ids)

    def refuse(self, problem: str, cause: Exception | None = None) -> NoReturn:
        """Raise AblationError that says what is wrong with the model, and the remedies."""
        raise AblationError(f"cannot leave out {self.removed}: {problem}. {_REMEDIES}") from cause

    def rewire(self, model: Any) -> Any:
        """The model without the layers. Raises AblationError where the others do not fit together."""
        new = self._copy_model(model)
        kept = {self._names[key] for key in self._chosen["reinit"]}
        for key, copy in self._copies.items():
            original, name = self._originals[id(copy)], self._names.get(key, "")
            if not is_wired(copy) and not any(name == one or name.startswith(f"{one}/") for one in kept):
                _copy_weights(original, copy)
        for key in self._chosen["freeze"] | self._chosen["zero"]:
            if key in self._copies:
                self._copies[key].trainable = False
        return new

    def _copy_model(self, model: Any) -> Any:
        import keras

        if isinstance(model, keras.Sequential):
            new = self._copy_sequential(model)
        else:
            with _uncompiled(model):
                new = keras.models.clone_model(model, clone_function=self._copy, call_function=self._call)
            if type(new) is not type(model):
                raise AblationError(
                    f"the class {type(model).__name__} cannot be made of inputs and outputs, and what it overrides "
                    "would be lost. Let its __init__ take (inputs, outputs, name=None, **kwargs), or give a model for "
                    "each component with study.model.add_custom_model_generator"
                )
            used, still_used = _used_inputs(model), _used_inputs(new)
            if cut := [tensor.name for at, tensor in enumerate(model.inputs) if at in used - still_used]:
                self.refuse(f"nothing of the input {cut[0]!r} would reach the output")
        if not model.trainable:
            new.trainable = False
        return new

    def _copy_sequential(self, model: Any) -> Any:
        import keras

        layers = []
        for layer in model.layers:
            if id(layer) in self._chosen["identity"]:
                continue
            layers.append(self._copy(layer))
            if id(layer) in self._chosen["zero"]:
                layers.append(self._zero(layer))
        if not layers:
            raise AblationError(f"nothing would be left of {model.name!r}: leave it out as a whole, by its own name")
        if not model.built:
            return keras.Sequential(layers, name=model.name)
        (x,) = model.inputs
        inputs = keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)
        try:
            return keras.Sequential([inputs, *layers], name=model.name)
        except Exception:
            for layer in layers:  # which of them it was
                x = self._try(layer, x)
            raise

    def _copy(self, layer: Any) -> Any:
        """What stands for a layer, an operation or a nested model in the new model."""
        import keras

        if id(layer) not in self._copies:
            copy = layer
            if id(layer) in self._chosen["identity"] or not isinstance(layer, keras.Layer):
                pass  # it is not called, or has no state
            elif is_wired(layer):
                copy = self._copy_model(layer)
            elif layer.built and not hasattr(layer, "adapt"):  # what was learnt from data is more than weights
                try:
                    copy = type(layer).from_config(layer.get_config())
                except Exception as error:
                    raise AblationError(
                        f"the layer {layer.name!r} cannot be made again, which takes a get_config and a from_config of "
                        f"{type(layer).__name__} that fit: {type(error).__name__}: {error}"
                    ) from error
            self._copies[id(layer)] = copy
            self._originals[id(copy)] = layer
        return self._copies[id(layer)]

    def _call(self, copy: Any, *args: Any, **kwargs: Any) -> Any:
        import keras

        layer = self._originals[id(copy)]
        tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
        if id(layer) in self._chosen["identity"]:
            if len(layer._inbound_nodes[0].outputs) > 1:
                self.refuse(f"{layer.name!r} returns several tensors, and its input cannot stand for all of them")
            return tensors[0]
        self._check_merge(layer, tensors)
        outputs = self._try(copy, *args, **kwargs)
        if id(layer) in self._chosen["zero"]:
            return keras.tree.map_structure(self._zero(layer), outputs)
        return outputs

    def _try(self, copy: Any, *args: Any, **kwargs: Any) -> Any:
        import keras

        try:
            return copy(*args, **kwargs)
        except Exception as error:
            layer = self._originals.get(id(copy), copy)
            now = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
            once = layer._inbound_nodes[0].input_tensors if layer._inbound_nodes else ()
            self.refuse(
                f"{layer.name!r} cannot take what it would get, {_shapes(now)} instead of {_shapes(once)}", error
            )

    def _zero(self, layer: Any) -> Any:
        import keras

        if id(layer) not in self._zeros:
            # Gradients of what comes before are zero, not missing, of which Keras would warn.
            zero = keras.layers.Rescaling(0.0, name=f"{layer.name}_zero", dtype=layer.dtype_policy)
            self._zeros[id(layer)] = zero
        return self._zeros[id(layer)]

    def _check_merge(self, layer: Any, tensors: Sequence[Any]) -> None:
        """Several inputs that used to be different must not be the same, nor be broadcast in another way."""
        nodes = layer._inbound_nodes
        if _repeats(tensors) and not any(_repeats(node.input_tensors) for node in nodes):
            self.refuse(
                f"{layer.name!r} would get the same tensor more than once, as if a branch were added to itself; with "
                "how='zero' a branch that is added would add nothing"
            )
        if any(_is_elementwise(node) for node in nodes):
            broadcasts = len(_distinct(tensors)) > 1
            if not any((len(_distinct(node.input_tensors)) > 1) == broadcasts for node in nodes):
                self.refuse(
                    f"{layer.name!r} would merge the shapes {_shapes(tensors)} instead of "
                    f"{_shapes(nodes[0].input_tensors)}"
                )


def _used_inputs(model: Any) -> set[int]:
    """The inputs, by their position, of which something reaches an output."""
    seen, waiting = set[int](), list(model.outputs)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in seen:
            seen.add(id(tensor))
            made_by, node, _ = tensor._keras_history
            waiting.extend(made_by._inbound_nodes[node].input_tensors)
    return {at for at, tensor in enumerate(model.inputs) if id(tensor) in seen}


def _copy_weights(original: Any, copy: Any) -> None:
    """Weights, and the state of its random numbers, if all of them have the same shape."""
    import keras

    if original is copy:
        return
    sources, targets = original.variables, copy.variables
    if [tuple(one.shape) for one in sources] == [tuple(one.shape) for one in targets]:
        for source, target in zip(sources, targets, strict=True):
            target.assign(keras.ops.copy(source.value))  # JAX would give the buffers of both to the first that trains


def _repeats(tensors: Sequence[Any]) -> bool:
    return len({id(tensor) for tensor in tensors}) < len(tensors)


def _distinct(tensors: Sequence[Any]) -> set[tuple[int | None, ...]]:
    return {tuple(tensor.shape) for tensor in tensors}


def _is_elementwise(node: Any) -> bool:
    """Whether the output has the shape that its inputs have when they are broadcast."""
    if len(node.input_tensors) < 2 or len(node.outputs) != 1:
        return False
    shapes = [tuple(tensor.shape) for tensor in node.input_tensors]
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    return tuple(node.outputs[0].shape) == tuple(next((size for size in one if size != 1), 1) for one in columns)


def _shapes(tensors: Sequence[Any]) -> str:
    return " and ".join(str(tuple(tensor.shape)) for tensor in tensors) or "nothing"


@contextmanager
def _uncompiled(model: Any) -> Iterator[None]:
    """Cloning compiles too, of a config in which functions of the user's own are names only."""
    compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = compiled
