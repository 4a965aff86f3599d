"""What `simulate` returns."""

from __future__ import annotations

from maggy.result import Result


class SimulationResult(Result):
    """A `Result` whose times are virtual: seconds since the simulation began.

    simulated_s  when it was over
    busy_share   of the time for which workers were there, the share in which they had a trial, from 0 to 1
    num_events   how many events the driver put on record
    seed         what was drawn with
    """

    def __init__(self, result: Result, *, simulated_s: float, busy_share: float, num_events: int, seed: int) -> None:
        dict.__init__(self, result)
        vars(self).update(vars(result))
        self.simulated_s, self.busy_share, self.num_events, self.seed = simulated_s, busy_share, num_events, seed
