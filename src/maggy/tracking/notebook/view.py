"""Progress in a notebook: a widget that updates in place, or text where there are no widgets."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggy.tracking.notebook.place import NotebookPlace, bundle_of
from maggy.tracking.notebook.state import Tails, state_of
from maggy.tracking.scene import Scene
from maggy.tracking.terminal import view
from maggy.tracking.tracker import Tracking

if TYPE_CHECKING:
    from maggy.tracking.notebook.widget import ExperimentWidget

_SHARE = 10  # a drawing is followed by so many times as long without one


def notebook_view(folder: Path | None) -> WidgetView | TextView:
    """The best that this kernel can show.

    folder  where logs are; None for none
    """
    return TextView() if importlib.util.find_spec("anywidget") is None else WidgetView(folder)


class _Paced:
    """Drawings that take long are followed by a longer pause."""

    every_s = 0.5

    def begin(self, scene: Scene) -> None:
        """Take a place in the output of the cell that runs."""
        self._due = 0.0
        self._open(scene)

    def draw(self, scene: Scene, others: Sequence[Tracking]) -> None:
        """Draw it anew."""
        began = time.monotonic()
        if began >= self._due:
            self._draw(scene, others)
            self._due = time.monotonic() + _SHARE * (time.monotonic() - began)

    def end(self, scene: Scene, others: Sequence[Tracking], failed: bool) -> None:
        """Draw it for the last time."""
        self._draw(scene, others, over="failed" if failed else "over")

    def say(self, line: str) -> None:
        """Print a line below; from any thread."""
        print(line)

    def _open(self, scene: Scene) -> None:
        raise NotImplementedError

    def _draw(self, scene: Scene, others: Sequence[Tracking], over: str = "") -> None:
        raise NotImplementedError


class TextView(_Paced):
    """What a terminal would show, as a display that is updated."""

    def _open(self, scene: Scene) -> None:
        self._place = NotebookPlace()
        self._place.show(view(scene))

    def _draw(self, scene: Scene, others: Sequence[Tracking], over: str = "") -> None:
        from rich.console import Group

        views = [other.view for other in others if other.view is not None]
        self._place.show(Group(*views, view(scene, brief=over == "over")))


class WidgetView(_Paced):
    """A widget, which draws itself in the page from the state that it is sent.

    folder  where logs are; None for none
    """

    def __init__(self, folder: Path | None) -> None:
        self._tails = Tails(folder)

    def _open(self, scene: Scene) -> None:
        from IPython.display import display

        from maggy.tracking.notebook.widget import ExperimentWidget

        self._widget: ExperimentWidget = ExperimentWidget(state=state_of(scene, "", ""))
        display(self._widget)  # type: ignore[no-untyped-call]

    def _draw(self, scene: Scene, others: Sequence[Tracking], over: str = "") -> None:
        from rich.console import Group

        views: list[Any] = [other.view for other in others if other.view is not None]
        above = bundle_of(Group(*views))["text/plain"] if views else ""
        with self._widget.hold_sync():
            self._widget.state = state_of(scene, above, over)
            self._widget.logs = self._tails.read(scene)
