"""Effects as a forest plot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from maggy.ablation.effect_table import base_line, confidence_of, decimals_of, has_intervals, remark, signed, title

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from maggy.ablation.effects import Effect, Effects

_ROW = 32  # pixels

_MARKS: dict[str, dict[str, Any]] = {
    "interval excludes 0": {"symbol": "diamond", "size": 11, "color": "#0072b2"},
    "interval includes 0": {"symbol": "circle-open", "size": 10, "color": "#7f7f7f"},
    "no interval": {"symbol": "x-thin-open", "size": 10, "color": "#7f7f7f"},
}


def forest(effects: Effects) -> go.Figure:
    """One row for each effect, with its interval; what the interval says is told by the shape of the mark too."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError("Effects.plot needs plotly: pip install maggy[ablation]") from error

    figure = go.Figure()
    rows = list(enumerate(effects.values()))
    for mark, marker in _MARKS.items():
        shown = [(row, effect) for row, effect in rows if effect.effect is not None and _mark(effect) == mark]
        if shown:
            figure.add_trace(
                go.Scatter(
                    name=mark,
                    mode="markers",
                    x=[effect.effect for _, effect in shown],
                    y=[row for row, _ in shown],
                    error_x=None if mark == "no interval" else _error_bars([effect for _, effect in shown]),
                    marker=marker,
                    hovertext=[_hover(effect, effects) for _, effect in shown],
                    hoverinfo="text",
                )
            )
    figure.add_vline(x=0, line={"width": 1, "color": "black"})
    for row, effect in rows:
        if effect.effect is None:
            figure.add_annotation(x=0, y=row, text=_label(effect.note), showarrow=False, bgcolor="white")
    figure.update_layout(
        title={"text": f"{_label(title(effects))}<br><sup>{_label(base_line(effects))}</sup>"},
        xaxis={
            "title": {"text": f"effect and {confidence_of(effects)}" if has_intervals(effects) else "effect"},
            "zeroline": False,
        },
        yaxis={  # rows by number: an axis of categories takes names such as "2020" for numbers
            "tickvals": [row for row, _ in rows],
            "ticktext": [_label(effect.name) for _, effect in rows],
            "range": [len(rows) - 0.5, -0.5],
            "zeroline": False,
            "automargin": True,
        },
        height=200 + _ROW * len(rows),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1, "xanchor": "right", "x": 1},
        showlegend=True,
        template="plotly_white",
    )
    return figure


def _mark(effect: Effect) -> str:
    if effect.low is None:
        return "no interval"
    return "interval excludes 0" if effect.excludes_zero else "interval includes 0"


def _error_bars(shown: list[Effect]) -> dict[str, Any]:
    ends = [(effect.effect or 0.0, effect.low or 0.0, effect.high or 0.0) for effect in shown]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - mean for mean, _, high in ends],
        "arrayminus": [mean - low for mean, low, _ in ends],
    }


def _hover(effect: Effect, effects: Effects) -> str:
    decimals = decimals_of(effects)
    lines = [
        f"<b>{_label(effect.name)}</b>",
        _label(effect.formula),
        f"effect {signed(effect.effect or 0.0, decimals)}",
    ]
    if effect.low is not None and effect.high is not None:
        lines.append(f"{confidence_of(effects)} {signed(effect.low, decimals)} to {signed(effect.high, decimals)}")
    lines += [f"{effect.pairs} pair{'' if effect.pairs == 1 else 's'}", _label(remark(effect))]
    return "<br>".join(filter(None, lines))


def _label(text: str) -> str:
    """Plotly takes some HTML for markup."""
    return escape(text, quote=False)
