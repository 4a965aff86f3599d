"""Reading a journal, while it is written or after."""

from __future__ import annotations

from collections.abc import Iterator

from maggy.journal.folder import ExperimentFolder
from maggy.journal.record import Record, from_line


def read(folder: ExperimentFolder) -> Iterator[Record]:
    """Every record in order.

    A last line that was cut short, as a crash leaves it, is left out.

    Raises JournalError, with the record's number, for any other damage.
    """
    rest, n = b"", 0
    for segment in folder.segments():
        *lines, rest = (rest + segment).split(b"\n")
        for line in lines:
            yield from_line(line, n)
            n += 1
