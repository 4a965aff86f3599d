"""Errors that say only that another rank is gone: the cause is to be looked for there."""

from __future__ import annotations

import re

from maggy.errors import PeerLostError

_TORCH_KINDS = frozenset({"DistNetworkError", "DistStoreError"})
_TORCH = re.compile(
    r"gloo.*(Connection (closed|reset) by peer|Connection refused|Broken pipe|Timed out waiting|Connect timeout)"
    r"|Gloo connectFullMesh failed"
    r"|ncclRemoteError|remote process exited|NCCL communicator was aborted"
    r"|Watchdog caught collective operation timeout",
    re.DOTALL,
)
_TENSORFLOW_KINDS = frozenset({"UnavailableError", "DeadlineExceededError", "AbortedError", "CancelledError"})
_JAX_KINDS = frozenset({"JaxRuntimeError", "XlaRuntimeError"})
_JAX = re.compile(
    "UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|[Gg]loo|coordination service|Connection (closed|reset) by peer"
)
_JAX_ON_GLOO = re.compile(r"[A-Z_]+: Gloo \S+ failed: ")


def chain(error: BaseException) -> list[BaseException]:
    """An error, the one that was handled when it was raised, and so on back to the first."""
    errors = [error]
    while (before := errors[-1].__cause__ or errors[-1].__context__) is not None:
        if any(before is each for each in errors):  # `raise error from error` makes a ring
            break
        errors.append(before)
    return errors


def is_peer_error(error: BaseException) -> bool:
    """Whether an exception began with another rank that is gone or does not answer, and says nothing of its own.

    Of errors that came while another was handled the first one counts.
    """
    error = chain(error)[-1]
    if isinstance(error, PeerLostError):
        return True
    kind = type(error)
    if kind.__module__.startswith("tensorflow."):
        return kind.__name__ in _TENSORFLOW_KINDS
    if kind.__name__ in _JAX_KINDS:
        return _JAX.search(str(error)) is not None
    if isinstance(error, ValueError):  # what JAX makes of gloo's errors
        return _JAX_ON_GLOO.match(str(error)) is not None
    return isinstance(error, RuntimeError) and (kind.__name__ in _TORCH_KINDS or _TORCH.search(str(error)) is not None)
