"""The widget; imported only where anywidget is installed."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class ExperimentWidget(anywidget.AnyWidget):
    """Shows an experiment in a page, from `state` (see `state_of`) and `logs` (lines by whose they are).

    Nothing comes back from the page: while a cell waits for its experiment, the kernel reads no messages.
    """

    _esm = _HERE / "widget.js"
    _css = _HERE / "widget.css"
    state = traitlets.Dict().tag(sync=True)
    logs = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        return "Maggy's live view, which needs a front end with widgets. The summary follows at the end."
