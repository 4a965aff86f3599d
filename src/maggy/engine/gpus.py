"""Which GPUs there are, and which of them are a worker's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from maggy.errors import EngineError


def available_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    return [str(index) for index, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]


def gpu_amount(resources: Mapping[str, float], default: float = 0) -> float:
    """GPUs that one worker asks for. Raises EngineError for more than one that is no whole number."""
    amount = resources.get("gpu", default)
    if amount > 1 and amount % 1 != 0:
        raise EngineError(
            f"a worker gets whole GPUs, or a part of one that it shares, and one worker asks for {amount:g} "
            "(resources_per_worker): ask for a whole number, or for less than 1"
        )
    return amount


def room(gpus: int, amount: float) -> int:
    """How many workers of that amount so many GPUs hold; several share one where each asks for a part."""
    return gpus // int(amount) if amount >= 1 else gpus * int(round(1 / amount, 6))  # 1 / (1 / 93) is below 93


def own_gpus(gpus: Sequence[str], amount: float, index: int) -> Sequence[str]:
    """Those of the worker with this index. Who share one are not neighbours, where there are several."""
    if amount < 1:
        return [gpus[index % len(gpus)]]
    whole = int(amount)
    return gpus[index * whole : (index + 1) * whole]
