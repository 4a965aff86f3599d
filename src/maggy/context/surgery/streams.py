"""Global random streams, and Keras's counters of names, left as they were found."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_SEEDS, _NAMES = "global_seed_generator", "object_name_uids"  # what Keras calls its global state


@contextmanager
def unchanged_streams() -> Iterator[None]:
    """Whatever is drawn inside, the streams of Python, NumPy, PyTorch and Keras go on as if nothing had been.

    Streams of libraries that are not loaded yet have nothing to be kept.
    """
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        if "numpy" in sys.modules:
            stream = sys.modules["numpy"].random
            stack.callback(stream.set_state, stream.get_state())
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
            stack.enter_context(torch.random.fork_rng(devices=list(devices)))
        if "keras" in sys.modules:
            stack.callback(_keep_keras())
        yield


@contextmanager
def fresh_names() -> Iterator[None]:
    """Layers that Keras names are counted from the start, so that a model has the same names each time it is made."""
    if "keras" not in sys.modules:  # then nothing has been counted yet
        yield
        return
    state = _keras_state()
    before = state.get_global_attribute(_NAMES) or {}
    state.set_global_attribute(_NAMES, defaultdict(int))
    try:
        yield
    finally:
        counted = state.get_global_attribute(_NAMES, defaultdict(int), set_to_default=True)
        for name, count in before.items():
            counted[name] = max(count, counted[name])


def _keep_keras() -> Callable[[], None]:
    state = _keras_state()
    seeds, counted = state.get_global_attribute(_SEEDS), dict(state.get_global_attribute(_NAMES) or {})
    position = seeds and seeds.state.value * 1  # a copy

    def restore() -> None:
        state.set_global_attribute(_SEEDS, seeds)
        state.set_global_attribute(_NAMES, defaultdict(int, counted))
        if seeds:
            seeds.state.assign(position)

    return restore


def _keras_state() -> Any:
    from keras.src.backend.common import global_state

    return global_state
