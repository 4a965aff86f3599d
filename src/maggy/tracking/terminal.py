"""The live view in a terminal: a few lines that are drawn in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maggy.tracking.scene import Scene
from maggy.tracking.tracker import Tracking
from maggy.tracking.words import NOTABLE, clock, counts, crew, one_line, show_left, show_metric, show_params, spark
from maggy.trial import TrialState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

_NAME, _BAR, _SPARK = 24, 24, 24  # columns at most
_ECHO = 3  # columns that stay free: a terminal that writes ^C must not break the last line


class Terminal:
    """Draws a scene with rich, and what trackers have to show above it.

    console  of a terminal
    """

    every_s = 0.25

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        # What the program prints to a terminal appears above the view; what it prints into a file stays as it is.
        self._live = Live(
            console=console, auto_refresh=False, vertical_overflow="crop", redirect_stdout=to_terminal(sys.stdout)
        )

    def begin(self, scene: Scene) -> None:
        """Take the lines."""
        self._live.start()

    def draw(self, scene: Scene, others: Sequence[Tracking]) -> None:
        """Draw the lines anew."""
        self._update([*_views(others), view(scene)])

    def end(self, scene: Scene, others: Sequence[Tracking], failed: bool) -> None:
        """Leave the screen clean: the counts stay, and the rest only where no summary follows, as it has failed."""
        try:
            self._update([*_views(others), view(scene, brief=not failed)])
        finally:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print a line above the view; from any thread."""
        self._console.print(line, markup=False, soft_wrap=True)

    def _update(self, views: list[RenderableType]) -> None:
        from rich.console import Group

        self._live.update(Group(*views), refresh=True)


def to_terminal(stream: Any) -> bool:
    """Whether a stream ends at somebody's terminal."""
    return bool(getattr(stream, "isatty", bool)())


def _views(others: Sequence[Tracking]) -> list[Any]:
    return [other.view for other in others if other.view is not None]


def view(scene: Scene, *, brief: bool = False) -> RenderableType:
    """A bar with counts, the time, the best so far, the last reason: a line each, never wider than there is room.

    brief  the first of them alone
    """
    return _View(scene, brief)


class _View:
    def __init__(self, scene: Scene, brief: bool) -> None:
        self._scene, self._brief = scene, brief

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        scene, width, ascii_only = self._scene, max(1, options.max_width - _ECHO), options.ascii_only
        name = one_line(scene.about.name)
        label_width = min(max(4, len(name)), _NAME, max(4, width // 4))
        rows = [] if self._brief else _rows(scene, ascii_only)
        for label, text in ((name, _counts(scene, width, ascii_only)), *rows):
            line = Text(label, style="bold" if label == name else "dim", no_wrap=True)
            line.truncate(label_width, overflow="crop" if ascii_only else "ellipsis", pad=True)
            line = Text.assemble(line, "  ", text)
            line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
            yield line


def _counts(scene: Scene, width: int, ascii_only: bool) -> Text:
    """A bar with counts; of a single run, where it is."""
    from rich.text import Text

    tally = scene.tally
    said = standing(scene)
    if not scene.about.is_search:
        return Text(said[0])
    columns = min(_BAR, width // 4)
    done = min(columns, columns * tally.ended // max(1, tally.num_trials))
    mark, rest = ("#", "-") if ascii_only else ("━", "━")
    bar = Text.assemble((mark * done, "green"), (rest * (columns - done), "bright_black"), "  ")
    styles = {TrialState.STOPPED: "yellow", TrialState.FAILED: "red", TrialState.LOST: "red"}
    words = Text(", ".join(said))
    for state, style in styles.items():
        words.highlight_words([f"{tally.states[state]} {NOTABLE[state]}"], style)
    return Text.assemble(bar, words)


def _rows(scene: Scene, ascii_only: bool) -> list[tuple[str, Text]]:
    from rich.text import Text

    tally, now = scene.tally, time.time()
    left, people = show_left(tally.time_left(now)), crew(tally, now)
    rows = [("time", Text("; ".join(filter(None, (", ".join(filter(None, (clock(scene.elapsed_s), left))), people)))))]
    values = course(scene, _SPARK)
    marks = Text(f"{spark(values, _SPARK)}  " if len(set(values)) > 1 and not ascii_only else "", style="cyan")
    if not scene.about.is_search:
        if (line := scene.newest) is not None and line.last is not None:
            step, metric = line.last
            rows.append(("last", Text.assemble((show_metric(metric), "bold"), "  ", marks, f"at step {step:g}")))
    elif tally.best is not None:
        which = f"trial {tally.best_trial}: {show_params(tally.best_params)}"
        rows.append(("best", Text.assemble((show_metric(tally.best), "bold"), "  ", marks, which)))
    if tally.last_reason:
        rows.append(("why", Text(one_line(tally.last_reason))))
    return rows


def standing(scene: Scene) -> list[str]:
    """What became of the trials; of a single run, whether it runs."""
    tally = scene.tally
    if not tally.workers and not tally.ended and tally.ending is None:
        return ["waiting for the first worker"]
    if scene.about.is_search:
        return counts(tally.ended, tally.num_trials, tally.running, tally.states)
    return ["running" if tally.running else next((str(state) for state, n in tally.states.items() if n), "begins")]


def course(scene: Scene, width: int) -> list[float]:
    """The best after each share of the trials that have ended; of a single run, what it has reported."""
    if not scene.about.is_search:
        points = [] if scene.newest is None else scene.newest.curve.kept
        return [metric for _, metric in points[:: -(-len(points) // width) or 1]]
    bests, ended = scene.course, scene.tally.ended
    if not bests:
        return []
    first = bests[0][0]
    places = min(width, ended - first + 1)
    ends = [first + round((ended - first) * place / max(1, places - 1)) for place in range(places)]
    return [next(metric for count, metric in reversed(bests) if count <= end) for end in ends]
