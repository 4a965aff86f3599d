"""One line of the journal: a checksum, then JSON.

    9b567ad3 {"n":12,"t":1763679480.123,"event":{"type":"TrialFinished","trial":3,"attempt":0,"metric":0.93}}

The checksum (CRC-32 of the JSON, eight hex digits) finds a flipped bit, which JSON alone would accept in half the
cases; a line stays readable and can be searched with everyday tools.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from maggy.brain.events import AnyEvent
from maggy.errors import JournalError


class Record(msgspec.Struct, frozen=True):
    """An event with its place and time.

    n      counts the records from 0
    t      seconds since the epoch, on the driver's clock
    event  what happened
    """

    n: int
    t: float
    event: AnyEvent


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def seal(body: bytes) -> bytes:
    """JSON as a line that shows damage."""
    return b"%08x %s\n" % (crc32(body), body)


def unseal(line: bytes) -> bytes:
    """The JSON on a line, without its line feed. Raises ValueError if the line is damaged."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % crc32(body):
        raise ValueError("its checksum does not match")
    return body


def to_line(record: Record) -> bytes:
    """The record as a line, with its line feed."""
    return seal(_encode(record))


def from_line(line: bytes, n: int) -> Record:
    """The record on a line, without its line feed.

    n  number that the record should have

    Raises JournalError for anything that `to_line` did not write as record `n`.
    """
    try:
        record = _decode(unseal(line))
    except msgspec.MsgspecError as error:
        raise JournalError(f"journal record {n} is not readable by this version of Maggy: {error}", record=n) from error
    except ValueError as error:
        raise JournalError(f"journal record {n} is damaged: {error}", record=n) from error
    if record.n != n:
        raise JournalError(f"journal record {n} is missing: record {record.n} stands in its place", record=n)
    return record
