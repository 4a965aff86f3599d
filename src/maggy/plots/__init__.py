"""Figures of an experiment, from its chronicle: while it runs, after a crash, or of a finished folder.

Each function takes a `Chronicle` and returns a figure of plotly in the light look; `template` has the others. A figure
draws a bounded number of marks, and says in its title where that is not all. What cannot be shown yet is said in the
figure; what does not go with the experiment is a PlotError.
"""

from collections.abc import Callable
from typing import Any

from maggy.chronicle import Chronicle
from maggy.plots.curves import curves
from maggy.plots.effects import effects, is_study
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


def suitable(chronicle: Chronicle) -> list[str]:
    """Names of the plots that go with an experiment: those that have something to show, or will have."""
    about, trials = chronicle.about, chronicle.trials.values()
    names = ["history"] if about.is_search else []
    if not trials or any(trial.num_points for trial in trials):
        names.append("curves")
    if any(trial.budget is not None for trial in trials):
        names.append("rungs")
    if len(about.objectives) > 1:
        names.append("pareto")
    if is_study(about):
        names.append("effects")
    elif about.is_search:
        names += ["slices", "parallel", "importance"]
    return [*names, "timeline"]


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
    "suitable",
    "template",
    "timeline",
]
