"""Budgets of multi-fidelity optimizers."""

from __future__ import annotations

from math import inf, isfinite

from maggy.errors import ConfigError
from maggy.optimizer.base import Report, Setting
from maggy.trial import TrialState

ENDLESS = 2**53
"""More steps than anything has."""


def geometric(first: float, eta: int, most: float) -> list[float]:
    """The budgets `first`, `first * eta`, `first * eta**2`, ... up to `most`; whole ones are ints."""
    budgets: list[float] = []
    while (budget := first * eta ** len(budgets)) <= most * (1 + 1e-9):  # 0.1 * 3 is a little more than 0.3
        budgets.append(whole(min(budget, most)))
    return budgets


def whole(budget: float) -> float:
    """The same number, as an int if it is whole."""
    return int(budget) if budget == int(budget) else budget


def show(budget: float) -> str:
    """A budget as people write it."""
    return f"{budget:.12g}"


def ordinal(rank: int) -> str:
    """1st, 2nd, 3rd, 4th, ..., 11th, ..., 21st."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def loss_at_budget(report: Report) -> float:
    """What a trial is ranked by: infinity unless it reached its budget with a finite loss."""
    if report.loss is None or report.trial.state is TrialState.STOPPED:
        return inf
    return worst_if_not_finite(report.loss)


def worst_if_not_finite(loss: float) -> float:
    """NaN and either infinity are no results, and count as the worst."""
    return loss if isfinite(loss) else inf


def check_count(name: str, value: object, least: int = 1) -> None:
    """Raise ConfigError unless a setting is a whole number that is large enough, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ConfigError(f"{name} must be a whole number from {least} up, got {value!r}")


def is_number(value: object) -> bool:
    """Whether a setting is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def check_budgets(first: float, most: float | None, eta: int, names: tuple[str, str, str]) -> None:
    """Raise ConfigError unless these make a ladder of budgets; `names` are what the user calls them."""
    low, high, factor = names
    check_count(factor, eta, least=2)
    for name, value in ((low, first), (high, most)):
        if value is not None and not (is_number(value) and value > 0):
            raise ConfigError(f"{name} must be a number greater than 0, got {value!r}")
    if most is not None and first > most:
        raise ConfigError(f"{low}={show(first)} must not be greater than {high}={show(most)}")


def check_function(setting: Setting, who: str) -> None:
    """Raise ConfigError unless the training function can be told how far to train."""
    if not setting.takes_budget:
        raise ConfigError(
            f"{who} gives every trial a budget, and the training function does not ask for one. Give it an argument "
            "`budget`: the total to train to, e.g. epochs; or use Asha(form='stopping'), which stops trials by the "
            "steps that they broadcast"
        )
