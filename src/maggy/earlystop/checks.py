"""Whether what a rule is given can work."""

from __future__ import annotations

import re
from datetime import timedelta
from math import inf, isfinite

from maggy.errors import ConfigError

_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "h": 3600, "d": 86400}
_PART = rf"(\d+(?:\.\d+)?)\s*({'|'.join(_SECONDS)})\s*"


def check_whole(owner: str, *, minimum: int = 1, **given: object) -> None:
    """Raise ConfigError for a value that is no whole number of at least this. The message names the owner."""
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{owner}: {name} has to be a whole number of at least {minimum}, got {value!r}")


def check_number(
    owner: str, *, above: float = -inf, minimum: float = -inf, maximum: float = inf, **given: object
) -> None:
    """Raise ConfigError for a value that is no finite number in this range. The message names the owner."""
    bounds = {"above": above, "of at least": minimum, "of at most": maximum}
    text = " and".join(f" {words} {bound:g}" for words, bound in bounds.items() if isfinite(bound))
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ConfigError(f"{owner}: {name} has to be a number{text}, got {value!r}")
        if not (above < value and minimum <= value <= maximum):
            raise ConfigError(f"{owner}: {name} has to be a number{text}, got {value!r}")


def seconds(owner: str, period: object) -> float:
    """A period in seconds: a number, a timedelta, or a text. Raises ConfigError, which names the owner."""
    value: object = period
    if isinstance(period, timedelta):
        value = period.total_seconds()
    elif isinstance(period, str) and re.fullmatch(f"({_PART})+", period.strip()):
        value = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, period))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise ConfigError(
            f"{owner}: period has to be a number of seconds above 0, a timedelta, or a text such as "
            f"'30s', '5min' or '1h 30min', got {period!r}"
        )
    return float(value)
