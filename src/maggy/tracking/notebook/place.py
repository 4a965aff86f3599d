"""A place in the output of a notebook's cell that can be drawn anew."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

_GREY = (136, 136, 136)
_RED, _GREEN, _YELLOW = (214, 69, 69), (47, 158, 95), (201, 138, 21)
_BLUE, _MAGENTA, _CYAN = (47, 126, 216), (165, 94, 196), (30, 148, 160)
_COLORS = [_GREY, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _GREY]  # legible on light and on dark pages
_TEXT_WIDTH = 100  # characters, where there is no plotly


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; a terminal's IPython is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookPlace:
    """Shows text, or a figure of plotly where that is installed, always at the same place.

    Needs no widgets: each drawing is an update of a display, with the figure as JSON for those that have a viewer for
    it and as HTML for those that have not.
    """

    def __init__(self) -> None:
        self._display_id = uuid.uuid4().hex
        self._shown = False

    def show(self, text: RenderableType, figure: Callable[[], Any] | None = None) -> None:
        """Draw.

        text    what is shown without a figure, and to readers without HTML
        figure  makes the figure; where that raises ImportError, the text is shown
        """
        bundle = bundle_of(text)
        try:
            made = None if figure is None else figure()
        except ImportError:
            made = None
        if made is not None:
            bundle["application/vnd.plotly.v1+json"] = json.loads(made.to_json())  # NaN is null there
            bundle["text/html"] = made.to_html(full_html=False, include_plotlyjs="cdn")
        _display(bundle, display_id=self._display_id, update=self._shown)
        self._shown = True


def display_text(text: RenderableType) -> None:
    """Show something that rich can print, once."""
    _display(bundle_of(text))


def bundle_of(text: RenderableType) -> dict[str, Any]:
    """Something that rich can print, as plain text and as HTML."""
    import io

    from rich.console import Console
    from rich.terminal_theme import TerminalTheme

    console = Console(
        file=io.StringIO(), width=_TEXT_WIDTH, record=True, force_jupyter=False, legacy_windows=False, color_system=None
    )
    console.print(text)
    frame = '<pre style="line-height:1.2;font-family:monospace;white-space:pre;overflow-x:auto">{code}</pre>'
    theme = TerminalTheme((255, 255, 255), (0, 0, 0), _COLORS)
    html = console.export_html(theme=theme, clear=False, inline_styles=True, code_format=frame)
    return {"text/plain": console.export_text(), "text/html": html}


def _display(bundle: dict[str, Any], **place: Any) -> None:
    from IPython.display import display

    display(bundle, raw=True, **place)  # type: ignore[no-untyped-call]
