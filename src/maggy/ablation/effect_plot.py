"""Effects as a forest plot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from maggy.ablation.effect_table import base_line, confidence_of, decimals_of, remark, signed, title

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from maggy.ablation.effects import Effect, Effects

_ROW = 32  # pixels
_MARKS: dict[bool, tuple[str, dict[str, Any]]] = {
    True: ("interval excludes 0", {"symbol": "diamond", "size": 11, "color": "#0b559f"}),
    False: ("not told apart from 0", {"symbol": "circle-open", "size": 10, "color": "#6b6b6b"}),
}


def forest(effects: Effects) -> go.Figure:
    """One row for each effect, with its interval; those that exclude 0 have a mark of their own."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError("Effects.plot needs plotly: pip install maggy[ablation]") from error

    figure = go.Figure()
    for clear, (legend, marker) in _MARKS.items():
        shown = [effect for effect in effects.values() if effect.effect is not None and effect.excludes_zero == clear]
        if shown:
            figure.add_trace(
                go.Scatter(
                    name=legend,
                    mode="markers",
                    x=[effect.effect for effect in shown],
                    y=[_label(effect.name) for effect in shown],
                    error_x=_error_bars(shown),
                    marker=marker,
                    hovertext=[_hover(effect, effects) for effect in shown],
                    hoverinfo="text",
                )
            )
    for effect in effects.values():
        if effect.effect is None:
            text = _label(effect.note)
            figure.add_annotation(x=0, y=_label(effect.name), text=text, showarrow=False, font={"color": "#6b6b6b"})
    figure.add_vline(x=0, line={"width": 1, "color": "black"})
    names = [_label(effect.name) for effect in effects.values()]
    figure.update_layout(
        title={"text": f"{_label(title(effects))}<br><sup>{_label(base_line(effects))}</sup>"},
        xaxis={"title": {"text": f"effect, with its {confidence_of(effects)}"}, "zeroline": False},
        yaxis={  # of names alone, even where these are numbers or dates
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "range": [len(names) - 0.5, -0.5],
            "automargin": True,
        },
        height=200 + _ROW * len(names),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1, "xanchor": "right", "x": 1},
        showlegend=True,
        template="plotly_white",
    )
    return figure


def _error_bars(shown: list[Effect]) -> dict[str, Any]:
    ends = [(effect.effect or 0.0, effect.low, effect.high) for effect in shown]
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if high is None else high - mean for mean, _, high in ends],
        "arrayminus": [0.0 if low is None else mean - low for mean, low, _ in ends],
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
