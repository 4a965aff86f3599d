"""What trials reported, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle
from maggy.errors import UnknownNameError
from maggy.plots.look import BLUE, COLORS, GREY, STATES, entitle, new_figure, say_empty, show
from maggy.plots.metrics import metric_axis
from maggy.plots.thin import extremes, share, thinned
from maggy.trial import Objective, Trial, TrialState

if TYPE_CHECKING:
    import plotly.graph_objects as go

_FEW = len(COLORS)  # so many curves get a colour and a name each
_POINTS = 200  # of one curve
_WITHOUT_RESULT = (TrialState.FAILED, TrialState.LOST)


def curves(chronicle: Chronicle, *, trials: Sequence[int] | None = None, most: int = 200) -> go.Figure:
    """Learning curves.

    trials  numbers of those to be drawn; None: all that have reported something
    most    how many are drawn; the best and the worst always are

    Raises UnknownNameError for a number that no trial has.
    """
    objective = chronicle.about.objectives[0]
    figure = new_figure()
    chosen = list(chronicle.trials.values()) if trials is None else [_numbered(chronicle, each) for each in trials]
    reported = [trial for trial in chosen if trial.curve is not None and any(map(isfinite, trial.curve.values))]
    title = "Learning curves" if trials is None or len(trials) != 1 else f"Learning curve of trial {trials[0]}"
    if not reported:
        return entitle(say_empty(figure, "No trial has reported a metric on its way."), title)
    ranked = sorted(reported, key=lambda trial: (trial.state in _WITHOUT_RESULT, objective.sign * _last(trial)))
    drawn = [ranked[place] for place in thinned(len(ranked), most, [0, len(ranked) - 1])]
    if len(drawn) <= _FEW:
        for place, trial in enumerate(sorted(drawn, key=lambda trial: trial.trial_id or 0)):
            _draw(
                figure, [trial], f"trial {trial.trial_id}", COLORS[place], width=2.0, opacity=1.0, objective=objective
            )
    else:
        for state, (name, color, _) in STATES.items():
            group = [trial for trial in drawn[1:] if trial.state is state]
            tint = GREY if state is TrialState.FINISHED else color
            _draw(figure, group, name, tint, width=1.0, opacity=0.6, objective=objective)
        _draw(figure, drawn[:1], f"best: trial {drawn[0].trial_id}", BLUE, width=3.0, opacity=1.0, objective=objective)
    values = [value for trial in drawn for value in trial.metric_history if isfinite(value)]
    axis, note = metric_axis(values, objective)
    figure.update_layout(xaxis={"title": {"text": "step"}}, yaxis=axis, showlegend=True)
    return entitle(figure, title, share(len(drawn), len(ranked)), note)


def _numbered(chronicle: Chronicle, number: int) -> Trial:
    if number not in chronicle.trials:
        raise UnknownNameError("trial", number, [str(each) for each in chronicle.trials][:20])
    return chronicle.trials[number]


def _last(trial: Trial) -> float:
    return next(value for value in reversed(trial.metric_history) if isfinite(value))


def _draw(
    figure: go.Figure,
    group: Sequence[Trial],
    name: str,
    color: str,
    *,
    width: float,
    opacity: float,
    objective: Objective,
) -> None:
    """Several curves in one go, with a gap after each."""
    if not group:
        return
    x, y, numbers = list[int | None](), list[float | None](), list[str | None]()
    sizes = list[int]()
    for trial in group:
        steps, values = trial.step_history, trial.metric_history
        for place in thinned(len(values), _POINTS, [*extremes(values), len(values) - 1]):
            x.append(steps[place])
            y.append(values[place] if isfinite(values[place]) else None)
            numbers.append(f"trial {trial.trial_id}, step {steps[place]}: {show(values[place])}")
            sizes.append(0)
        sizes[-1] = 5  # a mark where it ends: a curve of one point is no line
        x.append(None)
        y.append(None)
        numbers.append(None)
        sizes.append(0)
    figure.add_scatter(
        name=name,
        mode="lines+markers",
        x=x,
        y=y,
        text=numbers,
        hoverinfo="text",
        line={"color": color, "width": width},
        marker={"color": color, "size": sizes, "line": {"width": 0}},
        opacity=opacity,
        connectgaps=False,
    )
