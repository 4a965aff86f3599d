"""What figures of all charts have in common."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLORS = ("#0b559f", "#d1601a", "#2e7d32", "#8e24aa", "#6b6b6b", "#b71c1c", "#00838f", "#9e7700")
"""Of the partitions, in turn."""


def new_figure(axis: str, title: str) -> go.Figure:
    """An empty figure. Raises ImportError where plotly is not installed."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError("a figure needs plotly: pip install 'maggy[monitors]'") from error
    figure = go.Figure()
    figure.update_layout(
        title={"text": label(title), "font": {"size": 13}},
        yaxis={"title": {"text": axis}},
        height=420,
        template="plotly_white",
    )
    return figure


def label(text: str) -> str:
    """Text as it is: plotly takes some HTML for markup."""
    return escape(text, quote=False)
