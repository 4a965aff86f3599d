"""Keras models, epoch by epoch: successive halving, Hyperband and continuous ASHA.

>>> space = keras_space(HousingSpec, l1=RandInt(8, 32), l2=RandInt(8, 32)).sample(16, seed=0)
>>> best = suggest_keras_models_by_sha(space, plan=[(2, 8), (4, 4), (8, 2), (16, 1)])[0]
"""

from maggy.tune.keras.objective import KerasObjective
from maggy.tune.keras.spec import KerasTrainingSpec
from maggy.tune.keras.suggest import (
    keras_space,
    suggest_keras_models_by_continuous_asha,
    suggest_keras_models_by_hyperband,
    suggest_keras_models_by_sha,
)

__all__ = [
    "KerasObjective",
    "KerasTrainingSpec",
    "keras_space",
    "suggest_keras_models_by_continuous_asha",
    "suggest_keras_models_by_hyperband",
    "suggest_keras_models_by_sha",
]
