"""Figures of an experiment, from its chronicle: while it runs, after a crash, or of a finished folder.

Each function takes a `Chronicle` and returns a figure of plotly in the light look; `template` has the others. A figure
draws a bounded number of marks, and says in its title where that is not all. What cannot be shown yet is said in the
figure; what does not go with the experiment is a PlotError.
"""

from collections.abc import Callable
from typing import Any

from maggy.plots.curves import curves
from maggy.plots.effects import effects
from maggy.plots.history import history
from maggy.plots.importance import Importances, importance, importances
from maggy.plots.look import template
from maggy.plots.parallel import parallel
from maggy.plots.pareto import pareto
from maggy.plots.rungs import rungs
from maggy.plots.saving import save
from maggy.plots.slices import slices
from maggy.plots.timeline import timeline

PLOTS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (history, curves, rungs, parallel, slices, importance, pareto, timeline, effects)
}
"""Every plot by its name."""

__all__ = [
    "PLOTS",
    "Importances",
    "curves",
    "effects",
    "history",
    "importance",
    "importances",
    "parallel",
    "pareto",
    "rungs",
    "save",
    "slices",
    "template",
    "timeline",
]
