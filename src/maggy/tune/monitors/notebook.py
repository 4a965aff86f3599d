"""A place in the output of a notebook's cell that can be drawn anew."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

_TEXT_WIDTH = 100  # characters, where there is no plotly


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; a terminal's IPython is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookPlace:
    """Shows a figure of plotly, or text where plotly is not installed, always at the same place.

    Needs no widgets: each drawing is an update of a display, with the figure as JSON for those that have a viewer for
    it and as HTML for those that have not.
    """

    def __init__(self) -> None:
        self._display_id = uuid.uuid4().hex
        self._shown = False

    def show(self, figure: Callable[[], Any], text: RenderableType) -> None:
        """Draw.

        figure  makes the figure
        text    what is shown where that raises ImportError
        """
        from IPython.display import display

        bundle = _as_text(text)
        try:
            made = figure()
        except ImportError:
            pass
        else:
            bundle["application/vnd.plotly.v1+json"] = json.loads(made.to_json())  # NaN is null there
            bundle["text/html"] = made.to_html(full_html=False, include_plotlyjs="cdn")
        display(bundle, raw=True, display_id=self._display_id, update=self._shown)  # type: ignore[no-untyped-call]
        self._shown = True


def _as_text(text: RenderableType) -> dict[str, Any]:
    """For readers without HTML too."""
    import io

    from rich.console import Console

    console = Console(
        file=io.StringIO(), width=_TEXT_WIDTH, record=True, force_jupyter=False, legacy_windows=False, color_system=None
    )
    console.print(text)
    frame = '<pre style="line-height:1.2;font-family:monospace">{code}</pre>'
    html = console.export_html(clear=False, inline_styles=True, code_format=frame)
    return {"text/plain": console.export_text(), "text/html": html}
