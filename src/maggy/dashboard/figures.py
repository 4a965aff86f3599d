"""The plots of an experiment as JSON, made again only when there is something new, and not all the time."""

from __future__ import annotations

import re
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec

from maggy.chronicle import Chronicle
from maggy.dashboard.reading import Reading
from maggy.errors import MaggyError
from maggy.plots import PLOTS, suitable, template

_KEPT = 64
_REST = 10  # a plot is drawn again after so many times the time that it took
_LABELS = {
    "history": "Course of the search",
    "curves": "Learning curves",
    "rungs": "Rungs",
    "parallel": "Parallel coordinates",
    "slices": "Slices",
    "importance": "Importance",
    "pareto": "Pareto front",
    "timeline": "Workers over time",
    "effects": "Effects",
}


@dataclass(frozen=True)
class _Drawn:
    again_at: float
    body: bytes
    tag: str


class Figures:
    """Draws plots and keeps the last ones."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], _Drawn] = {}
        self._drawing = threading.Lock()  # one at a time: they are all computation

    def of(self, reading: Reading[Chronicle], name: str, theme: str) -> tuple[bytes, str]:
        """A plot as JSON, `{figure, summary}` or `{error}`, and a tag that changes with it."""
        key = (reading.url, name, theme)
        with self._drawing:
            kept = self._kept.get(key)
            if kept is not None and (kept.tag == reading.tag or time.monotonic() < kept.again_at):
                return kept.body, kept.tag
            began = time.monotonic()
            # What has ended changes no more, and others need not wait for the drawing.
            over = reading.whole and reading.book is not None and reading.book.tally.ending is not None
            with nullcontext() if over else reading.lock:
                tag = reading.tag
                body = _draw(reading, name, "dark" if theme == "dark" else "light")
            now = time.monotonic()
            self._kept.pop(key, None)
            self._kept[key] = _Drawn(now + _REST * (now - began), body, tag)
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
            return body, tag


def names(chronicle: Chronicle) -> list[dict[str, str]]:
    """The plots that go with an experiment."""
    return [{"name": name, "label": _LABELS.get(name, name)} for name in suitable(chronicle)]


def _draw(reading: Reading[Chronicle], name: str, theme: Literal["light", "dark"]) -> bytes:
    chronicle = cast(Chronicle, reading.book)
    try:
        figure = PLOTS[name](chronicle)
        figure.update_layout(template=template(theme, transparent=True))
        title = figure.layout.title.text or _LABELS.get(name, name)
        figure.update_layout(title_text=None, margin={"t": 28})
        drawn = msgspec.Raw(figure.to_json().encode())
    except MaggyError as error:
        return msgspec.json.encode({"error": str(error)})
    except Exception as error:  # a plot that fails costs no other
        return msgspec.json.encode({"error": f"this plot cannot be drawn: {type(error).__name__}: {error}"})
    head, _, note = title.partition("<br>")
    said = {"title": _plain(head), "note": _plain(note), "summary": _summary(chronicle)}
    return msgspec.json.encode({"said": said, "figure": drawn})


def _plain(markup: str) -> str:
    """Text without plotly's markup."""
    from html import unescape

    return unescape(re.sub(r"<[^>]*>", "", markup)).strip()


def _summary(chronicle: Chronicle) -> str:
    """What somebody is told who does not see the plot."""
    tally: Any = chronicle.tally
    best = ""
    if tally.best is not None:
        best = f" The best {chronicle.about.objectives[0].key} is {tally.best:.5g}, of trial {tally.best_trial}."
    return f"{tally.ended:,} of at most {tally.num_trials:,} trials have ended.{best}"
