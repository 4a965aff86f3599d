"""How many cores a worker may use, said in the ways that numerical libraries listen to."""

from __future__ import annotations

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
