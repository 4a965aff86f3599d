"""Losses of which some are no numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def worst_if_not_finite(loss: float) -> float:
    """NaN and infinity are the worst loss there is, and never the best."""
    return loss if math.isfinite(loss) else math.inf


def best_of(losses: Sequence[float]) -> float:
    """The lowest finite loss, infinity where there is none."""
    best = min(losses, default=math.inf)
    return best if math.isfinite(best) else min(map(worst_if_not_finite, losses), default=math.inf)
