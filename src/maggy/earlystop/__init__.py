"""What to stop."""

from __future__ import annotations

from maggy.earlystop.abstract import AbstractEarlyStop, EarlyStopAdapter
from maggy.earlystop.base import GO_ON, StoppingRule, Verdict
from maggy.earlystop.median import MedianStoppingRule
from maggy.earlystop.none import NoStoppingRule
from maggy.errors import ConfigError, UnknownNameError

__all__ = [
    "GO_ON",
    "AbstractEarlyStop",
    "EarlyStopAdapter",
    "MedianStoppingRule",
    "NoStoppingRule",
    "StoppingRule",
    "Verdict",
    "resolve",
]

BY_NAME: dict[str, type[StoppingRule]] = {"median": MedianStoppingRule, "none": NoStoppingRule}


def resolve(policy: object) -> StoppingRule | EarlyStopAdapter:
    """Find the rule that a config means.

    policy  a name in any case, a `StoppingRule`, an `AbstractEarlyStop`, a class of either, or None for no stopping

    Raises UnknownNameError for an unknown name, ConfigError for anything else.
    """
    if policy is None:
        return NoStoppingRule()
    if isinstance(policy, str):
        if policy.lower() not in BY_NAME:
            raise UnknownNameError("early-stopping policy", policy, BY_NAME)
        return BY_NAME[policy.lower()]()
    if isinstance(policy, type) and issubclass(policy, StoppingRule | AbstractEarlyStop):
        policy = policy()
    if isinstance(policy, AbstractEarlyStop):
        return EarlyStopAdapter(policy)
    if isinstance(policy, StoppingRule):
        return policy
    raise ConfigError(
        f"es_policy must be one of {', '.join(map(repr, BY_NAME))}, a StoppingRule or an AbstractEarlyStop, "
        f"got {policy!r}"
    )
