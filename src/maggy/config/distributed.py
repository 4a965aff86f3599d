"""One training on several workers at once, and searches whose trials are such trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from math import inf
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

from maggy.config.base import LagomConfig
from maggy.config.checks import check, check_hparams, check_whole, is_number, listed
from maggy.errors import UnknownNameError

Framework = Literal["torch", "keras", "jax", "plain"]
"""Whose way of training on several workers is used; Keras may run on TensorFlow, JAX or PyTorch. "plain": nobody's, the
function does by itself what there is to do, with `context.rank`, `context.size` and `context.mean`."""

Combine = Literal["mean", "min", "max", "sum", "first"]
"""What becomes of the metrics that the ranks of a trial report; "first" is what rank 0 says."""

_OF_THE_TRAINING = ("model", "dataset", "train_set", "test_set", "hparams", "num_workers", "min_workers")
"""What a config that only says how workers train together has nothing to say about."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How the ranks of a trial train together.

    mixed_precision  compute in bfloat16, keep weights in float32
    zero_lvl         PyTorch: 0: every rank holds the whole model; 1, 2: gradients and the optimizer's state are
                     sharded; 3: weights too
    deepspeed        PyTorch: the config of DeepSpeed, which then does the rest
    process_data     called with the dataset on each worker, gives what the function gets
    timeout_s        a rank waits for the others for at most so long
    """

    framework: Framework
    mixed_precision: bool = False
    zero_lvl: int = 0
    deepspeed: Mapping[str, Any] | None = None
    process_data: Callable[[Any], Any] | None = None
    timeout_s: float = 120.0


@dataclass(kw_only=True)
class GangConfig(LagomConfig):
    """What an experiment says whose trials may run on several workers each.

    workers_per_trial     how many workers run a trial together, the same for all trials
    distributed           how they train together: "torch", "keras", "jax", "plain", or a config such as
                          `TorchDistributedConfig()`, of which only what says how counts; None where the class of the
                          model tells, and it is filled in
    min_workers           a trial that waits for its workers goes on with so many, if the others do not come; None: it
                          needs all
    workers_timeout_s     how long it waits for them while they are not there at all; then the experiment ends, with an
                          error; None: as long as the engine waits for its first worker
    collective_timeout_s  how long a rank waits for the others before the trial counts as hanging
    combine               what becomes of the metrics of the ranks: "mean", "min", "max", "sum", or "first", rank 0's
    """

    workers_per_trial: int = 1
    distributed: Framework | DistributedConfig | None = None
    min_workers: int | None = None
    workers_timeout_s: float | None = None
    collective_timeout_s: float = 120.0
    combine: Combine = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            isinstance(self.workers_per_trial, Integral) and not isinstance(self.workers_per_trial, bool),
            f"workers_per_trial has to be one whole number, the same for all trials; it is no hyperparameter. "
            f"Got {self.workers_per_trial!r}",
        )
        check_whole("workers_per_trial", self.workers_per_trial, least=1)
        check_whole("min_workers", self.min_workers, least=1, optional=True)
        most = self.workers_per_trial if self.gang_is_constant else self.num_workers
        check(
            most is None or self.min_workers is None or self.min_workers <= most,
            f"min_workers is {self.min_workers}, and a trial has {most} workers at most",
        )
        check(
            self.num_workers is None or self.num_workers >= self.workers_per_trial,
            f"num_workers is {self.num_workers}, and each trial needs {self.workers_per_trial} (workers_per_trial): no "
            f"trial could ever run",
        )
        for name in ("collective_timeout_s", "workers_timeout_s"):
            limit = getattr(self, name)
            fits = is_number(limit) and 0 < limit < inf
            fits = fits or (limit is None and name == "workers_timeout_s")
            check(fits, f"{name} has to be a number of seconds above 0, got {limit!r}")
        check(
            self.combine in get_args(Combine),
            f"combine has to be one of {', '.join(map(repr, get_args(Combine)))}, got {self.combine!r}",
        )
        if self.workers_per_trial > 1 and self.distributed is None:
            self.distributed = _framework_of(getattr(self, "model", None))
            check(
                self.distributed is not None,
                f"workers_per_trial is {self.workers_per_trial}: say how the workers train together, with "
                f"distributed='torch', 'keras', 'jax' or 'plain'",
            )
        if isinstance(self.distributed, str) and self.distributed not in get_args(Framework):
            raise UnknownNameError("framework in distributed", self.distributed, get_args(Framework))
        check(
            isinstance(self.distributed, str | DistributedConfig | None),
            f"distributed has to be one of {', '.join(map(repr, get_args(Framework)))} or a config such as "
            f"TorchDistributedConfig(), got {self.distributed!r}",
        )
        if isinstance(self.distributed, DistributedConfig):
            given = [name for name in _OF_THE_TRAINING if getattr(self.distributed, name, None) is not None]
            check(
                not given,
                f"distributed={type(self.distributed).__name__}(...) says how the workers of a trial train together; "
                f"give {', '.join(given)} to {type(self).__name__} itself",
            )

    @property
    def gang_is_constant(self) -> bool:
        """Whether the config says how many workers run a trial; else all that there are do."""
        return True

    @property
    def distribution(self) -> Distribution | None:
        """How the ranks of a trial train together; None if a trial has one worker and nothing is said about it."""
        how = self.distributed
        if isinstance(how, DistributedConfig):
            assert how.distribution is not None
            return replace(how.distribution, timeout_s=self.collective_timeout_s)
        return None if how is None else Distribution(framework=how, timeout_s=self.collective_timeout_s)


@dataclass
class DistributedConfig(GangConfig):
    """One training on `num_workers` workers, all that the engine has if that is not said.

    model, dataset, train_set, test_set  arguments that the function gets under these names, if they are given
    hparams           hyperparameters that it gets, by name or as `hparams`
    optimization_key  where the metric is, if the function returns a dict
    mixed_precision   compute in bfloat16, keep weights in float32
    """

    train_set: Any = field(default=None, kw_only=True)
    test_set: Any = field(default=None, kw_only=True)
    optimization_key: str = field(default="Metric", kw_only=True)

    if TYPE_CHECKING:  # every kind has these, at its own place among the positional arguments

        @property
        def hparams(self) -> Mapping[str, Any] | None: ...

    def __post_init__(self) -> None:
        check(
            self.workers_per_trial == 1 and self.distributed is None,
            f"{type(self).__name__} is one training on num_workers workers; workers_per_trial and distributed are for "
            f"searches and ablation studies",
        )
        super().__post_init__()
        check_hparams(self.hparams)
        mixed = getattr(self, "mixed_precision", False)
        check(
            isinstance(mixed, bool),
            f"mixed_precision has to be True or False, got {mixed!r}: the type is always bfloat16",
        )

    @property
    def gang_is_constant(self) -> bool:
        return False


@dataclass
class TorchDistributedConfig(DistributedConfig):
    """PyTorch on several workers, by DistributedDataParallel, FSDP2 or DeepSpeed; gloo on CPUs, NCCL on GPUs.

    module            another name of `model`, as Maggy 1.1 has it in first place
    backend           "torch", or "deepspeed", which has to be installed
    zero_lvl          0: every rank holds the whole model; 1, 2: gradients and the optimizer's state are sharded; 3:
                      weights too
    deepspeed_config  what `deepspeed.initialize` gets as `config`, with backend="deepspeed"
    """

    module: InitVar[Any] = None
    model: Any = field(default=None, kw_only=True)
    dataset: Any = None
    hparams: Mapping[str, Any] | None = None
    backend: Literal["torch", "deepspeed"] = "torch"
    mixed_precision: bool = False
    zero_lvl: int = 0
    deepspeed_config: Mapping[str, Any] | None = None
    name: str = "torchDist"
    hb_interval: float = 1
    description: str = ""

    def __post_init__(self, module: Any) -> None:
        check(module is None or self.model is None, "model and module are the same: give one of them")
        self.model = module if self.model is None else self.model
        check(
            self.backend in ("torch", "deepspeed"),
            f"backend has to be 'torch' or 'deepspeed', got {self.backend!r}; gloo or NCCL is chosen by the device",
        )
        level = isinstance(self.zero_lvl, Integral) and not isinstance(self.zero_lvl, bool) and 0 <= self.zero_lvl <= 3
        check(level, f"zero_lvl has to be 0, 1, 2 or 3, got {self.zero_lvl!r}")
        super().__post_init__()
        if self.backend == "torch":
            check(self.deepspeed_config is None, "deepspeed_config goes with backend='deepspeed'; backend is 'torch'")
            return
        check(
            isinstance(self.deepspeed_config, Mapping),
            f"backend='deepspeed' needs deepspeed_config, a dict as deepspeed.initialize takes it, got "
            f"{self.deepspeed_config!r}",
        )
        check(
            not (self.zero_lvl or self.mixed_precision),
            "with backend='deepspeed', zero_lvl and mixed_precision are said in deepspeed_config, as zero_optimization "
            "and bf16",
        )

    @property
    def distribution(self) -> Distribution:
        return Distribution(
            framework="torch",
            mixed_precision=self.mixed_precision,
            zero_lvl=self.zero_lvl,
            deepspeed=dict(self.deepspeed_config or {}) if self.backend == "deepspeed" else None,
            timeout_s=self.collective_timeout_s,
        )


@dataclass
class KerasDistributedConfig(DistributedConfig):
    """Keras 3 on several workers, whatever backend it has: `model.fit` as it is.

    process_data  called with the dataset on each worker; the function gets what it returns
    """

    model: Any = None
    dataset: Any = None
    process_data: Callable[[Any], Any] | None = None
    mixed_precision: bool = False
    name: str = "kerasDist"
    hb_interval: float = 1
    description: str = ""
    hparams: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.process_data is None or callable(self.process_data),
            f"process_data has to be a function of the dataset, got {self.process_data!r}; train_set and test_set are "
            f"given by name",
        )

    @property
    def distribution(self) -> Distribution:
        return Distribution(
            framework="keras",
            mixed_precision=self.mixed_precision,
            process_data=self.process_data,
            timeout_s=self.collective_timeout_s,
        )


@dataclass
class TfDistributedConfig(KerasDistributedConfig):
    """`KerasDistributedConfig` under its historical name; also for TensorFlow's own loops."""

    name: str = "tfDist"


@dataclass
class JaxDistributedConfig(DistributedConfig):
    """JAX on several workers, by `jax.distributed`."""

    model: Any = None
    dataset: Any = None
    hparams: Mapping[str, Any] | None = None
    name: str = "jaxDist"
    hb_interval: float = 1
    description: str = ""

    @property
    def distribution(self) -> Distribution:
        return Distribution(framework="jax", timeout_s=self.collective_timeout_s)


def _framework_of(model: Any) -> Framework | None:
    """Whose class a model is, or each of several; None for what is no class, or nobody's."""
    classes = [base for each in listed(model) for base in getattr(each, "__mro__", ())]
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in classes}
    if "keras.Model" in bases:  # looked for first: on PyTorch, Keras's models are modules too
        return "keras"
    return "torch" if "torch.Module" in bases else None
