"""What to show when an experiment has ended."""

from __future__ import annotations

import shlex
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

from maggy.result import Result
from maggy.tracking.notebook import display_text, in_notebook
from maggy.tracking.terminal import to_terminal
from maggy.tracking.words import duration, show_metric, show_params, show_value
from maggy.trial import Trial, TrialState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_TOP = 5  # trials in the table
_PARAMS = 8  # columns of it at most; the best configuration is shown in full anyway
_FAILURES = 3

_WORDS = {
    TrialState.FINISHED: "finished",
    TrialState.STOPPED: "stopped early",
    TrialState.FAILED: "failed",
    TrialState.LOST: "lost with their workers",
}


@dataclass(frozen=True)
class Summary:
    """The end of an experiment: `str` gives aligned lines, rich prints a table.

    rows   label and text
    top    the best trials: a heading and a row for each; empty where there is nothing to compare
    below  what follows as it is
    """

    rows: list[tuple[str, str]]
    top: list[list[str]] = field(default_factory=list)
    below: str = ""

    def __str__(self) -> str:
        lines = [f"{label:<9} {text}" for label, text in self.rows]
        if self.top:
            widths = _widths(self.top)
            lines += ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in self.top)]
        return "\n".join([*lines, *(["", self.below] if self.below else [])])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        if options.ascii_only:
            yield Text(str(self))
            return
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in self.rows:
            grid.add_row(Text(label), Text(text, style=_STYLES.get(label, "")))
        yield grid
        if self.top:
            table = Table(box=SIMPLE_HEAD, border_style="bright_black", header_style="bold", pad_edge=False)
            rooms = accumulate(width + 3 for width in _widths(self.top))
            fitting = sum(room <= options.max_width for room in rooms)  # the best is shown in full above
            for number, name in enumerate(self.top[0][:fitting]):
                table.add_column(Text(name), no_wrap=True, justify="left" if number in (0, 2) else "right")
            for row in self.top[1:]:
                table.add_row(*map(Text, row[:fitting]), style="green" if row is self.top[1] else "")
            yield table
        if self.below:
            yield ""
            yield Text(self.below)


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


_STYLES = {"best": "bold green", "result": "bold green", "failed": "red", "next": "cyan", "": "cyan"}


def summary(result: Result, took: str = "") -> Summary:
    """The best configuration, what happened to the trials, what stopping saved, where everything is, what to do next.

    took  how long it took and who worked, in words; "" for nothing
    """
    best = result.best
    rows: list[tuple[str, str]] = []
    if "test result" in result:
        rows.append(("result", show_metric(result["test result"])))
    elif best is None:
        rows.append(("best", "none: no trial has a result"))
    else:
        rows.append(("best", f"{show_metric(best.final_metric)} in trial {best.trial_id}: {show_params(best.params)}"))
    if best is not None and (checkpoint := best.checkpoint) is not None:
        step = "" if checkpoint.step is None else f"step {checkpoint.step}, "
        rows.append(("state", f"{checkpoint.url} ({step}{checkpoint.size_bytes / 1e6:.3g} MB)"))
    if result.pareto:
        rows.append(("pareto", f"no other beats trials {', '.join(str(trial.trial_id) for trial in result.pareto)}"))
    told = _Told(result.trials)
    counts = ", ".join(f"{told.states[state]} {word}" for state, word in _WORDS.items() if told.states[state])
    rows.append(("trials", (counts or "none ended") + (" (interrupted)" if result.interrupted else "")))
    if result.study_stopped is not None:
        rows.append(("ended", result.study_stopped))
    if saved := saved_s(told.seconds[TrialState.FINISHED], told.seconds[TrialState.STOPPED]):
        share = saved / (saved + sum(map(sum, told.seconds.values())))
        what = f"about {duration(saved)} of training by stopping early"
        rows.append(("saved", f"{what} ({share:.0%} of what all trials would have taken)"))
    if told.late:
        drawn = f"{told.late} of {len(result.trials)} configurations were drawn at random"
        rows.append(("late", f"{drawn}: the model was still at work"))
    for trial in told.failed:
        why = (trial.error or "for no reason that is known").splitlines()[-1]
        rows.append(("failed", f"trial {trial.trial_id}: {why}"))
    if took:
        rows.append(("took", took))
    rows.append(("folder", result.experiment_dir))
    folder = shlex.quote(result.experiment_dir)
    rows += [("next", f"maggy show {folder}"), ("", f"maggy ui {folder}")]
    compares = "test result" not in result and result.effects is None
    return Summary(rows, _top(result) if compares else [], "" if result.effects is None else str(result.effects))


def show(summed: Summary) -> None:
    """Show it: as a table in a terminal and in a notebook, as aligned lines elsewhere."""
    if in_notebook():
        display_text(summed)
    elif to_terminal(sys.stderr):
        from rich.console import Console

        Console(file=sys.stderr, highlight=False, force_jupyter=False).print(summed)
    else:
        print(summed, file=sys.stderr)


def _top(result: Result) -> list[list[str]]:
    """The best trials, best first; nothing where there is only one."""
    if len(result.ranked) < 2:
        return []
    ranked = result.ranked[:_TOP]
    names = list(dict.fromkeys(name for trial in ranked for name in trial.params))[:_PARAMS]
    budgets = any(trial.budget is not None for trial in ranked)
    rows = [["trial", "metric", "state", "time", *(["budget"] if budgets else []), *names]]
    for trial in ranked:
        budget = [] if not budgets else ["" if trial.budget is None else f"{trial.budget:g}"]
        params = [show_value(trial.params[name]) if name in trial.params else "" for name in names]
        state = "stopped" if trial.state is TrialState.STOPPED else str(trial.state)
        rows.append(
            [str(trial.trial_id), show_metric(trial.final_metric), state, duration(trial.run_s), *budget, *params]
        )
    return rows


class _Told:
    """What there is to say of all trials, which may be too many to keep.

    states   how many there are of each
    seconds  that each took, by state
    late     how many have a configuration that was drawn at random for want of one from the model
    failed   the first that raised or were lost
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.states: Counter[TrialState] = Counter()
        self.seconds: dict[TrialState, array[float]] = {state: array("d") for state in TrialState}
        self.late = 0
        self.failed: list[Trial] = []
        for trial in trials:
            self.states[trial.state] += 1
            self.seconds[trial.state].append((trial.duration or 0) / 1000)
            self.late += trial.origin == "fallback"
            if trial.state in (TrialState.FAILED, TrialState.LOST) and len(self.failed) < _FAILURES:
                self.failed.append(trial)


def saved_s(finished: Sequence[float], stopped: Sequence[float]) -> float:
    """Seconds of training that the stopped trials did not take, if each would have taken the finished ones' median.

    finished, stopped  how long each took
    """
    if not finished or not stopped:
        return 0.0
    usual = median(finished)
    return sum(max(0.0, usual - seconds) for seconds in stopped)
