"""A search for good hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from maggy.config.checks import check, check_stopping, check_whole, listed
from maggy.config.distributed import GangConfig
from maggy.searchspace import Searchspace, Space
from maggy.searchspace.parameters import check_name
from maggy.trial import Direction, Objective

if TYPE_CHECKING:
    from maggy.earlystop import AbstractEarlyStop, StoppingPolicy
    from maggy.optimizer import AbstractOptimizer, Optimizer

    OptimizerLike = str | AbstractOptimizer | Optimizer | type[AbstractOptimizer] | type[Optimizer] | None
    RuleLike = str | AbstractEarlyStop | StoppingPolicy | type[AbstractEarlyStop] | type[StoppingPolicy] | None


@dataclass
class HyperparameterOptConfig(GangConfig):
    """A search for good hyperparameters.

    num_trials        how many configurations are tried; early-stopped and failed ones count
    optimizer         what to try next: a name, e.g. 'randomsearch', 'tpe', 'asha', 'none', or an object
    searchspace       what can be chosen
    optimization_key  where the metric is, if the function returns a dict; a list of such keys for several objectives,
                      of which the first is the metric that is reported and by which trials are stopped
    direction         'max' or 'min'; a list of as many for several objectives
    es_interval       a running trial is judged every so many steps
    es_min            nobody is stopped before more than so many trials have finished
    es_policy         what to stop: a name, e.g. 'median', 'curve', 'none', or an object; `|` and `&` combine them
    name              names the experiment's folder
    hb_interval       seconds between two signs of life of a worker; has nothing to do with metrics
    model, dataset, train_set, test_set  arguments that the function gets under these names, if they are given
    """

    num_trials: int
    optimizer: OptimizerLike
    searchspace: Space | None
    optimization_key: str | Sequence[str] = "Metric"
    direction: Direction | Sequence[Direction] = "max"
    es_interval: int = 1
    es_min: int = 10
    es_policy: RuleLike = "median"
    name: str = "HPOptimization"
    description: str = ""
    hb_interval: float = 1
    model: Any = None
    dataset: Any = None
    train_set: Any = field(default=None, kw_only=True)
    test_set: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("num_trials", self.num_trials, least=1)
        check_stopping(self)
        self._check_objectives()
        if self.searchspace is None:
            self.searchspace = Searchspace()
        check(
            isinstance(self.searchspace, Space),
            f"searchspace has to be a Searchspace or a Space, got {type(self.searchspace).__name__}",
        )
        names: list[str] = self.searchspace.keys()
        for name in names:
            check_name(name)
        check(
            "workers_per_trial" not in self.searchspace,
            "the search space has 'workers_per_trial', which is no hyperparameter: all trials of a search run on the "
            "same number of workers. Give the number to the config: workers_per_trial=2",
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised, the first is the metric."""
        keys, directions = listed(self.optimization_key), listed(self.direction)
        return tuple(Objective(key, direction) for key, direction in zip(keys, directions, strict=True))

    def _check_objectives(self) -> None:
        if isinstance(self.direction, str):
            self.direction = self.direction.lower()  # type: ignore[assignment]  # checked below
        elif isinstance(self.direction, list | tuple):
            self.direction = [str(each).lower() for each in self.direction]  # type: ignore[misc]
        keys, directions = listed(self.optimization_key), listed(self.direction)
        for direction in directions:
            check(direction in get_args(Direction), f"direction has to be 'max' or 'min', got {direction!r}")
        texts = all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys) > 0
        check(texts, f"optimization_key has to be text, or a list of different texts, got {self.optimization_key!r}")
        check(
            len(keys) == len(directions),
            f"there are {len(keys)} optimization keys and {len(directions)} directions; give one direction for each",
        )


class OptimizationConfig(HyperparameterOptConfig):
    """`HyperparameterOptConfig` under its name of Maggy 1.0, whose `optimization_key` was 'metric'."""

    def __init__(
        self,
        num_trials: int,
        optimizer: OptimizerLike,
        searchspace: Space | None,
        optimization_key: str | Sequence[str] = "metric",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_trials, optimizer, searchspace, optimization_key, *args, **kwargs)
