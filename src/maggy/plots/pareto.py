"""Two objectives, and the trials that no other beats in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle
from maggy.errors import PlotError
from maggy.front import front_of
from maggy.plots.history import hover_of
from maggy.plots.look import BLUE, GREY, entitle, label, new_figure, say_empty
from maggy.plots.metrics import metric_axis, metric_of, objective_of
from maggy.plots.thin import share, thinned
from maggy.trial import Trial

if TYPE_CHECKING:
    import plotly.graph_objects as go


def pareto(chronicle: Chronicle, *, objectives: tuple[str, str] | None = None, most: int = 2000) -> go.Figure:
    """Every trial by two of its objectives, and the front: the trials that no other beats in all objectives.

    objectives  keys of the two that are drawn; None: the first two
    most        how many trials are drawn beside the front

    Raises PlotError if there is one objective only, UnknownNameError for one that there is not.
    """
    everything = chronicle.about.objectives
    if len(everything) < 2:
        raise PlotError(f"a front needs two objectives, and there is one: {everything[0].key!r}")
    across, up = (objective_of(chronicle, key) for key in objectives or (everything[0].key, everything[1].key))
    figure = new_figure()
    points = list[tuple[Trial, dict[str, float]]]()
    for trial in chronicle.trials.values():
        values = {each.key: metric_of(trial, chronicle, each) for each in everything}
        if all(value is not None for value in values.values()):
            points.append((trial, {key: float(value) for key, value in values.items() if value is not None}))
    if not points:
        return entitle(say_empty(figure, "No trial has a result in every objective yet."), "Pareto front")
    front = front_of([tuple(each.sign * values[each.key] for each in everything) for _, values in points])
    on_it = set(front)
    others = [point for place, point in enumerate(points) if place not in on_it]
    drawn = [others[place] for place in thinned(len(others), most)]
    best = sorted((points[place] for place in front), key=lambda point: point[1][across.key])
    for name, color, symbol, mode, group in (
        ("beaten by another", GREY, "circle-open", "markers", drawn),
        ("front", BLUE, "diamond", "lines+markers" if len(everything) == 2 else "markers", best),
    ):
        shape = "hv" if across.direction == "min" else "vh"  # what is reached so far, seen from the good end
        figure.add_scatter(
            name=f"{name} ({len(group):,})" if name == "front" else name,
            mode=mode,
            x=[values[across.key] for _, values in group],
            y=[values[up.key] for _, values in group],
            customdata=[trial.trial_id for trial, _ in group],
            marker={"color": color, "symbol": symbol, "size": 7 if name != "front" else 10},
            line={"shape": shape, "dash": "dot", "color": color},
            hovertext=[hover_of(trial, values[across.key]) for trial, values in group],
            hoverinfo="text",
        )
    axes = [metric_axis([values[each.key] for _, values in points], each)[0] for each in (across, up)]
    figure.update_layout(xaxis=axes[0], yaxis=axes[1], showlegend=True)
    more = [each.key for each in everything if each not in (across, up)]
    return entitle(
        figure,
        "Pareto front",
        share(len(drawn) + len(best), len(points)),
        f"the front counts {label(', '.join(more))} too" if more else "",
    )
