"""What a journal consists of: epochs, one for each driver that has worked on the experiment.

A driver claims its epoch before it writes: `<epoch>.claim` says on how many records it builds. Its records follow in
`<epoch>-<n>.jsonl`. What an earlier driver wrote beyond that number is no part of the history: it was still running
when it was replaced, or it wrote a record by half.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from maggy.errors import JournalError
from maggy.journal.lock import driver_name
from maggy.journal.places import Place
from maggy.journal.record import Record, from_line, seal, unseal

_SEGMENT = re.compile(r"journal/(\d{8})-\d{8}\.jsonl")
_CLAIM = re.compile(r"journal/(\d{8})\.claim")


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A driver's right to write an epoch.

    epoch       counts the drivers of the experiment from 0
    records     on how many records of the epochs before it builds, so the number of its first record
    experiment  the experiment's id
    host, pid   where the driver runs
    time        when it claimed the epoch, in seconds since 1970
    """

    epoch: int
    records: int
    experiment: str
    host: str
    pid: int
    time: float

    @classmethod
    def make(cls, epoch: int, records: int, experiment: str) -> Claim:
        """A claim of this process."""
        return cls(
            epoch=epoch,
            records=records,
            experiment=experiment,
            host=socket.gethostname(),
            pid=os.getpid(),
            time=time.time(),
        )

    @property
    def name(self) -> str:
        return claim_name(self.epoch)

    def to_bytes(self) -> bytes:
        """A line like those of the journal."""
        return seal(msgspec.json.encode(self))

    def __str__(self) -> str:
        return driver_name(self.pid, self.host, self.time)


@dataclass(frozen=True)
class Epoch:
    """What one driver has written.

    segments  its parts by name, in order, with their sizes in bytes
    """

    place: Place
    claim: Claim
    segments: dict[str, int]

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Whole lines, without their line feed; what follows the last one is left out.

        start  how many bytes to skip: the end of a line
        """
        rest = b""
        for name, size in self.segments.items():
            skipped, start = min(start, size), max(0, start - size)
            if skipped == size:
                continue
            for block in self.place.blocks(name, skipped):
                *lines, rest = (rest + block).split(b"\n")
                yield from lines


def claim_name(epoch: int) -> str:
    """The file that says whose an epoch is."""
    return f"journal/{epoch:08}.claim"


def segment_name(epoch: int, n: int) -> str:
    """A part of an epoch, counted from 0."""
    return f"journal/{epoch:08}-{n:08}.jsonl"


def read_claim(place: Place, epoch: int) -> Claim | None:
    """Who has claimed an epoch, or None if nobody has.

    Raises JournalError for a damaged claim.
    """
    name = claim_name(epoch)
    try:
        data = place.read(name)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(unseal(data.removesuffix(b"\n")), type=Claim)
    except (ValueError, msgspec.MsgspecError) as error:
        raise JournalError(f"{name} is damaged: {error}") from error


def epochs_of(place: Place) -> list[Epoch]:
    """The epochs of a journal, as they are at this moment, in order.

    Raises JournalError for a claim that is damaged or missing.
    """
    names = place.sizes("journal")
    claimed = {int(match[1]) for name in names if (match := _CLAIM.fullmatch(name))}
    segments: dict[int, dict[str, int]] = {epoch: {} for epoch in claimed}
    for name, size in names.items():
        if match := _SEGMENT.fullmatch(name):
            segments.setdefault(int(match[1]), {})[name] = size
    epochs: list[Epoch] = []
    for epoch in range(max(segments, default=-1) + 1):
        claim = read_claim(place, epoch)
        if claim is None:
            raise JournalError(f"{claim_name(epoch)} is missing, and there are later records")
        least = epochs[-1].claim.records if epochs else 0
        if claim.epoch != epoch or claim.records < least:
            raise JournalError(f"{claim_name(epoch)} is damaged: it belongs to another epoch")
        epochs.append(Epoch(place, claim, segments.get(epoch, {})))
    return epochs


def records_of(epochs: Sequence[Epoch]) -> Iterator[Record]:
    """Every record in order. A last one that was cut short, as a crash leaves it, is left out.

    Raises JournalError, with the record's number, for any other damage.
    """
    n = 0
    for epoch, following in zip(epochs, [*epochs[1:], None], strict=True):
        until = None if following is None else following.claim.records
        for line in islice(epoch.lines(), None if until is None else until - n):
            yield from_line(line, n)
            n += 1
        if until is not None and n < until:
            raise JournalError(f"journal record {n} is missing: epoch {epoch.claim.epoch} ends before it", record=n)
