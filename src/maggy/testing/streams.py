"""The global random streams."""

from __future__ import annotations

import pickle
import random


def global_streams() -> tuple[bytes, bytes]:
    """A fingerprint of where the global streams of `random` and `numpy.random` stand."""
    import numpy as np

    return pickle.dumps(random.getstate()), pickle.dumps(np.random.get_state())  # noqa: NPY002  this is the stream to watch
