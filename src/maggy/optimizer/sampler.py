"""The contract of a sampler: where fresh configurations come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from maggy.optimizer.base import Optimizer, Setting, Suggestion
from maggy.optimizer.history import History
from maggy.searchspace import Space
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np


class Sampler(Optimizer):
    """Draws configurations. Used as an optimizer, it gives each of them one full run.

    pruner         "hyperband" or None: the historical way to say `Hyperband(sampler=...)`
    pruner_kwargs  arguments of `Hyperband`: `min_budget`, `max_budget`, `eta`, `n_iterations`

    Multi-fidelity optimizers take their fresh configurations from one: `Asha(sampler="tpe")`.
    """

    fits_models: ClassVar[bool] = False
    """Whether a draw may take longer than a hand-over. Such draws are made ahead, in a process of their own, from a
    copy of this object; so whatever it keeps from draw to draw is its own business there."""

    origin: ClassVar[str] = "random"
    """What a trial says about where its configuration comes from."""

    pruner: str | None = None
    pruner_kwargs: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, pruner: str | None = None, pruner_kwargs: Mapping[str, Any] | None = None) -> None:
        self.pruner, self.pruner_kwargs = pruner, dict(pruner_kwargs or {})

    keeps_state: bool = False
    """Whether its draws depend on more than the history and the generator; a replay then takes them as they were."""

    @property
    def sampler(self) -> Sampler:  # type: ignore[override]
        return self

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> int | None:
        """Start afresh on a space; return how many configurations there are, None if there is no end of them.

        seed  of the experiment, for what is made once; a draw takes its chance from `rng` alone

        Raises ConfigError where it cannot search this space, or cannot weigh so many objectives.
        """
        return None

    def ready(self, history: History) -> bool:
        """Whether it knows enough to draw; until then configurations are drawn at random."""
        return True

    @abstractmethod
    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params | None:
        """A configuration to try; None if there are no more.

        number   counts the draws of this experiment from 0; for a sampler that fits models, those from the same facts
        history  what is known by now, `history.pending` included: trials that run count
        rng      the only source of randomness

        A sampler that fits models decides by `history` and `rng` alone wherever it can: then a search can be replayed
        from its journal and resumed without asking for every past draw again.
        """

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        return setting.draws.most

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        draw = self.setting.draws.fresh()
        return None if draw is None else draw.trial()


class Undrawn(Sampler):
    """Stands where an optimizer makes its configurations itself."""

    def draw(self, number: int, history: History, rng: np.random.Generator) -> None:
        return None
