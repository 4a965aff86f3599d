"""Each trial as a line through its hyperparameters to its metric."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, inf, log10
from typing import TYPE_CHECKING, Any

from maggy.chronicle import Chronicle
from maggy.plots.columns import Column, columns
from maggy.plots.look import SCALE, entitle, label, new_figure, say_empty, short
from maggy.plots.metrics import better, metric_axis, objective_of, results
from maggy.plots.thin import share, thinned

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_TICKS = 12


def parallel(
    chronicle: Chronicle, *, params: Sequence[str] | None = None, objective: str | None = None, most: int = 1000
) -> go.Figure:
    """Parallel coordinates: drag along an axis to keep the trials that go through there.

    params     names of the hyperparameters, in order; None: all that differ
    objective  which one is the last axis and the colour; None: the first
    most       how many trials are drawn; the best and the worst always are

    Raises PlotError if there is no hyperparameter in which trials differ, UnknownNameError for one there is not.
    """
    chosen = objective_of(chronicle, objective)
    figure = new_figure()
    ranked = sorted(results(chronicle, chosen), key=lambda pair: chosen.sign * pair[1])
    if not ranked:
        return entitle(say_empty(figure, "No trial has a result yet."), "Parallel coordinates")
    drawn = [ranked[place] for place in thinned(len(ranked), most, [0, len(ranked) - 1])][::-1]  # the best on top
    axis, note = metric_axis([value for _, value in drawn], chosen)
    low, high = axis.get("range", (-inf, inf))
    log = axis.get("type") == "log"
    metrics = [min(max(log10(value) if log else value, low), high) for _, value in drawn]
    name = label(f"log10 {chosen.key}" if log else chosen.key)
    dimensions = [_dimension(column) for column in columns(chronicle, [trial for trial, _ in drawn], params)]
    figure.add_parcoords(
        dimensions=[*dimensions, {"label": name, "values": metrics}],
        line={
            "color": metrics,
            "colorscale": SCALE,
            "showscale": True,
            "colorbar": {"title": {"text": name}},
            "reversescale": chosen.direction == "min",
        },
    )
    figure.update_layout(margin={"l": 90, "t": 120})
    notes = f"{better(chosen)}, bright is good", share(len(drawn), len(ranked)), note
    return entitle(figure, "Parallel coordinates", *notes, "drag along an axis to choose")


def _dimension(column: Column) -> dict[str, Any]:
    places = column.places()
    there = [place for place in places if place is not None]
    if column.log:
        places = [None if place is None else log10(place) for place in places]
        there = [log10(place) for place in there]
    low, high = min(there), max(there)
    dimension: dict[str, Any] = {"label": label(column.name)}
    ticks = list[tuple[float, str]]()
    if column.choices is not None:
        step = max(1, ceil(len(column.names) / _MOST_TICKS))
        ticks = [(float(place), name) for place, name in enumerate(column.names)][::step]
        low, high = 0.0, float(len(column.names) - 1)
    elif column.log:
        ticks = [(float(power), f"{10.0**power:g}") for power in range(floor(low), ceil(high) + 1)]
        ticks = [tick for tick in ticks if low <= tick[0] <= high] or [
            (low, f"{10**low:.3g}"),
            (high, f"{10**high:.3g}"),
        ]
    if len(there) < len(places):
        absent = low - 0.12 * ((high - low) or 1.0)
        places = [absent if place is None else place for place in places]
        ticks = [(absent, "absent"), *(ticks or [(low, f"{low:.3g}"), (high, f"{high:.3g}")])]
        low = absent
    if ticks:
        dimension |= {"tickvals": [place for place, _ in ticks], "ticktext": [short(text) for _, text in ticks]}
    return {**dimension, "values": places, "range": [low, high if high > low else low + 1.0]}
