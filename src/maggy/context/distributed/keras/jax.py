"""Keras on JAX: arrays over all ranks, of which each computes its part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.jax import joined
from maggy.context.distributed.keras.context import KerasContext
from maggy.context.distributed.keras.models import Together


class Sharded(Together):
    """To JAX a step is one computation, on one batch whose items are shared out.

    Outside of `fit`, `evaluate` and their likes, and for callbacks between epochs, a model is one of this rank alone:
    what one rank does with it, such as to save it, does not wait for the others.
    """

    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        _take_first(self)
        with _spread(self):
            return super().fit(*args, **kwargs)

    def evaluate(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _spread(self):
            return super().evaluate(*args, **kwargs)  # type: ignore[misc]

    def train_on_batch(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _spread(self):
            return super().train_on_batch(*args, **kwargs)  # type: ignore[misc]

    def test_on_batch(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _spread(self):
            return super().test_on_batch(*args, **kwargs)  # type: ignore[misc]

    def make_train_function(self, force: bool = False) -> None:
        _scatter(self)  # metrics that the user has made are among its variables when it is built
        super().make_train_function(force)  # type: ignore[misc]

    def make_test_function(self, force: bool = False) -> None:
        _scatter(self)
        super().make_test_function(force)  # type: ignore[misc]

    def train_step(self, state: Any, data: Any) -> Any:
        return super().train_step(state, _shared_out(data))  # type: ignore[misc]

    def test_step(self, state: Any, data: Any) -> Any:
        return super().test_step(state, _shared_out(data))  # type: ignore[misc]

    def _first(self) -> dict[str, Any]:
        return _between_epochs(partial(_gather, self), super()._first())

    def _last(self) -> dict[str, Any]:
        return _between_epochs(partial(_scatter, self), super()._last())


def _between_epochs(change: Callable[[], None], hooks: Mapping[str, Any]) -> dict[str, Any]:
    """Hooks that make a change, and then do what is to be done there."""

    def hook(name: str) -> Callable[..., None]:
        def run(*args: Any) -> None:
            change()
            if name in hooks:
                hooks[name](*args)

        return run

    return {name: hook(name) for name in ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")}


def _shared_out(data: Any) -> Any:
    """A batch that all ranks have, such that each computes with its items."""
    import jax
    import keras

    distribution = keras.distribution.distribution()
    mesh = distribution.device_mesh.backend_mesh
    over = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(distribution.batch_dim_name))

    def shared_out(array: Any) -> Any:
        return array if array is None or not array.ndim else jax.lax.with_sharding_constraint(array, over)

    return keras.tree.map_structure(shared_out, data)


@contextmanager
def _spread(model: Any) -> Iterator[None]:
    """The variables of a model are arrays over all ranks within."""
    import keras

    if keras.distribution.distribution() is not None:
        yield
        return
    _scatter(model)
    try:
        yield
    finally:
        _gather(model)


def _scatter(model: Any) -> None:
    import jax
    import keras

    class Replicated(keras.distribution.DataParallel):  # type: ignore[misc]  # Keras ships no types
        def get_data_layout(self, data_shape: Any) -> Any:
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    distribution = Replicated(auto_shard_dataset=False)
    for variable in _variables(model):
        if variable._layout is not None:
            continue
        layout = distribution.get_variable_layout(variable)
        value = jax.numpy.asarray(variable.value)
        parts = [jax.device_put(value, device) for device in jax.local_devices()]
        everywhere = jax.make_array_from_single_device_arrays(value.shape, layout.backend_layout, parts)
        variable._layout = layout
        variable.assign(everywhere)
    keras.distribution.set_distribution(distribution)


def _gather(model: Any) -> None:
    import keras

    keras.distribution.set_distribution(None)
    for variable in _variables(model):
        variable._layout = None
        if variable._value is not None and not variable._value.is_deleted():  # a step that failed leaves no value
            variable.assign(variable._value.addressable_data(0))


def _variables(model: Any) -> list[Any]:
    """All that a step reads or writes."""
    import keras

    optimizers = [value for value in vars(model).values() if isinstance(value, keras.optimizers.Optimizer)]
    return [*model.variables, *model.metrics_variables, *(each for one in optimizers for each in one.variables)]


def _take_first(model: Any) -> None:
    """All ranks begin with the weights of rank 0."""
    from jax.experimental.multihost_utils import broadcast_one_to_all

    for variable, value in zip(model.weights, broadcast_one_to_all(model.get_weights()), strict=True):
        variable.assign(value)


class JaxContext(KerasContext):
    """A context on JAX."""

    @property
    def device(self) -> Any:
        import jax

        return jax.local_devices()[0]


@contextmanager
def opened(gang: Gang, *, seed: int, timeout_s: float) -> Iterator[KerasContext]:
    """The context of one trial, with a runtime over all ranks."""
    with joined(gang, timeout_s):
        yield JaxContext(gang, seed=seed, mixin=None if gang.size == 1 else Sharded)
