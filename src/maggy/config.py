"""What to run: one dataclass for each kind of experiment.

The order of the positional arguments, and the defaults, are those of Maggy 1.1; what is new is by keyword only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, get_args

from maggy.errors import ConfigError
from maggy.searchspace import Searchspace, Space
from maggy.searchspace.parameters import INJECTED_NAMES
from maggy.trial import Direction, Objective

if TYPE_CHECKING:
    from maggy.ablation import AblationStudy, Ablator, AbstractAblator
    from maggy.earlystop import AbstractEarlyStop, StoppingPolicy
    from maggy.optimizer import AbstractOptimizer, Optimizer

    OptimizerLike = str | AbstractOptimizer | Optimizer | type[AbstractOptimizer] | type[Optimizer] | None
    AblatorLike = str | AbstractAblator | Ablator | type[AbstractAblator] | type[Ablator]
    RuleLike = str | AbstractEarlyStop | StoppingPolicy | type[AbstractEarlyStop] | type[StoppingPolicy] | None


@dataclass(kw_only=True)
class LagomConfig:
    """What every kind of experiment may say.

    num_workers           how many workers at most; None: as many as the engine has slots
    seed                  of everything that is random; None: a fresh one, written to experiment.json
    experiment_dir        the experiment's folder, a path or any fsspec URL; None: ./maggy-runs/<name>/<n>
    resources_per_worker  what one worker needs, e.g. {"cpu": 2, "gpu": 1}; None: an equal share of this
                          machine's cores, or one task of the Spark session
    lost_limit            a trial whose workers were lost this often is given up as lost
    error_limit           a trial whose function raised this often has failed; 1: at its first error
    preempted_limit       a trial whose workers were told to leave (SIGTERM) this often is given up as lost
    checkpoint_quota_bytes  how much room the checkpoints of all trials may take, None for any. When it is full, those
                          of ended trials are deleted, the worst first; the best trial's, and those that a trial may
                          still go on from, are kept in any case
    """

    num_workers: int | None = None
    seed: int | None = None
    experiment_dir: str | PathLike[str] | None = None
    resources_per_worker: Mapping[str, float] | None = None
    lost_limit: int = 3
    error_limit: int = 1
    preempted_limit: int = 10
    checkpoint_quota_bytes: int | None = 10 << 30

    if TYPE_CHECKING:  # every kind has these, at its own place among the positional arguments

        @property
        def name(self) -> str: ...
        @property
        def description(self) -> str: ...
        @property
        def hb_interval(self) -> float: ...

    def __post_init__(self) -> None:
        """Raises ConfigError for a value that cannot work."""
        _check(isinstance(self.name, str) and self.name.strip() != "", f"name has to be text, got {self.name!r}")
        alive = _is_number(self.hb_interval) and 0 < self.hb_interval < inf
        _check(alive, f"hb_interval has to be a number of seconds above 0, got {self.hb_interval!r}")
        _check_whole("num_workers", self.num_workers, least=1, optional=True)
        _check_whole("seed", self.seed, least=0, optional=True)
        for name in LIMITS:
            _check_whole(name, getattr(self, name), least=1)
        _check_whole("checkpoint_quota_bytes", self.checkpoint_quota_bytes, least=0, optional=True)
        check_model(getattr(self, "model", None))
        _check(
            self.experiment_dir is None or isinstance(self.experiment_dir, str | PathLike),
            f"experiment_dir has to be a path or a URL, got {self.experiment_dir!r}",
        )
        resources = self.resources_per_worker
        if resources is not None:
            _check(isinstance(resources, Mapping), f"resources_per_worker has to be a dict, got {resources!r}")
            for kind, amount in resources.items():
                _check(kind in ("cpu", "gpu"), f"resources_per_worker knows 'cpu' and 'gpu', not {kind!r}")
                _check(
                    _is_number(amount) and amount >= 0, f"resources_per_worker[{kind!r}] is {amount!r}, not an amount"
                )


@dataclass
class BaseConfig(LagomConfig):
    """A single run of the training function.

    hparams  hyperparameters that the function gets, by name or as `hparams`
    model, dataset, train_set, test_set  arguments that it gets under these names, if they are given: `model` is a class
             or a function that makes the model; data may be a path, a table, arrays, a data set or a factory
    """

    name: str = "base"
    hb_interval: float = 1
    description: str = ""
    model: Any = field(default=None, kw_only=True)
    dataset: Any = field(default=None, kw_only=True)
    train_set: Any = field(default=None, kw_only=True)
    test_set: Any = field(default=None, kw_only=True)
    hparams: Mapping[str, Any] | None = field(default=None, kw_only=True)
    optimization_key: str = field(default="Metric", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_hparams(self.hparams)


@dataclass
class HyperparameterOptConfig(LagomConfig):
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
        _check_whole("num_trials", self.num_trials, least=1)
        _check_stopping(self)
        self._check_objectives()
        if self.searchspace is None:
            self.searchspace = Searchspace()
        _check(
            isinstance(self.searchspace, Space),
            f"searchspace has to be a Searchspace or a Space, got {type(self.searchspace).__name__}",
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised, the first is the metric."""
        keys, directions = _listed(self.optimization_key), _listed(self.direction)
        return tuple(Objective(key, direction) for key, direction in zip(keys, directions, strict=True))

    def _check_objectives(self) -> None:
        if isinstance(self.direction, str):
            self.direction = self.direction.lower()  # type: ignore[assignment]  # checked below
        elif isinstance(self.direction, list | tuple):
            self.direction = [str(each).lower() for each in self.direction]  # type: ignore[misc]
        keys, directions = _listed(self.optimization_key), _listed(self.direction)
        for direction in directions:
            _check(direction in get_args(Direction), f"direction has to be 'max' or 'min', got {direction!r}")
        texts = all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys) > 0
        _check(texts, f"optimization_key has to be text, or a list of different texts, got {self.optimization_key!r}")
        _check(
            len(keys) == len(directions),
            f"there are {len(keys)} optimization keys and {len(directions)} directions; give one direction for each",
        )


@dataclass
class AblationConfig(LagomConfig):
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
        _check_hparams(self.hparams)
        _check_whole("repeats", self.repeats, least=1, optional=True)
        _check_stopping(self)
        sure = _is_number(self.confidence) and 0 < self.confidence < 1
        _check(sure, f"confidence has to lie between 0 and 1, e.g. 0.95, got {self.confidence!r}")
        self.direction = str(self.direction).lower()  # type: ignore[assignment]  # checked below
        _check(self.direction in get_args(Direction), f"direction has to be 'max' or 'min', got {self.direction!r}")


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


LIMITS = ("lost_limit", "error_limit", "preempted_limit")
"""Fields of a config that say how often a trial may be set back."""

DATA_ARGUMENTS = ("dataset", "train_set", "test_set")
FIXED_ARGUMENTS = ("model", *DATA_ARGUMENTS)
"""Fields of a config that reach the training function as arguments of the same name."""


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


def _check_stopping(config: HyperparameterOptConfig | AblationConfig) -> None:
    _check_whole("es_interval", config.es_interval, least=1)
    _check_whole("es_min", config.es_min, least=0)


def _check_hparams(hparams: object) -> None:
    if hparams is None:
        return
    _check(isinstance(hparams, Mapping), "hparams has to be a dict of names to values")
    for name in hparams:  # type: ignore[attr-defined]  # it is a Mapping
        _check(isinstance(name, str), f"hparams has to be a dict of names to values, and {name!r} is no text")
        _check(
            name not in INJECTED_NAMES - _BUDGETS,
            f"hparams names {name!r}: a training function that asks for it gets something else. Choose another name",
        )


def check_model(model: Any) -> None:
    """A model is made by the training function, so that every trial begins with one of its own.

    Raises ConfigError for one that was made already, or for what makes none.
    """
    if model is None or isinstance(model, type):
        return
    if isinstance(model, list | tuple):
        for each in model:
            check_model(each)
        return
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if not bases.isdisjoint(_MODELS) or not callable(model):
        raise ConfigError(
            f"model has to be a class, or a function that makes a model, got an object of {type(model).__name__}. All "
            f"trials would share one that is made, with what the others have learnt: give e.g. model=lambda: Net(...), "
            f"and call model() in the training function"
        )


_BUDGETS = frozenset({"budget", "resource"})
"""Nobody else gives these out where `hparams` are given."""

_MODELS = frozenset({"torch.Module", "keras.Layer", "tensorflow.Module"})


def _check_whole(name: str, value: object, *, least: int, optional: bool = False) -> None:
    if optional and value is None:
        return
    whole = isinstance(value, Integral) and not isinstance(value, bool)  # NumPy's whole numbers too
    _check(whole and value >= least, f"{name} has to be a whole number of at least {least}, got {value!r}")  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
