"""Which worker ran which trial when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maggy.chronicle import Chronicle, Span
from maggy.plots.look import GREY, STATES, entitle, label, lifetime, new_figure, say_empty, time_unit
from maggy.plots.thin import share, thinned
from maggy.trial import TrialState

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ROW = 22  # pixels
_MOST_WORKERS = 64
_FEW = 120  # so many bars have the number of their trial in them
_EDGE = "rgba(255,255,255,0.75)"
_IDLE = "idle"
_SET_BACK = "set back"
_SEVERAL = "several trials"


@dataclass
class _Bar:
    """What a worker did from one time to another; several spans that are too short to be told apart are one."""

    worker: int
    kind: str
    start: float
    end: float
    spans: list[Span]


def timeline(chronicle: Chronicle, *, most: int = 3000) -> go.Figure:
    """One row for each worker, one bar for each run of a trial. Where a row is pale, the worker was there and idle.

    most  how many bars are drawn; short ones are drawn together
    """
    figure = new_figure()
    began, now = lifetime(chronicle)
    unit, length = time_unit(now - began)
    if not chronicle.workers:
        return entitle(say_empty(figure, "No worker has come yet."), "Workers")
    numbers = sorted(chronicle.workers)
    shown = [numbers[place] for place in thinned(len(numbers), _MOST_WORKERS)]
    rows = {number: place for place, number in enumerate(shown)}
    there = [
        _Bar(number, "", worker.joined, now if worker.lost is None else max(worker.joined, worker.lost), [])
        for number, worker in ((number, chronicle.workers[number]) for number in shown)
    ]
    bars = _bars([span for span in chronicle.spans if span.worker in rows], now, most)
    for kind, color, pattern in _kinds():
        group = there if kind == _IDLE else [bar for bar in bars if bar.kind == kind]
        if not group:
            continue
        figure.add_bar(
            name=kind,
            orientation="h",
            y=[rows[bar.worker] for bar in group],
            base=[(bar.start - began) / length for bar in group],
            x=[(bar.end - bar.start) / length for bar in group],
            customdata=[bar.spans[0].trial if bar.spans else None for bar in group],
            marker={
                "color": color,
                "pattern": {"shape": pattern, "size": 6, "fillmode": "overlay", "fgcolor": _EDGE, "solidity": 0.25},
                "line": {"width": 0 if kind == _IDLE else 1, "color": _EDGE},
            },
            width=0.82,
            text=[_number(bar) for bar in group] if len(bars) <= _FEW else None,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            hovertext=[_said(bar, began) if bar.spans else _worker(chronicle, bar.worker) for bar in group],
            hoverinfo="text",
        )
    for driver in chronicle.drivers[1:]:
        figure.add_vline(
            x=(driver - began) / length, line={"dash": "dot", "width": 1, "color": GREY}, annotation_text="resumed"
        )
    every = max(1, len(rows) // 32)
    figure.update_layout(
        barmode="overlay",
        bargap=0,
        height=190 + max(3, len(rows)) * (_ROW if len(rows) <= _MOST_WORKERS // 2 else _ROW // 2),
        xaxis={"title": {"text": f"{unit} since the beginning"}, "rangemode": "tozero"},
        yaxis={
            "title": {"text": "worker"},
            "tickvals": list(rows.values())[::every],
            "ticktext": [str(number) for number in rows][::every],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
        },
        showlegend=True,
        uniformtext={"mode": "hide", "minsize": 9},
    )
    busy = chronicle.tally.utilisation(now)
    return entitle(
        figure,
        "Workers",
        "" if busy is None else f"busy {busy:.0%} of the time",
        share(len(shown), len(numbers), "workers"),
        "short runs are drawn together" if any(len(bar.spans) > 1 for bar in bars) else "",
    )


def _kinds() -> list[tuple[str, str, str]]:
    """Name, colour and pattern of each kind of bar."""
    looks = [(*STATES[state][:2], pattern) for state, pattern in _PATTERNS.items()]
    return [
        (_IDLE, "rgba(127,127,127,0.25)", ""),
        *looks,
        (_SET_BACK, GREY, "x"),
        (_SEVERAL, "rgba(0,114,178,0.6)", ""),
    ]


def _number(bar: _Bar) -> str:
    return str(bar.spans[0].trial) if len(bar.spans) == 1 else ""


_PATTERNS = {
    TrialState.FINISHED: "",
    TrialState.STOPPED: "/",
    TrialState.FAILED: "\\",
    TrialState.LOST: "x",
    TrialState.RUNNING: "",
}


def _kind(span: Span) -> str:
    if span.end is None:
        return STATES[TrialState.RUNNING][0]
    return _SET_BACK if span.state is None else STATES[span.state][0]


def _bars(spans: Sequence[Span], now: float, most: int) -> list[_Bar]:
    """One bar for each span; or, if there were more than `most`, one for all that begin within some time."""
    by_worker: dict[int, list[_Bar]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        end = max(span.start, now) if span.end is None else span.end
        by_worker.setdefault(span.worker, []).append(_Bar(span.worker, _kind(span), span.start, end, [span]))
    bars = [bar for row in by_worker.values() for bar in row]
    if not bars:
        return []
    length = (max(bar.end for bar in bars) - min(bar.start for bar in bars)) * len(by_worker) / most
    while len(bars) > most and length > 0:
        bars = [bar for row in by_worker.values() for bar in _joined(row, length)]
        length *= 2
    return bars


def _joined(row: list[_Bar], length: float) -> list[_Bar]:
    """The bars of one worker, joined to such as are no longer than `length`, where there is little time between."""
    joined: list[_Bar] = []
    for bar in row:
        last = joined[-1] if joined else None
        if last is not None and bar.end - last.start <= length and bar.start - last.end < length / 4:
            kind = last.kind if last.kind == bar.kind else _SEVERAL
            joined[-1] = _Bar(bar.worker, kind, last.start, max(last.end, bar.end), [*last.spans, *bar.spans])
        else:
            joined.append(bar)
    return joined


def _said(bar: _Bar, began: float) -> str:
    lasted = f"{bar.start - began:.1f} s to {bar.end - began:.1f} s"
    if len(bar.spans) > 1:
        return f"worker {bar.worker}: {len(bar.spans):,} trials<br>{lasted}"
    span = bar.spans[0]
    return f"<b>trial {span.trial}</b>, attempt {span.attempt}: {bar.kind}<br>worker {bar.worker}<br>{lasted}"


def _worker(chronicle: Chronicle, number: int) -> str:
    worker = chronicle.workers[number]
    lost = f"<br>{label(worker.reason)}" if worker.lost is not None and worker.reason else ""
    return f"worker {number} on {label(worker.host)}, process {worker.pid}{lost}"
