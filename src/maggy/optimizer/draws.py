"""Fresh configurations, drawn one after another."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from maggy.errors import SearchspaceError
from maggy.optimizer.history import History, Unread
from maggy.optimizer.sampler import Sampler
from maggy.searchspace import Space
from maggy.trial import Params, Trial

_MODEL = 1  # keeps the random streams of models apart from those of plain draws


@dataclass(frozen=True, slots=True)
class Draw:
    """A fresh configuration.

    origin  where it comes from: "start" (a known-good one of the space), "random", "model", "fallback", ...
    reason  more about that in one line, where there is more to say
    saw     of a modelled draw: how many facts its model knew, and how many draws were made from the same facts before
    """

    params: Params
    origin: str
    reason: str = ""
    saw: tuple[int, int] | None = None

    def trial(self, **facts: Any) -> Trial:
        """A new trial of this configuration; `facts` are further fields of it."""
        return Trial(
            self.params,
            origin=self.origin,
            notes=[self.reason] if self.reason else [],
            saw=self.saw,
            **facts,
        )


class Draws:
    """Draws from one sampler, in the calling thread.

    space    what can be chosen; its known-good starting points come first
    seed     of the experiment
    most     how many configurations it gives at most: what the user asked for, or as many as there are
    history  what the sampler knows; whoever uses this tells it what happens
    """

    def __init__(self, sampler: Sampler, space: Space, *, seed: int, most: int, objectives: int = 1) -> None:
        self.sampler, self.space, self.seed, self.objectives = sampler, space, seed, objectives
        self.history = History(space) if sampler.needs_history else Unread(space)
        limit = sampler.begin(space, objectives, seed)
        self.most = most if limit is None else limit
        self._starts = list(getattr(space, "starts", ())) if limit is None else []
        self._number = 0
        self._nth = 0
        self._seen = -1
        self._recalled: Draw | None = None
        self.live = True
        """Whether what is told happens now; False while a journal is replayed."""
        self.checks = False
        """Whether what is recalled is drawn again all the same, as its model saw things then."""

    def fresh(self) -> Draw | None:
        """The next configuration; None if there are no more."""
        number = self._number
        if number >= self.most:
            return None
        draw = Draw(deepcopy(self._starts[number]), "start") if number < len(self._starts) else self._drawn(number)
        if draw is not None:
            self._number += 1
        return draw

    def recall(self, draw: Draw) -> None:
        """The next configuration was this one when the journal was written: from a model, or drawn in its place."""
        self._recalled = draw

    def go_live(self) -> None:
        """The journal has been replayed: what is told from here on happens now."""
        self.live = True

    def warm_up(self) -> None:
        """The first worker is ready: wait until draws can be made."""

    def close(self) -> None:
        """Nothing is drawn any more."""

    def _drawn(self, number: int) -> Draw | None:
        past, self._recalled = self._recalled, None
        if past is not None:
            if past.saw is None:
                return self._random(number, past.origin, past.reason)
            return self._again(*past.saw) if self.checks and not self.sampler.keeps_state else past
        if not self.sampler.fits_models:
            return self._plain(number)
        if not self.sampler.ready(self.history):
            return self._random(number)
        return self._model_draw()

    def _model_draw(self) -> Draw | None:
        return self.modelled()

    def _again(self, seen: int, nth: int) -> Draw | None:
        """The draw that was made from so many facts, the n-th from the same ones."""
        sampler = deepcopy(self.sampler)
        past = Draws(sampler, self.space, seed=self.seed, most=self.most, objectives=self.objectives)
        past.history = self.history.upto(seen)
        draws = [past.modelled() for _ in range(nth + 1)]
        return draws[-1]

    def _plain(self, number: int) -> Draw | None:
        params = self.sampler.draw(number, self.history, self._rng(number))
        if params is not None and self.sampler.needs_history:  # ours that need none draw from the space itself
            self._check(params)
        return None if params is None else Draw(params, self.sampler.origin)

    def _random(self, number: int, origin: str = "random", reason: str = "") -> Draw:
        return Draw(self.space.draw(self._rng(number)), origin, reason)

    def modelled(self) -> Draw | None:
        """A draw from what is known by now; those made before from the same facts count as pending."""
        history = self.history
        if self._seen != history.seen:
            self._seen, self._nth = history.seen, 0
        saw = self._seen, self._nth
        params = self.sampler.draw(self._nth, history, self._rng(*saw, _MODEL))
        if params is None:
            return None
        self._check(params)
        history.imagine(params)
        self._nth += 1
        return Draw(params, self.sampler.origin, saw=saw)

    def _check(self, params: Params) -> None:
        if not self.space.allows(params):
            raise SearchspaceError(f"{self.sampler!r} drew {params!r}, which does not lie in {self.space!r}")

    def _rng(self, *key: int) -> Any:
        import numpy as np

        return np.random.default_rng([self.seed, *key])
