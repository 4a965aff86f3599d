"""Words and marks that all views share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import ceil, floor
from typing import Any

from maggy.chronicle import Tally, TimeLeft
from maggy.trial import TrialState

NOTABLE = {TrialState.STOPPED: "stopped early", TrialState.FAILED: "failed", TrialState.LOST: "lost"}
"""What a trial may come to, apart from finishing."""

_UNITS = ((2 * 86400, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"), (0, 1, "s"))  # from, seconds, name


# Before the @ of an address, and `user:password@` where a scheme is missing.
_WHO = re.compile(r"(?<=//)[^/\s]*@|(?<![^\s/'\"])[^\s/'\":]+:[^\s/'\"]+@")


def one_line(text: Any) -> str:
    """Text without line feeds, tabs and whatever else could move a cursor."""
    return "".join(char if char.isprintable() else " " for char in " ".join(str(text).split()))


def without_secrets(text: str) -> str:
    """Text in which no address says who goes in there, and with what password or token."""
    return _WHO.sub("", text)


def show_params(params: Mapping[str, Any]) -> str:
    """A configuration on one line, floats with four digits."""
    return " ".join(f"{name}={show_value(value)}" for name, value in params.items())


def show_value(value: Any) -> str:
    """A hyperparameter on one line."""
    return f"{value:.4g}" if isinstance(value, float) else one_line(value)


def show_metric(metric: float | None) -> str:
    """A metric in six digits."""
    return "none" if metric is None else f"{metric:.6g}"


def clock(seconds: float) -> str:
    """Time that has passed: 0:07, 12:05, 3:02:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """How long something took: 12 ms, 0.4 s, 12 s, 3.5 min, 2.0 h."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    name, size = _unit(seconds)
    in_unit = seconds / size
    return f"{in_unit:.1f} {name}" if in_unit < 10 else f"{in_unit:.0f} {name}"


def show_left(left: TimeLeft | None) -> str:
    """How long it will take, and within which bounds: "about 4 min left (3 to 6)"; "" where nobody can know."""
    if left is None or left.seconds < 1:
        return ""
    name, size = _unit(left.seconds)
    about = left.seconds / size
    low, high = floor(left.low / size), ceil(left.high / size)
    bounds = f" ({low} to {high})" if low < high else ""
    return f"about {max(1, round(about))} {name} left{bounds}"


def counts(ended: int, num_trials: int, running: int, states: Mapping[Any, int]) -> list[str]:
    """What became of the trials: "12 of 100 trials", "4 running", "2 failed".

    states  how many came to each of the final states
    """
    said = [f"{ended} of {num_trials} trials", f"{running} running"]
    return said + [f"{states[state]} {words}" for state, words in NOTABLE.items() if states[state]]


def crew(tally: Tally, now: float) -> str:
    """Who works, and which part of the time: "4 workers, 93% busy"; "" where nobody is there.

    now  seconds since the epoch
    """
    if not tally.workers:
        return ""
    size = tally.brain.rules.workers_per_trial
    people = f"{tally.workers} worker{'s' * (tally.workers != 1)}" + (
        f" in gangs of {size}" if 1 < size < tally.workers else ""
    )
    busy = tally.utilisation(now)
    return people if busy is None else f"{people}, {busy:.0%} busy"


def spark(values: Iterable[float], width: int) -> str:
    """A falling or rising course as blocks; the newest `width` values."""
    newest = list(values)[-width:]
    low, high = min(newest, default=0.0), max(newest, default=0.0)
    span = (high - low) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[int((value - low) / span * 7 + 0.5)] for value in newest)


def _unit(seconds: float) -> tuple[str, int]:
    """The unit in which so many seconds are said, and how long it is."""
    return next((name, size) for least, size, name in _UNITS if seconds >= least or least == 0)
