"""What the runtimes of the frameworks are like, as seen from outside: nothing of them is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maggy.config import Distribution


def needs_fresh_process(distribution: Distribution | None, keras_backend: str | None) -> bool:
    """Whether each trial needs worker processes of its own.

    The runtimes of TensorFlow and JAX begin once in a process. FSDP2 and DeepSpeed work in any, but keep the process
    group of their first trial in caches: in a later one with another peer they would wait for the old one.

    keras_backend  what Keras runs on; None where nobody knows
    """
    if distribution is None or distribution.framework == "plain":
        return False
    if distribution.framework == "torch":
        return distribution.zero_lvl > 0 or distribution.deepspeed is not None
    return distribution.framework == "jax" or keras_backend != "torch"
