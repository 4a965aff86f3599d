"""Each trial as a line through its hyperparameters to its metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log10
from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle
from maggy.plots.columns import Column, columns
from maggy.plots.history import hover_of
from maggy.plots.look import GREY, SCALE, entitle, label, new_figure, sampled, say_empty, short
from maggy.plots.metrics import better, metric_axis, objective_of, results
from maggy.plots.thin import share, thinned

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLORS = 12  # lines are drawn in so many, worst to best
_MOST_TICKS = 12
_ABSENT = -0.1  # below the axis


@dataclass(frozen=True)
class _Axis:
    """An upright axis.

    places  where each trial goes through, 0 at the bottom and 1 at the top
    ticks   places, and what is written there
    """

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def parallel(
    chronicle: Chronicle, *, params: Sequence[str] | None = None, objective: str | None = None, most: int = 500
) -> go.Figure:
    """Parallel coordinates: a line for each trial, the best ones on top.

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
    drawn = [ranked[place] for place in thinned(len(ranked), most, [0, len(ranked) - 1])]
    scale, note = metric_axis([value for _, value in drawn], chosen)
    low, high = scale.get("range", (-inf, inf))
    metrics = [min(max(value, low), high) for _, value in drawn]
    shown = columns(chronicle, [trial for trial, _ in drawn], params)
    axes = [_axis(each.name, each.places(), each.log, each) for each in shown]
    axes.append(_axis(chosen.key, metrics, scale.get("type") == "log", None))
    goodness = [1 - place if chosen.direction == "min" else place for place in axes[-1].places]
    for number, color in enumerate(sampled(_COLORS)):
        bin_ = [n for n, good in enumerate(goodness) if min(_COLORS - 1, int(good * _COLORS)) == number]
        if bin_:
            figure.add_scatter(
                mode="lines",
                x=[x for _ in bin_ for x in [*range(len(axes)), None]],
                y=[y for n in bin_ for y in [*(axis.places[n] for axis in axes), None]],
                line={"color": color, "width": 1.3},
                opacity=0.6,
                hoverinfo="skip",
            )
    figure.add_scatter(
        mode="markers",
        x=[len(axes) - 1] * len(drawn),
        y=axes[-1].places,
        customdata=[trial.trial_id for trial, _ in drawn],
        marker={"color": goodness, "colorscale": SCALE, "cmin": 0, "cmax": 1, "size": 7},
        hovertext=[hover_of(trial, value) for trial, value in drawn],
        hoverinfo="text",
    )
    _draw_axes(figure, axes)
    figure.update_layout(showlegend=False, margin={"l": 40, "r": 70, "b": 24})
    notes = f"{better(chosen)}, bright is good", share(len(drawn), len(ranked)), note
    return entitle(figure, "Parallel coordinates", *notes)


def _axis(name: str, values: Sequence[float | None], log: bool, column: Column | None) -> _Axis:
    scaled = [None if value is None else log10(value) if log else value for value in values]
    there = [value for value in scaled if value is not None]
    low, high = min(there), max(there)
    if column is not None and column.choices is not None:
        low, high = 0.0, float(len(column.names) - 1)
        every = max(1, ceil(len(column.names) / _MOST_TICKS))
        ticks = [(float(place), choice) for place, choice in enumerate(column.names)][::every]
    elif log:
        powers = [float(power) for power in range(ceil(low), floor(high) + 1)]
        ticks = [(power, f"{10**power:g}") for power in powers] if len(powers) > 1 else []
    else:
        ticks = []
    if not ticks and high - low <= _MOST_TICKS and all(float(value).is_integer() for value in there):
        ticks = [(float(at), str(at)) for at in range(int(low), int(high) + 1)]
    ticks = ticks or [(at, f"{10**at if log else at:.3g}") for at in (low, (low + high) / 2, high)]
    width = (high - low) or 1.0
    places = [_ABSENT if value is None else (value - low) / width for value in scaled]
    marks = [((at - low) / width, text) for at, text in ticks]
    if len(there) < len(scaled):
        marks.append((_ABSENT, "absent"))
    return _Axis(name, places, marks)


def _draw_axes(figure: go.Figure, axes: Sequence[_Axis]) -> None:
    for number, axis in enumerate(axes):
        figure.add_shape(
            type="line", x0=number, x1=number, y0=0, y1=1, line={"width": 1.5, "color": GREY}, layer="above"
        )
        for at, text in axis.ticks:
            figure.add_annotation(
                x=number, y=at, text=short(text), showarrow=False, xanchor="left", xshift=5, font={"size": 11}
            )
    figure.update_layout(
        xaxis={
            "tickvals": list(range(len(axes))),
            "ticktext": [label(axis.name) for axis in axes],
            "side": "top",
            "ticks": "",
            "showgrid": False,
            "range": [-0.05, len(axes) - 0.75],
        },
        yaxis={"visible": False, "range": [_ABSENT - 0.05, 1.05]},
    )
