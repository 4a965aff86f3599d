"""The plots of a result, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from maggy import plots
from maggy.chronicle import Chronicle
from maggy.errors import did_you_mean


class Plots:
    """Every plot of `maggy.plots` as a method: `result.plot.history()` is `maggy.plots.history(chronicle)`.

    Each returns a figure of plotly, and takes the options that it takes there.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle

    def __getattr__(self, name: str) -> Callable[..., Any]:
        draw = plots.PLOTS.get(name)
        if draw is None:
            raise AttributeError(
                f"there is no plot {name!r}.{did_you_mean(name, plots.PLOTS, n=1)} There are {', '.join(plots.PLOTS)}"
            )

        @wraps(draw)
        def drawn(**options: Any) -> Any:
            return draw(self._chronicle, **options)

        return drawn

    def __dir__(self) -> list[str]:
        return [*plots.PLOTS, "save"]

    def save(self, name: str, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a plot to a file, a page that needs no network (.html) or a picture (.png, .svg, .pdf).

        name     of the plot
        options  of the plot

        Returns the path. Raises AttributeError for a plot that there is not, PlotError as `maggy.plots.save` does.
        """
        return plots.save(getattr(self, name)(**options), path)
