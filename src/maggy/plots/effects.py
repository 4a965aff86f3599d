"""What the components of an ablation study contribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.ablation import Effects
from maggy.ablation.plan import design_of, metrics_of
from maggy.chronicle import Chronicle
from maggy.errors import PlotError
from maggy.plots.look import entitle, new_figure, say_empty

if TYPE_CHECKING:
    import plotly.graph_objects as go


def effects(chronicle: Chronicle) -> go.Figure:
    """Each component's effect with its interval.

    Raises PlotError if the experiment is no ablation study.
    """
    if chronicle.about.kind != "AblationConfig":
        raise PlotError("effects are those of an ablation study, and this experiment is none")
    if not chronicle.ended:
        return entitle(say_empty(new_figure(), "No trial has ended yet."), "Effects")
    config = chronicle.about.raw["config"]
    metrics, missing = metrics_of(chronicle.ended)
    objective = chronicle.about.objectives[0]
    return Effects(
        design_of(chronicle.ended),
        metrics,
        direction=objective.direction,
        missing=missing,
        metric=objective.key,
        confidence=config.get("confidence", 0.95),
        simultaneous=config.get("simultaneous", False),
    ).plot()
