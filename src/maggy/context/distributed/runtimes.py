"""What the runtimes of the frameworks are like, as seen from outside: nothing of them is imported."""

from __future__ import annotations

from maggy.config import Distribution

_TENSORFLOW = ("UnavailableError", "DeadlineExceededError", "AbortedError", "CancelledError")
_JAX = ("JaxRuntimeError", "XlaRuntimeError")
_ABORTED = "Collective ops is aborted"
_GONE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "Gloo", "coordination service", "Connection ")


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


def is_peer_error(error: BaseException) -> bool:
    """Whether TensorFlow or JAX says with this that another rank is gone, or does not come."""
    kind, text = type(error), str(error)
    if kind.__module__.startswith("tensorflow"):
        return kind.__name__ in _TENSORFLOW or (kind.__name__ == "InternalError" and _ABORTED in text)
    return kind.__name__ in _JAX and any(words in text for words in _GONE)
