"""What is known about an experiment as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from maggy.trial import Trial


class Update(NamedTuple):
    """An improvement of the best result.

    t_s       seconds since the experiment began
    trial_id  the new best
    loss      its loss
    """

    t_s: float
    trial_id: int
    loss: float


@dataclass
class Study:
    """What a study-level stopper sees; the driver keeps it current.

    ended      how many trials have come to a final state
    updates    improvements of the best, in order; the first result is one
    elapsed_s  seconds since the experiment began
    worker_s   seconds that the trials that have ended occupied a worker, all their runs
    trials     those that have ended, in order, in the user's sign; one that was promoted is in it once for each end
    """

    ended: int = 0
    updates: list[Update] = field(default_factory=list)
    elapsed_s: float = 0.0
    worker_s: float = 0.0
    trials: Sequence[Trial] = ()
