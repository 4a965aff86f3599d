"""How many cores there are, and how a worker is told how many it may use."""

from __future__ import annotations

import os

# What numerical libraries listen to.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def thread_limits(cores: int) -> dict[str, str]:
    """Environment variables that keep a process to `cores` threads."""
    return dict.fromkeys(_VARIABLES, str(max(1, cores)))


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
