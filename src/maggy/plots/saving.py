"""Figures as files."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from maggy.errors import PlotError

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PICTURES = (".png", ".svg", ".pdf", ".jpg", ".webp")


def save(figure: go.Figure, path: str | os.PathLike[str], *, scale: float = 2.0) -> Path:
    """Write a figure to a file; what kind of file, its suffix says.

    path   .html is a page that needs no network; .png, .svg, .pdf, .jpg and .webp are pictures
    scale  of a picture: how many of its pixels there are for one of the figure's

    Pictures need kaleido, and Chrome or Chromium on this machine.

    Returns the path. Raises PlotError for another suffix, or where something for a picture is missing.
    """
    path = Path(path)
    if path.suffix == ".html":
        figure.write_html(path, include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
        return path
    if path.suffix not in _PICTURES:
        raise PlotError(f"a plot is saved as .html or as {', '.join(_PICTURES)}, not as {path.suffix or path.name!r}")
    if find_spec("kaleido") is None:
        raise PlotError(f"a picture needs kaleido: pip install 'maggy[plots]'; or save {path.stem}.html")
    try:
        figure.write_image(path, scale=scale)
    except RuntimeError as error:  # of plotly, kaleido and choreographer
        said = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise PlotError(
            f"{path} needs Chrome or Chromium, which draws it ({said}). Install one, e.g. apt-get install chromium, or "
            f"say where it is: BROWSER_PATH=/path/to/chromium; or save {path.stem}.html, which needs none"
        ) from error
    return path
