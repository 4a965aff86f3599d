"""Who came how far in a search that gives out budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle
from maggy.errors import PlotError
from maggy.plots.look import BLUE, GREY, ORANGE, entitle, new_figure, say_empty, show
from maggy.plots.metrics import is_wide, metric_axis
from maggy.plots.thin import share, thinned
from maggy.trial import Trial

if TYPE_CHECKING:
    import plotly.graph_objects as go


def rungs(chronicle: Chronicle, *, bracket: int | None = None, most: int = 500) -> go.Figure:
    """The metric of each trial at each budget that it was given, with a line from rung to rung.

    bracket  the only one to be drawn; None: all
    most     how many trials are drawn; those that came furthest always are

    Raises PlotError if the search gives out no budgets.
    """
    figure = new_figure()
    trials = list(chronicle.trials.values())
    if trials and all(trial.budget is None for trial in trials):
        raise PlotError("the search gives out no budgets, so there are no rungs")
    objective = chronicle.about.objectives[0]
    trials = [trial for trial in trials if trial.rungs and bracket in (None, trial.bracket)]
    if not trials:
        return entitle(say_empty(figure, "No trial has come to a rung yet."), "Rungs")
    ranked = sorted(trials, key=lambda trial: (-trial.rungs[-1][0], objective.sign * trial.rungs[-1][1]))
    drawn = [
        ranked[place] for place in thinned(len(ranked), most, [*range(min(most // 2, len(ranked))), len(ranked) - 1])
    ]
    alone = [trial for trial in drawn[1:] if len(trial.rungs) == 1]
    promoted = [trial for trial in drawn[1:] if len(trial.rungs) > 1]
    _draw(figure, alone, "one rung", ORANGE, symbol="triangle-down", width=1.0, opacity=0.5)
    _draw(figure, promoted, "promoted", GREY, symbol="circle", width=1.2, opacity=0.7)
    _draw(figure, drawn[:1], f"best: trial {drawn[0].trial_id}", BLUE, symbol="circle", width=3.0, opacity=1.0)
    budgets = sorted({budget for trial in trials for budget, _ in trial.rungs})
    axis, note = metric_axis([value for trial in drawn for _, value in trial.rungs], objective)
    counts = {budget: sum(any(each == budget for each, _ in trial.rungs) for trial in trials) for budget in budgets}
    named = budgets[:: max(1, len(budgets) // 12)]
    figure.update_layout(
        xaxis={
            "title": {"text": "budget, and how many trials came to it"},
            "type": "log" if is_wide(budgets) else "linear",
            "tickvals": named,
            "ticktext": [f"{budget:g}<br>{counts[budget]:,}" for budget in named],
        },
        yaxis=axis,
        showlegend=True,
    )
    return entitle(figure, "Rungs", share(len(drawn), len(trials)), note)


def _draw(
    figure: go.Figure, group: list[Trial], name: str, color: str, *, symbol: str, width: float, opacity: float
) -> None:
    if not group:
        return
    x, y, said = list[float | None](), list[float | None](), list[str | None]()
    for trial in group:
        for budget, value in trial.rungs:
            x.append(budget)
            y.append(value)
            said.append(f"trial {trial.trial_id}, budget {budget:g}: {show(value)}")
        x.append(None)
        y.append(None)
        said.append(None)
    figure.add_scatter(
        name=name,
        mode="lines+markers",
        x=x,
        y=y,
        text=said,
        hoverinfo="text",
        line={"color": color, "width": width},
        marker={"color": color, "size": 7, "symbol": symbol},
        opacity=opacity,
    )
