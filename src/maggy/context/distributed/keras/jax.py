"""Keras on JAX: arrays over all ranks, which XLA cuts up and brings together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.jax import joined
from maggy.context.distributed.keras.context import KerasContext
from maggy.context.distributed.keras.models import Together


class Sharded(Together):
    """What a model does differently that trains on several workers: the items of a batch are shared out.

    All else is as ever: to JAX it is one computation on one batch.
    """

    def train_step(self, state: Any, data: Any) -> Any:
        return super().train_step(state, _sharded(data))  # type: ignore[misc]

    def test_step(self, state: Any, data: Any) -> Any:
        return super().test_step(state, _sharded(data))  # type: ignore[misc]


def _sharded(data: Any) -> Any:
    import jax
    import keras

    distribution = keras.distribution.distribution()
    mesh = distribution.device_mesh.backend_mesh
    over = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(distribution.batch_dim_name))

    def sharded(array: Any) -> Any:
        return array if array is None or not array.ndim else jax.lax.with_sharding_constraint(array, over)

    return keras.tree.map_structure(sharded, data)


class JaxContext(KerasContext):
    """A context on JAX."""

    @property
    def device(self) -> Any:
        import jax

        return jax.local_devices()[0]


@contextmanager
def opened(gang: Gang, *, seed: int, timeout_s: float) -> Iterator[KerasContext]:
    """The context of one trial. Variables are the same on all ranks, and so are the batches that `fit` takes."""
    import keras

    class Replicated(keras.distribution.DataParallel):  # type: ignore[misc]  # Keras ships no types
        def get_data_layout(self, data_shape: Any) -> Any:
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    if gang.size == 1:
        yield JaxContext(gang, seed=seed)
        return
    with joined(gang, timeout_s):
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(Replicated(auto_shard_dataset=False))
        try:
            yield JaxContext(gang, seed=seed, mixin=Sharded)
        finally:
            keras.distribution.set_distribution(before)
