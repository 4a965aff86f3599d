"""Reading a journal, while it is written or after."""

from __future__ import annotations

from collections.abc import Iterator

from maggy.journal.epochs import epochs_of, records_of
from maggy.journal.folder import ExperimentFolder
from maggy.journal.record import Record


def read(folder: ExperimentFolder) -> Iterator[Record]:
    """Every record in order, over all epochs, from where the user knows the folder to be.

    A last record that was cut short, as a crash leaves it, is left out.

    Raises JournalError, with the record's number, for any other damage.
    """
    yield from records_of(epochs_of(folder.place))
