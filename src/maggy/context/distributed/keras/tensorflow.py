"""Keras on TensorFlow, and TensorFlow's own loops: its collectives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.keras.context import KerasContext
from maggy.context.distributed.keras.models import Divided
from maggy.context.distributed.keras.ranks import Ranks, wide
from maggy.context.distributed.meeting import addresses, environment, parting
from maggy.errors import ConfigError

_GROUPS = {"CPU": 1_700_000_001, "GPU": 1_700_000_002}
"""TensorFlow's own groups are counted from 1, and all in one have devices of one type."""


class TensorFlowRanks(Ranks):
    """Ranks that have TensorFlow's runtime of collectives, which a `MultiWorkerMirroredStrategy` starts."""

    def __init__(self, gang: Gang) -> None:
        import tensorflow as tf

        super().__init__(gang)
        with tf.device("CPU:0"):
            self._begun, self._ended = (tf.Variable(0, dtype=tf.int32, trainable=False) for _ in range(2))

    def length(self, data: Any) -> Any:
        import keras
        import tensorflow as tf

        leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
        dense = all(isinstance(leaf, tf.Tensor) and leaf.shape.rank and leaf.dtype != tf.string for leaf in leaves)
        known = {leaf.shape[0] for leaf in leaves} - {None} if dense else set()
        return tf.shape(leaves[0])[0] if leaves and dense and len(known) <= 1 else None

    def _cut(self, tensor: Any, length: Any) -> Any:
        import tensorflow as tf

        return tensor[tf.minimum(self.rank, length - 1) :: self.size]

    def _gather(self, part: Any, length: Any) -> Any:
        import tensorflow as tf

        rows = tf.range(length)[self.rank :: self.size, None]
        shape = tf.concat([[length], tf.shape(part)[1:]], 0)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def gathered(mine: Any) -> Any:
            whole = self.sum(tf.scatter_nd(rows, tf.cast(mine, wide(mine)), shape))
            return tf.cast(whole, mine.dtype), lambda gradient: tf.gather_nd(gradient, rows) * self.size

        whole = gathered(part[: tf.shape(rows)[0]])
        whole.set_shape([None, *part.shape[1:]])
        return whole

    def sum(self, tensor: Any) -> Any:
        import tensorflow as tf

        device = "GPU" if tensor.dtype.is_floating and tf.config.list_logical_devices("GPU") else "CPU"
        with tf.device(f"{device}:0"):
            total = tf.raw_ops.CollectiveReduceV2(
                input=tensor,
                group_size=self.size,
                group_key=_GROUPS[device],
                instance_key=self._begun.assign_add(1, read_value=True),
                ordering_token=[],
                merge_op="Add",
                final_op="Id",
            )
        with tf.control_dependencies([total]):
            self._ended.assign_add(1)
        return total

    @contextmanager
    def watched(self, timeout_s: float) -> Iterator[None]:
        """A collective to which the others do not come within the time fails, with DeadlineExceededError.

        TensorFlow's own limit starts a thread for each collective, which lives for that long.
        """
        over = threading.Event()
        threading.Thread(target=self._watch, args=(timeout_s, over), name="maggy-collectives", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _watch(self, timeout_s: float, over: threading.Event) -> None:
        import tensorflow as tf
        from tensorflow.python.eager import context

        seen, since = 0, 0.0
        while not over.wait(timeout_s / 10):
            begun, ended, now = int(self._begun), int(self._ended), time.monotonic()
            if begun == ended or begun != seen:
                seen, since = begun, now
            elif now - since > timeout_s:
                said = f"another rank did not come within {timeout_s:g} s"
                context.context().abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, said)
                return


class TensorFlowContext(KerasContext):
    """A context on TensorFlow.

    strategy  TensorFlow's, for its own loops
    """

    def __init__(self, gang: Gang, strategy: Any, **settings: Any) -> None:
        super().__init__(gang, **settings)
        self._strategy = strategy

    @property
    def strategy(self) -> Any:
        return self._strategy

    @property
    def device(self) -> str:
        import tensorflow as tf

        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return f"{kind}:0"

    def _is_model(self, value: Any) -> bool:
        """What is made in the scope of a strategy is left to it."""
        import tensorflow as tf

        return super()._is_model(value) and not tf.distribute.has_strategy()


@contextmanager
def opened(gang: Gang, *, seed: int, timeout_s: float) -> Iterator[KerasContext]:
    """The context of one trial; `TF_CONFIG` is set meanwhile. A process can do that once.

    Raises ConfigError where TensorFlow computes already in this process.
    """
    import tensorflow as tf

    if gang.size == 1:
        yield TensorFlowContext(gang, tf.distribute.get_strategy(), seed=seed)
        return
    gpus = tf.config.list_physical_devices("GPU")
    task = {"type": "worker", "index": gang.rank}
    cluster = {"cluster": {"worker": addresses(gang)}, "task": task}
    with environment({"TF_CONFIG": json.dumps(cluster)}):
        try:
            if gpus:
                tf.config.set_visible_devices(gpus[gang.local_rank % len(gpus)], "GPU")
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise ConfigError(
                f"TensorFlow computes already in this process, and several workers have to meet before it does "
                f"({error}). Let nothing of TensorFlow run when the training function's module is imported"
            ) from error
        ranks = TensorFlowRanks(gang)
        context = TensorFlowContext(gang, strategy, seed=seed, mixin=Divided, attributes={"_ranks": ranks})

        def part() -> None:
            gang.gather("end")

        with parting(part), ranks.watched(timeout_s):
            yield context
