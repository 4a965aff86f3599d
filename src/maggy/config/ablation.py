"""A study of what the parts of data, model and training contribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from maggy.config.checks import check, check_hparams, check_stopping, check_whole, is_number
from maggy.config.distributed import GangConfig
from maggy.trial import Direction

if TYPE_CHECKING:
    from maggy.ablation import AblationStudy, Ablator, AbstractAblator
    from maggy.config.search import RuleLike

    AblatorLike = str | AbstractAblator | Ablator | type[AbstractAblator] | type[Ablator]


@dataclass
class AblationConfig(GangConfig):
    """A study of what parts of the data, the model and the training contribute.

    ablation_study    what can be left out
    ablator           what is left out together: 'loco', 'leave-two-out', 'add-one-in', 'cumulative', or an object
    direction         'max' or 'min': which metric is better
    name              names the experiment's folder
    hb_interval       seconds between two signs of life of a worker
    model, dataset, train_set, test_set  arguments that the function gets under these names, or what is left of them
    hparams           hyperparameters that the function gets, by name or as `hparams`
    optimization_key  where the metric is, if the function returns a dict
    repeats           how often each variant is trained, each time with another seed, which is the same for all
                      variants; None: 5 times if the function takes a `seed`, else once
    confidence        of the intervals of the effects: of each, or, if `simultaneous`, of all of them at once
    es_policy         what to stop early; 'none', because a trial that is cut short tells nothing about an effect
    es_interval, es_min  see `HyperparameterOptConfig`
    """

    ablation_study: AblationStudy
    ablator: AblatorLike = "loco"
    direction: Direction = "max"
    name: str = "ablationStudy"
    description: str = ""
    hb_interval: float = 1
    model: Any = None
    dataset: Any = None
    train_set: Any = field(default=None, kw_only=True)
    test_set: Any = field(default=None, kw_only=True)
    hparams: Mapping[str, Any] | None = field(default=None, kw_only=True)
    optimization_key: str = field(default="Metric", kw_only=True)
    repeats: int | None = field(default=None, kw_only=True)
    confidence: float = field(default=0.95, kw_only=True)
    simultaneous: bool = field(default=False, kw_only=True)
    es_policy: RuleLike = field(default="none", kw_only=True)
    es_interval: int = field(default=1, kw_only=True)
    es_min: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hparams(self.hparams)
        check_whole("repeats", self.repeats, least=1, optional=True)
        check_stopping(self)
        sure = is_number(self.confidence) and 0 < self.confidence < 1
        check(sure, f"confidence has to lie between 0 and 1, e.g. 0.95, got {self.confidence!r}")
        self.direction = str(self.direction).lower()  # type: ignore[assignment]  # checked below
        check(self.direction in get_args(Direction), f"direction has to be 'max' or 'min', got {self.direction!r}")
