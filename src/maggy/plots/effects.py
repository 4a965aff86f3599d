"""What the components of an ablation study contribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.ablation import Effects
from maggy.ablation.components import Design
from maggy.ablation.plan import design_of, metrics_of
from maggy.chronicle import About, Chronicle
from maggy.errors import PlotError
from maggy.plots.look import GREY, entitle, new_figure, say_empty, template

if TYPE_CHECKING:
    import plotly.graph_objects as go


def is_study(about: About) -> bool:
    """Whether the experiment is an ablation study."""
    return "ablation_study" in about.raw["config"]


def effects_of(chronicle: Chronicle) -> Effects:
    """What the trials of a study that have ended tell of its components."""
    about, trials = chronicle.about, [trial for trial in chronicle.ended if trial.state.final]
    design, config = about.raw.get("design"), about.raw["config"]
    metrics, missing = metrics_of(trials)
    return Effects(
        design_of(trials) if design is None else Design.from_dict(design),
        metrics,
        direction=about.objectives[0].direction,
        missing=missing,
        metric=about.objectives[0].key,
        confidence=config["confidence"],
        simultaneous=config["simultaneous"],
    )


def effects(chronicle: Chronicle) -> go.Figure:
    """Each component's effect with its interval.

    Raises PlotError if the experiment is no ablation study.
    """
    if not is_study(chronicle.about):
        raise PlotError("effects are those of an ablation study, and this experiment is none")
    figure = new_figure()
    if not any(trial.state.final for trial in chronicle.ended):
        return entitle(say_empty(figure, "No trial has ended yet."), "Effects")
    figure = effects_of(chronicle).plot()
    figure.update_layout(template=template())
    figure.update_shapes(line_color=GREY)  # black is no colour for dark pages
    figure.update_annotations(bgcolor=None)
    return figure
