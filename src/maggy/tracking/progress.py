"""Progress while an experiment runs: a live view in a terminal, a widget in a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, TextIO

from maggy.journal import Record
from maggy.tracking.lines import Lines
from maggy.tracking.notebook import in_notebook, notebook_view
from maggy.tracking.scene import Scene
from maggy.tracking.terminal import Terminal, to_terminal
from maggy.tracking.tracker import Tracking

_BURST, _REST_S = 50, 0.001  # records read at once, and the rest after them: the driver must not wait for long
_FIRST_S = 0.25  # until the first drawing
_CLEAN_S = 1.0  # to leave a terminal as it was, although somebody is in a hurry


class View(Protocol):
    """A way to show a scene. All but `say` is called in one thread.

    every_s  seconds between two drawings
    """

    every_s: float

    def begin(self, scene: Scene) -> None: ...

    def draw(self, scene: Scene, others: Sequence[Tracking]) -> None: ...

    def end(self, scene: Scene, others: Sequence[Tracking], failed: bool) -> None: ...

    def say(self, line: str) -> None: ...


class _Nothing(View):
    """Shows nothing: where the view cannot be made any more."""

    every_s = 1.0

    def begin(self, scene: Scene) -> None: ...

    def draw(self, scene: Scene, others: Sequence[Tracking]) -> None: ...

    def end(self, scene: Scene, others: Sequence[Tracking], failed: bool) -> None: ...

    def say(self, line: str) -> None: ...


class Progress:
    """Reads the journal's feed in a thread of its own and shows where the experiment stands, within a `with` block.

    scene   knows what has happened before
    feed    the records, as the journal's writer gives them
    others  trackers that may have something to show, too
    folder  where logs are; None for none
    later   make the view when there is something to show: rich takes its time to load, and workers start meanwhile.
            Not where trials print in this process: they have to find `sys.stdout` in place
    """

    def __init__(
        self,
        scene: Scene,
        feed: deque[Record],
        others: Sequence[Tracking] = (),
        folder: Path | None = None,
        *,
        later: bool = False,
    ) -> None:
        self._scene, self._feed, self._others = scene, feed, others
        self._folder, self._later = folder, later and not in_notebook()  # a cell shows what is made in its thread
        self._view: View | None = None
        self._making = threading.Lock()
        self._over = threading.Event()
        self._failed = False
        self._done = threading.Event()  # a thread that is joined counts as ended when Ctrl-C comes, before Python 3.13
        self._thread = threading.Thread(target=self._run, name="maggy-progress", daemon=True)

    def __enter__(self) -> Progress:
        self._make_view = partial(view_for, self._folder, sys.stderr, beside_a_prompt=_beside_a_prompt())
        if not self._later:
            self._made_view()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._failed = error is not None
        self._over.set()
        try:
            self._done.wait()
        except KeyboardInterrupt:
            self._done.wait(_CLEAN_S)
            raise

    def say(self, line: str) -> None:
        """Print a line above what is shown; from any thread. Nothing where it cannot be printed any more."""
        with suppress(OSError, ValueError):  # a stream that is closed costs the experiment nothing
            self._made_view().say(line)

    def _made_view(self) -> View:
        with self._making:
            if self._view is None:
                try:
                    view = self._make_view()
                    view.begin(self._scene)
                except Exception:
                    if not self._later:
                        raise
                    view = _Nothing()  # the experiment runs by now, and there is nowhere to say so
                self._view = view
            return self._view

    def _run(self) -> None:
        try:
            self._show()
        finally:
            self._done.set()

    def _show(self) -> None:
        """An error in here must not cost the experiment anything: it is said, and nothing is drawn any more."""
        works = True
        over = self._over.wait(_FIRST_S)
        view = self._made_view()
        while True:
            try:
                for number in range(1, len(self._feed) + 1):
                    record = self._feed.popleft()
                    if works:
                        self._scene.add(record)
                    if number % _BURST == 0 and not over:
                        over = self._over.wait(_REST_S)
                if works and not over:
                    view.draw(self._scene, self._others)
            except Exception as error:
                works = False
                self._broke(error)
            if over and not self._feed:  # the end may come during a rest, when some has come since the burst began
                break
            over = over or self._over.wait(view.every_s)
        try:
            view.end(self._scene, self._others if works else (), self._failed)
        except Exception as error:
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        self.say(f"the progress cannot be shown any more: {type(error).__name__}: {error}")


def view_for(folder: Path | None, stream: TextIO, *, beside_a_prompt: bool) -> View:
    """The view for where this process writes to.

    stream           what it is written to, where this is no notebook
    beside_a_prompt  whether somebody types there, whom a live view would draw over
    """
    from rich.console import Console

    if in_notebook():
        return notebook_view(folder)

    class QuietConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True  # the original sends the program's own output to nowhere, and ends it

    console = QuietConsole(file=stream, highlight=False, force_jupyter=False)
    # FORCE_COLOR and the like have rich take a file for a terminal.
    can_draw = to_terminal(stream) and console.is_terminal and not console.is_dumb_terminal
    return Terminal(console) if can_draw and not beside_a_prompt else Lines(console)


def _beside_a_prompt() -> bool:
    """Whether somebody types at a prompt of Python or IPython meanwhile."""
    return threading.current_thread() is not threading.main_thread() and hasattr(sys, "ps1")
