"""What the samplers that fit models have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar

from maggy.errors import ConfigError
from maggy.optimizer.history import History, Observation
from maggy.optimizer.sampler import Sampler
from maggy.optimizer.sampling.selection import selected
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np

PROPOSALS = 3
"""How many proposals of a model are looked at before configurations are drawn at random instead."""

RANDOM_DRAWS = 100
"""How many of those are looked at."""

FEWEST = 10
"""How many trials have to have a loss at a budget before a model is fitted to that budget alone."""


class ModelSampler(Sampler):
    """Draws what a model of the observations proposes.

    num_warmup_trials  how many trials must have a loss before the model is asked; until then draws are random
    random_fraction    the share of later draws that are random all the same

    The model is fitted to the observations at the largest budget that has enough of them, see `History.level`, and to
    at most `most` of those, see `selected`. What is forbidden, or equals a configuration that runs or that the model
    knows, is passed over: after three such proposals the draw is random, and after a hundred more it is any.
    """

    fits_models: ClassVar[bool] = True
    origin: ClassVar[str] = "model"

    most: int
    """The largest number of observations that the model is fitted to."""

    def __init__(
        self,
        *,
        num_warmup_trials: int = FEWEST,
        random_fraction: float = 0.0,
        pruner: str | None = None,
        pruner_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(pruner=pruner, pruner_kwargs=pruner_kwargs)
        self.num_warmup_trials = whole("num_warmup_trials", num_warmup_trials, 1)
        self.random_fraction = share("random_fraction", random_fraction)

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> None:
        if not space.parameters:
            raise ConfigError(
                f"optimizer {type(self).__name__} has nothing to choose: the search space has no hyperparameters; "
                "or use optimizer='none'"
            )
        self._space, self._objectives = space, objectives

    def ready(self, history: History) -> bool:
        return history.largest_level >= self.num_warmup_trials

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params:
        self._load()
        if self.random_fraction and rng.random() < self.random_fraction:
            return self._space.draw(rng)
        known = selected(history.level(max(FEWEST, self.num_warmup_trials)), self.most)
        pending = list(history.pending.values())
        taken = [*pending, *(each.params for each in known)]
        proposals = islice(self._proposals(history, known, pending, rng), PROPOSALS)
        for params in chain(proposals, (self._space.draw(rng) for _ in range(RANDOM_DRAWS))):
            if params not in taken and self._space.allows(params):
                return params
        return self._space.draw(rng)

    def _load(self) -> None:
        """Import and make what draws need, unless that has been done.

        `begin` imports nothing heavy: it is called in the driver's process, and draws are made in another one.
        """

    @abstractmethod
    def _proposals(
        self, history: History, known: Sequence[Observation], pending: Sequence[Params], rng: np.random.Generator
    ) -> Iterator[Params]:
        """Configurations that the model finds promising, one after another.

        known    the observations to fit it to
        pending  configurations that run, or are about to
        """


def whole(name: str, value: object, least: int) -> int:
    """An argument that is a whole number. Raises ConfigError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} has to be a whole number of at least {least}, got {value!r}")
    return value


def share(name: str, value: object) -> float:
    """An argument from 0 to 1. Raises ConfigError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name} has to be a number from 0 to 1, got {value!r}")
    return float(value)


def unsupported(who: str, given: Mapping[str, tuple[object, object, str]]) -> None:
    """Refuse what arguments of Maggy 1.x asked for and cannot have any more.

    given  by name: the value, what it was in 1.x unless given, which is accepted, and what to do instead

    Raises ConfigError.
    """
    for name, (value, default, instead) in given.items():
        if value is not None and value != default:
            raise ConfigError(f"{who}({name}={value!r}) is not supported: {instead}")


INTERIM = "to learn from trials before they end, use it under a multi-fidelity optimizer, e.g. Asha(sampler='{}')"
