"""What a contestant is: ask and tell, with losses, so that everybody minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from benchmarks.search_quality.space import Params, Space, draw


class Contestant(ABC):
    """A search, asked by a simulated pool of workers. What was asked and has neither ended nor been stopped is running.

    stops  whether it may stop trials before their last step; only these are shown what comes before it
    """

    stops = False

    @abstractmethod
    def start(self, space: Space, seed: int, steps: int) -> None:
        """Begin a search in which a trial takes at most so many steps. Called once, before anything else."""

    @abstractmethod
    def ask(self) -> tuple[int, Params] | None:
        """What a free worker is to run: a key and a configuration; None to let it wait for other trials.

        A key that was given before means the same trial, which goes on after the step at which it was stopped.
        """

    @abstractmethod
    def tell(self, key: int, loss: float) -> None:
        """Take the loss after the last step. The trial is over."""

    def report(self, key: int, step: int, loss: float) -> bool:
        """Take the loss after a step, counted from 1, before the last; say whether the trial is to stop here."""
        return False


class Random(Contestant):
    """Draws configurations at random: what everybody has to beat."""

    def start(self, space: Space, seed: int, steps: int) -> None:
        self._space, self._rng, self._asked = space, np.random.default_rng(seed), 0

    def ask(self) -> tuple[int, Params]:
        self._asked += 1
        return self._asked, draw(self._space, self._rng)

    def tell(self, key: int, loss: float) -> None:
        pass
