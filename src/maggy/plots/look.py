"""How every figure looks, and what figures have in common."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Literal

from maggy.chronicle import Chronicle
from maggy.errors import PlotError
from maggy.trial import TrialState

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]

BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY = "#0072b2", "#d55e00", "#009e73", "#b0599a", "#a6761d", "#7f7f7f"
COLORS = [BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY]
"""Told apart by the colour-blind, and readable on white and on near black (Okabe and Ito 2008, two of them darker)."""

_LONGEST = 16  # characters

SCALE = ["#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#9bc63b"]
"""From low to high: Viridis without its ends, which are lost on near black and on white."""

STATES: dict[TrialState, tuple[str, str, str]] = {
    TrialState.FINISHED: ("finished", BLUE, "circle"),
    TrialState.STOPPED: ("stopped early", ORANGE, "triangle-down"),
    TrialState.FAILED: ("failed", PURPLE, "x"),
    TrialState.LOST: ("lost with its worker", BROWN, "cross"),
    TrialState.RUNNING: ("running", GREEN, "circle-open"),
    TrialState.STOPPING: ("stopping", GREEN, "triangle-down-open"),
    TrialState.PENDING: ("waiting", GREY, "circle-open"),
}
"""What a state is called, its colour and its mark: what a colour says is told by a shape or a name too."""

_INKS: dict[Theme, tuple[str, str, str, str]] = {  # text, paper, grid, lines
    "light": ("#1f2328", "#ffffff", "#e4e7eb", "#8c959f"),
    "dark": ("#e6edf3", "#0d1117", "#2b323b", "#6e7681"),
}


def new_figure() -> go.Figure:
    """An empty figure with the look for light pages. Raises PlotError where plotly is not installed."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise PlotError("a plot needs plotly: pip install 'maggy[plots]'") from error
    return go.Figure(layout={"template": template(), "height": 440})


def template(theme: Theme = "light", *, transparent: bool = False) -> go.layout.Template:
    """The look. `figure.update_layout(template=template("dark", transparent=True))` gives it to a figure.

    transparent  whether the page that holds the figure shows through
    """
    import plotly.graph_objects as go

    text, paper, grid, line = _INKS[theme]
    behind_text = f"rgba({','.join(str(int(paper[at : at + 2], 16)) for at in (1, 3, 5))},0.7)"
    if transparent:
        paper = "rgba(0,0,0,0)"
    axis = {
        "gridcolor": grid,
        "linecolor": line,
        "zeroline": False,
        "automargin": True,
        "ticks": "outside",
        "tickcolor": line,
        "exponentformat": "power",
        "minexponent": 6,
        "separatethousands": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": text},
            "title": {"font": {"size": 16}, "x": 0, "xref": "paper", "yref": "container", "y": 0.96, "yanchor": "top"},
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "colorway": COLORS,
            "margin": {"l": 64, "r": 24, "t": 92, "b": 56},
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom"},
            "hoverlabel": {"align": "left"},
            "annotationdefaults": {"bgcolor": behind_text},
            "hovermode": "closest",
            "bargap": 0.25,
        },
    )


def entitle(figure: go.Figure, title: str, *notes: str) -> go.Figure:
    """Give a figure its title, and below it what the reader has to know; returns the figure."""
    note = "; ".join(filter(None, notes))
    text = f"{label(title)}<br><sup>{label(note)}</sup>" if note else label(title)
    figure.update_layout(title_text=text)
    return figure


def say_empty(figure: go.Figure, text: str) -> go.Figure:
    """Say in the middle of a figure why there is nothing in it yet; returns the figure."""
    figure.add_annotation(text=label(text), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    figure.update_layout(xaxis_visible=False, yaxis_visible=False)
    return figure


def lifetime(chronicle: Chronicle) -> tuple[float, float]:
    """When the experiment began, and when it was last heard of, in seconds since the epoch."""
    began = chronicle.drivers[0] if chronicle.drivers else 0.0
    return began, max(began, chronicle.last_t or began)


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit in which a time is told, and how many seconds it has."""
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 3 * length:
            return unit, length
    return "seconds", 1.0


def sampled(count: int) -> list[str]:
    """So many colours of `SCALE`, at least 2, from low to high."""
    from plotly.colors import sample_colorscale

    colors: list[str] = sample_colorscale(SCALE, [number / (count - 1) for number in range(count)])
    return colors


def label(text: object) -> str:
    """Text as it is: plotly takes some HTML for markup."""
    return escape(str(text), quote=False)


def short(text: object) -> str:
    """Text for a tick of an axis: its beginning and its end."""
    text = str(text)
    return label(text if len(text) <= _LONGEST else f"{text[:8]}…{text[-7:]}")


def show(value: Any) -> str:
    """A value in a few characters."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
