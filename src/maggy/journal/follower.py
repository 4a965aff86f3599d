"""Reading a journal while it is written: what is new since the last look."""

from __future__ import annotations

from typing import NoReturn

from maggy.journal.epochs import Epoch, epochs_of
from maggy.journal.folder import ExperimentFolder
from maggy.journal.record import Record, from_line


class Voided(Exception):  # noqa: N818  it is an answer, and the next call goes on from it
    """What was read is no part of the journal any more: a driver that took over builds on fewer records, or another
    experiment has the folder now. It has to be read anew."""


class Follower:
    """Reads the journal of a folder, bit by bit.

    count  how many records it has read
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        self._place = folder.place
        self.count = self._epoch = 0
        self._offset = 0  # in the bytes of the epoch, where the next line begins
        self._experiment: str | None = None  # whose records were read

    def new(self, limit: int | None = None) -> list[Record]:
        """The records that were written since the last call, in order.

        limit  how many at most; None: all there are

        Raises Voided where a driver that took over has declared records void that were given out before, or the folder
        was removed, whether or not another experiment has been begun in its place; the next call begins with the first
        record. Raises JournalError for a journal that is damaged.
        """
        epochs = epochs_of(self._place)
        experiment = epochs[0].claim.experiment if epochs else None
        if self._experiment not in (None, experiment):
            self._begin_anew()
        self._experiment = experiment
        records: list[Record] = []
        while self._epoch < len(epochs):
            following = epochs[self._epoch + 1].claim if self._epoch + 1 < len(epochs) else None
            until = None if following is None else following.records
            if until is not None and self.count > until:
                self._begin_anew()
            self._read(epochs[self._epoch], until, records, limit)
            if until is None or self.count < until:
                break
            self._epoch, self._offset = self._epoch + 1, 0
        return records

    def _begin_anew(self) -> NoReturn:
        self.count = self._epoch = self._offset = 0
        self._experiment = None
        raise Voided

    def _read(self, epoch: Epoch, until: int | None, records: list[Record], limit: int | None) -> None:
        """Add the whole lines of an epoch from where the last call ended."""
        for line in epoch.lines(start=self._offset):
            if self.count == until or len(records) == limit:
                return
            records.append(from_line(line, self.count))
            self.count += 1
            self._offset += len(line) + 1
