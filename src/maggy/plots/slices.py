"""The metric over each hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle
from maggy.plots.columns import Column, columns
from maggy.plots.look import SCALE, entitle, label, new_figure, say_empty, short, show
from maggy.plots.metrics import better, is_wide, metric_axis, objective_of, results
from maggy.plots.thin import share, thinned
from maggy.trial import Trial

if TYPE_CHECKING:
    import plotly.graph_objects as go

_IN_A_ROW = 3


def slices(
    chronicle: Chronicle, *, params: Sequence[str] | None = None, objective: str | None = None, most: int = 1000
) -> go.Figure:
    """One small plot for each hyperparameter; the colour says how late in the search a trial ended.

    params     names of the hyperparameters, in order; None: all that differ
    objective  which one; None: the first
    most       how many trials are drawn; the best and the worst always are

    Raises PlotError if there is no hyperparameter in which trials differ, UnknownNameError for one there is not.
    """
    chosen = objective_of(chronicle, objective)
    figure = new_figure()
    found = results(chronicle, chosen)
    if not found:
        return entitle(say_empty(figure, "No trial has a result yet."), "Slices")
    ranked = sorted(range(len(found)), key=lambda place: chosen.sign * found[place][1])
    order = thinned(len(found), most, [ranked[0], ranked[-1]])
    drawn = [found[place] for place in order]
    shown = columns(chronicle, [trial for trial, _ in drawn], params)
    width = 2 if len(shown) == 4 else min(len(shown), _IN_A_ROW)
    height = ceil(len(shown) / width)
    figure.set_subplots(
        rows=height, cols=width, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.3 / height
    )
    axis, note = metric_axis([value for _, value in drawn], chosen)
    for number, column in enumerate(shown):
        row, place = divmod(number, width)
        there = [(at, index) for index, at in enumerate(column.places()) if at is not None]
        figure.add_scatter(
            name=column.name,
            mode="markers",
            x=[at for at, _ in there],
            y=[drawn[index][1] for _, index in there],
            customdata=[drawn[index][0].trial_id for _, index in there],
            hovertext=[_hover(*drawn[index], column, index) for _, index in there],
            hoverinfo="text",
            marker={
                "color": [order[index] + 1 for _, index in there],
                "coloraxis": "coloraxis",
                "size": 6,
                "opacity": 0.75,
            },
            row=row + 1,
            col=place + 1,
        )
        figure.update_xaxes(
            title_text=label(column.name), type="log" if column.log else "linear", row=row + 1, col=place + 1
        )
        if column.choices is not None:
            figure.update_xaxes(
                tickvals=list(range(len(column.names))),
                ticktext=[short(name) for name in column.names],
                range=[-0.5, len(column.names) - 0.5],
                row=row + 1,
                col=place + 1,
            )
        elif column.log and is_wide([at for at, _ in there]):
            figure.update_xaxes(dtick=1, row=row + 1, col=place + 1)
        title = {"text": label(chosen.key)} if place == 0 else None
        figure.update_yaxes(**{**axis, "title": title}, row=row + 1, col=place + 1)
    figure.update_layout(
        height=110 + 290 * height,
        showlegend=False,
        coloraxis={"colorscale": SCALE, "colorbar": {"title": {"text": "trials<br>ended"}}},
    )
    return entitle(figure, "Slices", better(chosen), share(len(drawn), len(found)), note)


def _hover(trial: Trial, value: float, column: Column, index: int) -> str:
    return f"<b>trial {trial.trial_id}</b>: {show(value)}<br>{label(column.name)} {label(show(column.values[index]))}"
