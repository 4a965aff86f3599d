"""What to run: one dataclass for each kind of experiment.

The order of the positional arguments, and the defaults, are those of Maggy 1.1; what is new is by keyword only.
"""

from maggy.config.ablation import AblationConfig
from maggy.config.base import DATA_ARGUMENTS, FIXED_ARGUMENTS, LIMITS, BaseConfig, LagomConfig
from maggy.config.checks import check_model
from maggy.config.distributed import (
    Combine,
    DistributedConfig,
    Distribution,
    GangConfig,
    JaxDistributedConfig,
    KerasDistributedConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)
from maggy.config.search import HyperparameterOptConfig, OptimizationConfig

__all__ = [
    "DATA_ARGUMENTS",
    "FIXED_ARGUMENTS",
    "LIMITS",
    "AblationConfig",
    "BaseConfig",
    "Combine",
    "DistributedConfig",
    "Distribution",
    "GangConfig",
    "HyperparameterOptConfig",
    "JaxDistributedConfig",
    "KerasDistributedConfig",
    "LagomConfig",
    "OptimizationConfig",
    "TfDistributedConfig",
    "TorchDistributedConfig",
    "check_model",
]
