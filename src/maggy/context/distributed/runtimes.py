"""What the runtimes of the frameworks are like, as seen from outside: nothing of them is imported."""

from __future__ import annotations

from maggy.config import Distribution


def needs_fresh_process(distribution: Distribution | None, keras_backend: str | None) -> bool:
    """Whether each trial needs worker processes of its own: the runtimes of TensorFlow and JAX begin once in a process.

    keras_backend  what Keras runs on; None where nobody knows
    """
    if distribution is None or distribution.framework in ("torch", "plain"):
        return False
    return distribution.framework == "jax" or keras_backend != "torch"
