"""What trials came to, one after the other, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from maggy.chronicle import Chronicle
from maggy.plots.look import (
    BLUE,
    COLORS,
    STATES,
    entitle,
    label,
    lifetime,
    new_figure,
    sampled,
    say_empty,
    show,
    time_unit,
)
from maggy.plots.metrics import metric_axis, objective_of, results, when_ended
from maggy.plots.thin import share, thinned
from maggy.trial import Trial, TrialState

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SYMBOLS = ("circle", "triangle-up", "square", "diamond", "star", "hexagon")


def history(
    chronicle: Chronicle, *, by: Literal["trials", "time"] = "trials", objective: str | None = None, most: int = 2000
) -> go.Figure:
    """Each trial's metric in the order in which they ended, and the best so far.

    by         what runs from left to right: how many trials have ended, or the time since the beginning
    objective  which one; None: the first
    most       how many trials are drawn; the best so far, and the worst, always are
    """
    chosen = objective_of(chronicle, objective)
    figure = new_figure()
    found = results(chronicle, chosen)
    began, now = lifetime(chronicle)
    unit, length = time_unit(now - began)
    ended = sorted(chronicle.ended, key=when_ended)
    where = {
        trial.trial_id: (number + 1 if by == "trials" else max(0.0, when_ended(trial)[0] - began) / length)
        for number, trial in enumerate(ended)
    }
    found = [pair for pair in found if pair[0].trial_id in where]
    if not found:
        return entitle(say_empty(figure, "No trial has a result yet."), "Course of the search")

    best_x, best_y, steps = list[float](), list[float](), list[int]()
    for place, (trial, value) in enumerate(found):
        if not best_y or chosen.sign * value < chosen.sign * best_y[-1]:
            best_x.append(where[trial.trial_id])
            best_y.append(value)
            steps.append(place)
    values = [value for _, value in found]
    worst = max(range(len(values)), key=lambda place: chosen.sign * values[place])
    drawn = [found[place] for place in thinned(len(found), most, [*steps[-most // 2 :], worst])]
    for name, color, symbol, group in _groups(drawn):
        figure.add_scatter(
            name=name,
            mode="markers",
            x=[where[trial.trial_id] for trial, _ in group],
            y=[value for _, value in group],
            customdata=[trial.trial_id for trial, _ in group],
            marker={"color": color, "symbol": symbol, "size": 7, "opacity": 0.75},
            hovertext=[hover_of(trial, value) for trial, value in group],
            hoverinfo="text",
        )
    best_x.append(max(where.values()))
    best_y.append(best_y[-1])
    figure.add_scatter(
        name="best so far",
        mode="lines",
        x=best_x,
        y=best_y,
        line={"shape": "hv", "color": BLUE, "width": 2.5},
        hovertemplate="best so far %{y}<extra></extra>",
    )
    failed = [trial for trial in ended if trial.state.final and not trial.state.has_result]
    _mark_failed(figure, failed, where, most)
    axis, note = metric_axis(values, chosen)
    figure.update_layout(
        xaxis={"title": {"text": "trials that have ended" if by == "trials" else f"{unit} since the beginning"}},
        yaxis=axis,
    )
    return entitle(figure, "Course of the search", share(len(drawn), len(found)), note)


def hover_of(trial: Trial, value: float) -> str:
    """What a trial's mark says."""
    lines = [f"<b>trial {trial.trial_id}</b>: {show(value)}", f"{STATES[trial.state][0]}"]
    if trial.budget is not None:
        lines.append(f"budget {trial.budget:g}")
    lines += [f"{label(name)} {label(show(each))}" for name, each in list(trial.params.items())[:12]]
    return "<br>".join(lines)


def _groups(found: list[tuple[Trial, float]]) -> list[tuple[str, str, str, list[tuple[Trial, float]]]]:
    """What is drawn alike: the trials of a rung where there are rungs, else those of a state."""
    rung_of = {trial.trial_id: trial.rung - (not trial.state.final) for trial, _ in found if trial.rung is not None}
    rungs = sorted(set(rung_of.values()))
    if rungs:
        colors = COLORS if len(rungs) <= len(COLORS) else sampled(len(rungs))
        return [
            (
                f"rung {rung}",
                colors[place],
                _SYMBOLS[place % len(_SYMBOLS)],
                [pair for pair in found if rung_of.get(pair[0].trial_id) == rung],
            )
            for place, rung in enumerate(rungs)
        ]
    grouped = [(STATES[state], [p for p in found if p[0].state is state]) for state in TrialState if state.has_result]
    return [(*look, group) for look, group in grouped if group]


def _mark_failed(figure: go.Figure, failed: list[Trial], where: dict[int | None, float], most: int) -> None:
    """They have no metric: marks along the lower edge."""
    if not failed:
        return
    drawn = [failed[place] for place in thinned(len(failed), most)]
    _, color, symbol = STATES[TrialState.FAILED]
    figure.add_scatter(
        name=f"failed or lost ({len(failed):,})",
        mode="markers",
        x=[where[trial.trial_id] for trial in drawn],
        y=[0.015] * len(drawn),
        yaxis="y2",
        customdata=[trial.trial_id for trial in drawn],
        marker={"color": color, "symbol": symbol, "size": 7},
        hovertext=[f"<b>trial {trial.trial_id}</b> {trial.state}<br>{label(trial.error or '')}" for trial in drawn],
        hoverinfo="text",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})
