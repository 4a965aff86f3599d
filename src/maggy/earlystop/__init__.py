"""What to stop."""

from __future__ import annotations

from maggy.earlystop.abstract import AbstractEarlyStop, EarlyStopAdapter
from maggy.earlystop.base import GO_ON, Combinable, StoppingPolicy, StoppingRule, TrialView, Verdict
from maggy.earlystop.calibration import Calibration, calibration
from maggy.earlystop.curve_prediction import CurvePredictionRule
from maggy.earlystop.none import NoStoppingRule
from maggy.earlystop.patience import PatienceRule
from maggy.earlystop.percentile import MedianStoppingRule, PercentileStoppingRule
from maggy.earlystop.prediction import Prediction, predict
from maggy.earlystop.stoppers import (
    StudyStopper,
    cost_budget,
    n_samples,
    n_updates,
    no_update_period,
    small_improvement,
    time_budget,
)
from maggy.earlystop.study import Study, Update
from maggy.earlystop.threshold import ThresholdRule
from maggy.errors import ConfigError, UnknownNameError

__all__ = [
    "GO_ON",
    "AbstractEarlyStop",
    "Calibration",
    "CurvePredictionRule",
    "EarlyStopAdapter",
    "MedianStoppingRule",
    "NoStoppingRule",
    "PatienceRule",
    "PercentileStoppingRule",
    "Prediction",
    "StoppingPolicy",
    "StoppingRule",
    "Study",
    "StudyStopper",
    "ThresholdRule",
    "TrialView",
    "Update",
    "Verdict",
    "calibration",
    "cost_budget",
    "n_samples",
    "n_updates",
    "no_update_period",
    "predict",
    "resolve",
    "small_improvement",
    "time_budget",
]

BY_NAME: dict[str, type[StoppingRule]] = {
    "median": MedianStoppingRule,
    "percentile": PercentileStoppingRule,
    "curve": CurvePredictionRule,
    "curveprediction": CurvePredictionRule,
    "none": NoStoppingRule,
}


def resolve(policy: object) -> StoppingPolicy:
    """Find the policy that a config means.

    policy  a name in any case, a `StoppingPolicy`, an `AbstractEarlyStop`, a class of either that is made without
            arguments, or None for no stopping

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if policy is None:
        return NoStoppingRule()
    if isinstance(policy, str):
        if policy.lower() not in BY_NAME:
            raise UnknownNameError("early-stopping policy", policy, BY_NAME)
        return BY_NAME[policy.lower()]()
    if isinstance(policy, type) and issubclass(policy, Combinable):
        policy = policy()
    if isinstance(policy, Combinable):
        return policy.as_policy()
    raise ConfigError(
        f"es_policy must be one of {', '.join(map(repr, BY_NAME))}, a stopping rule or stopper, several of them "
        f"combined with & and |, or an AbstractEarlyStop, got {policy!r}"
    )
