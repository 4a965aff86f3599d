"""One training on several workers: what the training function is given so that it need not know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maggy.context.distributed.context import Context
from maggy.context.distributed.gang import Alone, Gang, Part
from maggy.context.distributed.peers import is_peer_error
from maggy.context.distributed.runtimes import needs_fresh_process

if TYPE_CHECKING:
    from maggy.config import Distribution

__all__ = ["Alone", "Context", "Gang", "Part", "is_peer_error", "needs_fresh_process", "opened"]


@contextmanager
def opened(distribution: Distribution | None, gang: Gang, *, seed: int, takes_context: bool) -> Iterator[Context]:
    """The context of one trial: the ranks meet, and part again when it ends.

    distribution   None: a worker alone, and nothing is set up
    seed           from which shuffling follows, the same on every rank
    takes_context  whether the training function asks for it

    Raises PeerLostError where another rank does not come, and ImportError where the framework is missing.
    """
    if distribution is None or distribution.framework == "plain":
        yield Context(gang, seed=seed, shares_rows=not takes_context)
    elif distribution.framework == "torch":
        from maggy.context.distributed.torch.trial import opened_torch

        with opened_torch(distribution, gang, seed=seed, takes_context=takes_context) as context:
            yield context
    elif distribution.framework == "keras":
        from maggy.context.distributed.keras.trial import opened_keras

        with opened_keras(distribution, gang, seed=seed) as context:
            yield context
    else:
        from maggy.context.distributed.jax import opened_jax

        with opened_jax(distribution, gang, seed=seed) as context:
            yield context
