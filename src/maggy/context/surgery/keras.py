"""Leaving layers out of Keras models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maggy.ablation.components import HOWS, Layers
from maggy.context.surgery.keras_wiring import Wiring, is_wired
from maggy.context.surgery.patterns import select
from maggy.errors import AblationError


def names(model: Any) -> list[str]:
    """Names of layers, those of nested models as "encoder/dense", without inputs."""
    return list(_layers(model))


def matching(model: Any, layers: Layers) -> list[str]:
    """What the patterns stand for; shell patterns pass over what makes the output and is to be removed."""
    known = names(model)
    inputs = {tensor.name for tensor in model.inputs} if model.built else set()
    for pattern in layers.patterns:
        if pattern in inputs and pattern not in known:
            raise AblationError(f"{pattern!r} is an input of the model; leave features out instead", layers.name)
    kept = set(_outputs(model)) if layers.how in ("identity", "zero") else ()
    return select(known, layers, separator="/", kept=kept)


def apply(model: Any, removals: Sequence[Layers]) -> Any:
    """A new model without the layers; the given one is as it was."""
    layers = _layers(model)
    removed: set[str] = set()
    chosen: dict[str, set[int]] = {how: set() for how in HOWS}
    for component in removals:
        found = matching(model, component)
        _refuse_nothing(component, [layers[name] for name in found])
        chosen[component.how].update(id(layers[name]) for name in found)
        removed.update(found if component.how == "identity" else ())
    try:
        wiring = Wiring({id(layer): name for name, layer in layers.items()}, chosen)
        new = wiring.rewire(model)
        if model.built:
            _refuse_changed(model, new, wiring, removed)
    except AblationError as error:
        error.component = " and ".join(component.name for component in removals)
        raise
    _compile_like(model, new)
    return new


def weights(model: Any, found: Sequence[str]) -> dict[str, Any]:
    """The weights of some of the layers, by name."""
    layers = _layers(model)
    return {
        f"{name} {number}": weight.value
        for name in found
        if name in layers
        for number, weight in enumerate(layers[name].weights)
    }


def is_equal(one: Any, other: Any) -> bool:
    """Whether two weights of the same shape have the same values."""
    import keras

    return bool(keras.ops.all(keras.ops.equal(one, other)))


class Inspection:
    """A model that others are made of, which lack some of its layers; what goes wrong shows when they are wired."""

    weights = staticmethod(weights)
    is_equal = staticmethod(is_equal)

    def __init__(self, model: Any, sample: Any) -> None:
        names(model)  # raises for a model that cannot be rewired
        # Without a sample, the layers of a Sequential model that is not built fit each other: each takes what it gets.
        if not model.built and sample is not None:
            try:
                model(sample)
            except Exception as error:
                raise AblationError(f"the model cannot take the sample: {type(error).__name__}: {error}") from error
        self._model = model

    def within(self, found: Sequence[str]) -> dict[int, str]:
        """The layers and what lies in them: their names, by their ids."""
        inside = tuple(f"{name}/" for name in found)
        return {
            id(layer): name for name, layer in _layers(self._model).items() if name in found or name.startswith(inside)
        }

    def check(self, removals: Sequence[Layers]) -> Any:
        """The model without these layers. Raises AblationError where it cannot work or is the same."""
        return apply(self._model, removals)


def _layers(model: Any) -> dict[str, Any]:
    return dict(_walk(model, ""))


def _walk(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    import keras

    if not is_wired(model):
        raise AblationError(
            f"{type(model).__name__} is a subclassed Keras model: its layers are wired in Python code, where none can "
            "be left out. Make it a Functional or Sequential model, or give another model for each component with "
            "study.model.add_custom_model_generator"
        )
    for layer in model.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            yield prefix + layer.name, layer
            if is_wired(layer):
                yield from _walk(layer, f"{prefix}{layer.name}/")


def _outputs(model: Any, prefix: str = "") -> Iterator[str]:
    """What makes the outputs of the model, and within that what makes its outputs."""
    import keras

    last = {model.layers[-1].name} if isinstance(model, keras.Sequential) else set(model.output_names)
    for layer in model.layers:
        if layer.name in last:
            yield prefix + layer.name
            if is_wired(layer):
                yield from _outputs(layer, f"{prefix}{layer.name}/")


def _refuse_nothing(component: Layers, found: Sequence[Any]) -> None:
    names = ", ".join(repr(layer.name) for layer in found)
    built = all(layer.built for layer in found)
    if component.how == "identity" and all(map(_passes_on, found)):
        why = f"{names} passes on what it gets as it is"
    elif component.how == "freeze" and built and not any(layer.trainable_weights for layer in found):
        why = f"{names} has no weights that are trained"
    elif component.how == "reinit" and built and not any(layer.weights for layer in found):
        why = f"{names} has no weights"
    else:
        return
    raise AblationError(f"how={component.how!r} would change nothing: {why}", component=component.name)


def _passes_on(layer: Any) -> bool:
    from keras.layers import AlphaDropout, Dropout, GaussianDropout, Identity

    dropouts = (Dropout, AlphaDropout, GaussianDropout)
    return isinstance(layer, Identity) or (isinstance(layer, dropouts) and layer.rate == 0)


def _refuse_changed(model: Any, new: Any, wiring: Wiring, removed: set[str]) -> None:
    before, after = ([tuple(tensor.shape) for tensor in one.outputs] for one in (model, new))
    if before != after:
        wiring.refuse(f"the model's output would have the shape {after} instead of {before}")
    left = names(new)
    gone = [
        name
        for name in names(model)
        if name not in left and not any(name == one or name.startswith(f"{one}/") for one in removed)
    ]
    if gone:
        raise AblationError(
            f"leaving out {wiring.removed} would also cut off {', '.join(map(repr, gone))}, from which nothing would "
            "reach the output. Put them into the group too, or leave out another one"
        )
    if model.trainable_weights and not new.trainable_weights:
        raise AblationError(f"without {wiring.removed} there is nothing left to train in the model")


def _compile_like(model: Any, new: Any) -> None:
    import keras

    if not model.compiled:
        return
    if type(model).compile is not keras.Model.compile:
        new.compile_from_config(model.get_compile_config())
        return
    # As it was given, and not as a config: that has no functions of the user's own.
    given = dict(model._compile_config.config)
    optimizer = given["optimizer"]
    given["optimizer"] = optimizer and type(optimizer).from_config(optimizer.get_config())
    new.compile(**given)
