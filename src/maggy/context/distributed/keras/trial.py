"""From where the ranks of a trial meet to where they part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from maggy.config import Distribution
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.keras.context import KerasContext
from maggy.errors import ConfigError


@contextmanager
def opened_keras(distribution: Distribution, gang: Gang, *, seed: int) -> Iterator[KerasContext]:
    """The context of one trial. Keras draws its random numbers from the seed, on all ranks alike.

    Raises ImportError where Keras is missing, PeerLostError where another rank does not come, and ConfigError for a
    backend that cannot train, or whose runtime has begun to compute in this process.
    """
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            "training with Keras needs it: pip install 'maggy[tensorflow]' or 'maggy[jax]', or keras beside PyTorch, "
            "here and on workers"
        ) from error
    with _joined(gang, seed, distribution.timeout_s) as context:
        keras.utils.set_random_seed(seed % 2**32)
        before = keras.config.dtype_policy()
        if distribution.mixed_precision:
            keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            yield context
        finally:
            keras.config.set_dtype_policy(before)


def _joined(gang: Gang, seed: int, timeout_s: float) -> AbstractContextManager[KerasContext]:
    import keras

    backend = keras.config.backend()
    if backend == "tensorflow":
        from maggy.context.distributed.keras import tensorflow as how
    elif backend == "jax":
        from maggy.context.distributed.keras import jax as how  # type: ignore[no-redef]
    elif backend == "torch":
        from maggy.context.distributed.keras import torch as how  # type: ignore[no-redef]
    else:
        raise ConfigError(
            f"Keras runs on {backend!r} here, which does not train on several workers. Set KERAS_BACKEND to "
            f"'tensorflow', 'jax' or 'torch' before Keras is imported"
        )
    return how.opened(gang, seed=seed, timeout_s=timeout_s)
