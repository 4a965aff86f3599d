"""JAX on several workers: one runtime over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maggy.config import Distribution
from maggy.context.distributed.context import Context
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.meeting import addresses, environment, parting
from maggy.errors import ConfigError


class JaxContext(Context):
    """What a training function gets that does its own computations in JAX."""

    @property
    def device(self) -> Any:
        """The first of this worker's own; `jax.devices()` are those of all."""
        import jax

        return jax.local_devices()[0]


@contextmanager
def opened_jax(distribution: Distribution, gang: Gang, *, seed: int) -> Iterator[Context]:
    """The context of one trial, for functions that use JAX directly.

    Raises ImportError where JAX is missing, and what `joined` does.
    """
    with joined(gang, distribution.timeout_s):
        yield JaxContext(gang, seed=seed)


@contextmanager
def joined(gang: Gang, timeout_s: float) -> Iterator[None]:
    """`jax.devices()` are those of all ranks while the block lasts. A process can do that once.

    Raises ConfigError where JAX computes already in this process, PeerLostError where another rank does not come.
    """
    try:
        import jax
    except ImportError as error:
        raise ImportError("training with JAX needs it: pip install 'maggy[jax]', here and on workers") from error
    if gang.size == 1:
        yield
        return
    if jax.__version_info__ < (0, 9):
        raise ConfigError(
            f"JAX is {jax.__version__} here, which cannot bound how long a rank waits for another: "
            f"pip install 'jax>=0.9', here and on workers"
        )
    limit = max(1, round(timeout_s))
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_collective_timeout_seconds={limit}"
    with environment({"XLA_FLAGS": flags}):
        try:
            jax.distributed.initialize(
                addresses(gang)[0],
                num_processes=gang.size,
                process_id=gang.rank,
                cluster_detection_method="deactivate",
                initialization_timeout=limit,
                heartbeat_timeout_seconds=limit,
                shutdown_timeout_seconds=limit,
            )
        except RuntimeError as error:
            if "before any JAX" not in str(error) and "only be called once" not in str(error):
                raise
            raise ConfigError(
                f"JAX computes already in this process, and several workers have to meet before it does ({error}) "
                f"Let nothing of JAX run when the training function's module is imported or its data is loaded"
            ) from error
        jax.devices()  # XLA reads its flags now

    def part() -> None:
        gang.gather("end")
        jax.distributed.shutdown()

    with parting(part):
        yield
