"""The workers of a simulation: when they come, how fast they are, and when they are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from maggy.errors import ConfigError
from maggy.simulation.process import SimulatedProcess, World
from maggy.wire.channel import Sign
from maggy.wire.messages import FromDriver, ProcessEnded, Release, SupervisorHello, WorkerHello

if TYPE_CHECKING:
    import numpy as np

_HOST = "simulated"
_LOSSES, _STRAGGLERS = 1, 2  # keep the random streams apart


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Worker processes die, at random and independently of each other.

    mtbf_s     mean time between two failures of a worker, in seconds
    restart_s  a worker that died is back after so many seconds

    Raises ConfigError for a time that cannot be.
    """

    mtbf_s: float
    restart_s: float = 10.0

    def __post_init__(self) -> None:
        if not (self.mtbf_s > 0 and isfinite(self.restart_s) and self.restart_s >= 0):
            raise ConfigError(f"mtbf_s has to be above 0, and restart_s not below 0 and finite; got {self}")


@dataclass(frozen=True, kw_only=True)
class Stragglers:
    """Some workers are slower than the others.

    share   how many of the workers, from 0 to 1; which ones is drawn
    factor  how many times longer a step takes there

    Raises ConfigError for a share or a factor that cannot be.
    """

    share: float
    factor: float

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.factor > 0 and isfinite(self.factor)):
            raise ConfigError(f"share has to be from 0 to 1, and factor above 0 and finite; got {self}")


class Fleet:
    """Every worker of a simulation.

    start_s     the first worker is there at once, and they come evenly spread over so many seconds
    losses      how they die; None: they do not
    stragglers  which are slow; or how many times longer a step takes on worker k, counted from 0; None: nobody is
    on_empty    called when the last one has left
    """

    def __init__(
        self,
        world: World,
        *,
        workers: int,
        seed: int,
        start_s: float,
        losses: Losses | None,
        stragglers: Stragglers | Callable[[int], float] | None,
        on_empty: Callable[[], None],
    ) -> None:
        import numpy as np

        self._there, self._on_empty = 0, on_empty
        slowdown = _slowdown(stragglers, workers, np.random.default_rng([seed, _STRAGGLERS]))
        for number in range(workers):
            rng = np.random.default_rng([seed, _LOSSES, number])
            seat = _Seat(self, world, number, slowdown(number), losses, rng)
            world.timeline.plan(start_s * number / workers, seat.arrive)

    def came(self) -> None:
        """A supervisor is there."""
        self._there += 1

    def left(self) -> None:
        """A supervisor has left."""
        self._there -= 1
        if not self._there:
            self._on_empty()


class _Seat:
    """A supervisor with its worker processes, one after another."""

    def __init__(
        self,
        fleet: Fleet,
        world: World,
        number: int,
        slowdown: float,
        losses: Losses | None,
        rng: np.random.Generator,
    ) -> None:
        self._fleet, self._world, self._number = fleet, world, number
        self._slowdown, self._losses, self._rng = slowdown, losses, rng
        self._holder, self._peer = f"seat-{number}", b"supervisor-%d" % number
        self._process: SimulatedProcess | None = None
        self._started = 0

    def arrive(self) -> None:
        self._fleet.came()
        self._world.listener.hearers[self._peer] = self._hear
        self._world.listener.say(self._peer, SupervisorHello(self._holder, self._number, _HOST))
        self._start()

    def _start(self) -> None:
        self._started += 1
        hello = WorkerHello(self._holder, self._number, self._started, _HOST, pid=0)
        peer = b"worker-%d-%d" % (self._number, self._started)
        self._process = SimulatedProcess(self._world, peer, hello, self._slowdown)
        if self._losses is not None:
            self._world.timeline.plan(self._rng.exponential(self._losses.mtbf_s), self._die)

    def _die(self) -> None:
        assert self._process is not None and self._losses is not None
        self._process.end()
        self._world.listener.say(self._peer, ProcessEnded(self._started, "killed by the simulation", tail=""))
        self._world.timeline.plan(self._losses.restart_s, self._start)

    def _hear(self, message: FromDriver) -> None:
        if isinstance(message, Release):
            self._world.listener.forget(self._peer)
            self._world.listener.say(self._peer, Sign.GONE)
            self._fleet.left()


def _slowdown(
    stragglers: Stragglers | Callable[[int], float] | None, workers: int, rng: np.random.Generator
) -> Callable[[int], float]:
    if stragglers is None:
        return lambda worker: 1.0
    if not isinstance(stragglers, Stragglers):
        return stragglers
    slow = set(rng.permutation(workers)[: round(stragglers.share * workers)].tolist())
    return lambda worker: stragglers.factor if worker in slow else 1.0
