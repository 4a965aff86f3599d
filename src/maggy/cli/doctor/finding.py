"""What a look at something has found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass
class Finding:
    """One line of the report.

    what    it is about, e.g. "Java"
    advice  what to do about it; "" where all is well
    """

    what: str
    level: Level
    says: str
    advice: str = ""


@dataclass
class Findings:
    """The report as it grows.

    show  called with each line as it comes: some looks take seconds
    """

    show: Callable[[Finding], None]
    found: list[Finding] = field(default_factory=list)

    def add(self, what: str, level: Level, says: str, advice: str = "") -> None:
        """Add a line."""
        finding = Finding(what, level, says, advice if level != "ok" else "")
        self.found.append(finding)
        self.show(finding)

    @contextmanager
    def looking(self, what: str, level: Level, advice: str) -> Iterator[None]:
        """Have an error within the block be a line, with this level and advice."""
        try:
            yield
        except Exception as error:  # whatever breaks here is what was looked for
            text = str(error).strip() or type(error).__name__
            self.add(what, level, text if isinstance(error, OSError) else f"{type(error).__name__}: {text}", advice)
