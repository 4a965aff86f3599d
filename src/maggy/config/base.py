"""What every kind of experiment may say, and a single run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from os import PathLike
from typing import TYPE_CHECKING, Any

from maggy.config.checks import check, check_hparams, check_model, check_whole, is_number

LIMITS = ("lost_limit", "error_limit", "preempted_limit")
"""Fields of a config that say how often a trial may be set back."""

DATA_ARGUMENTS = ("dataset", "train_set", "test_set")
FIXED_ARGUMENTS = ("model", *DATA_ARGUMENTS)
"""Fields of a config that reach the training function as arguments of the same name."""


@dataclass(kw_only=True)
class LagomConfig:
    """What every kind of experiment may say.

    num_workers           how many workers at most; None: as many as the engine has slots
    seed                  of everything that is random; None: a fresh one, written to experiment.json
    experiment_dir        the experiment's folder, a path or any fsspec URL; None: ./maggy-runs/<name>/<n>
    resources_per_worker  what one worker needs, e.g. {"cpu": 2, "gpu": 1}; with "gpu": 0.5, two share one. None: an
                          equal share of this machine's cores, or one task of the Spark session
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
        check(isinstance(self.name, str) and self.name.strip() != "", f"name has to be text, got {self.name!r}")
        alive = is_number(self.hb_interval) and 0 < self.hb_interval < inf
        check(alive, f"hb_interval has to be a number of seconds above 0, got {self.hb_interval!r}")
        check_whole("num_workers", self.num_workers, least=1, optional=True)
        check_whole("seed", self.seed, least=0, optional=True)
        for name in LIMITS:
            check_whole(name, getattr(self, name), least=1)
        check_whole("checkpoint_quota_bytes", self.checkpoint_quota_bytes, least=0, optional=True)
        check_model(getattr(self, "model", None))
        check(
            self.experiment_dir is None or isinstance(self.experiment_dir, str | PathLike),
            f"experiment_dir has to be a path or a URL, got {self.experiment_dir!r}",
        )
        resources = self.resources_per_worker
        if resources is not None:
            check(isinstance(resources, Mapping), f"resources_per_worker has to be a dict, got {resources!r}")
            for kind, amount in resources.items():
                check(kind in ("cpu", "gpu"), f"resources_per_worker knows 'cpu' and 'gpu', not {kind!r}")
                check(is_number(amount) and amount >= 0, f"resources_per_worker[{kind!r}] is {amount!r}, not an amount")


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
        check_hparams(self.hparams)
