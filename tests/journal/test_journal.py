"""Writing a journal and reading it back, whole or not."""

from __future__ import annotations

from collections import deque

import pytest

from maggy.brain.events import Exhausted, Idled, Suggested, TrialFinished
from maggy.errors import JournalError
from maggy.journal import ExperimentFolder, JournalWriter, Record, read
from maggy.journal.record import to_line

EVENTS = [
    Suggested(ask=0, trial=0, params={"lr": 0.1, "layers": [64, 32]}),
    TrialFinished(trial=0, attempt=0, metric=0.93),
    Exhausted(ask=1),
]
SEGMENT = "journal/00000000-00000000.jsonl"
RECORDS = [Record(n, 1763679480.0 + n, event) for n, event in enumerate(EVENTS)]


@pytest.fixture
def folder(tmp_path):
    return ExperimentFolder.create(tmp_path / "run", "MNIST")


@pytest.fixture
def writer(folder):
    writer = JournalWriter(folder)
    yield writer
    writer.close()


def written(folder, *lines: bytes) -> ExperimentFolder:
    """The folder with a journal of these lines."""
    folder.write(SEGMENT, b"".join(lines))
    return folder


# --- writing


def test_what_is_flushed_is_there_for_others_and_what_is_not_is_not(folder, writer):
    writer.append(EVENTS[0], RECORDS[0].t)
    writer.append(EVENTS[1], RECORDS[1].t)
    assert list(read(folder)) == []
    writer.flush()
    assert list(read(folder)) == RECORDS[:2]
    writer.append(EVENTS[2], RECORDS[2].t)
    assert list(read(folder)) == RECORDS[:2]
    writer.flush()
    assert list(read(folder)) == RECORDS


def test_a_flush_of_nothing_writes_nothing(folder, writer):
    writer.flush()
    assert (folder.local / SEGMENT).read_bytes() == b""


def test_whoever_watches_gets_every_record_in_order(writer):
    feeds = [deque(), deque()]
    writer.feeds.extend(feeds)
    for record in RECORDS:
        writer.append(record.event, record.t)
    assert [list(feed) for feed in feeds] == [RECORDS, RECORDS]


def test_closing_writes_what_is_left(folder):
    writer = JournalWriter(folder)
    writer.append(EVENTS[0], RECORDS[0].t)
    writer.close()
    assert list(read(folder)) == RECORDS[:1]


def test_a_writer_that_would_leave_a_gap_is_refused(folder):
    with pytest.raises(ValueError, match="the next record of this journal is 0, not 5"):
        JournalWriter(folder, first=5)


# --- reading


def test_an_experiment_that_has_not_written_yet_has_no_records(folder):
    assert list(read(folder)) == []


def test_a_last_record_that_a_crash_cut_short_is_left_out_wherever_it_was_cut(folder):
    whole, last = b"".join(map(to_line, RECORDS[:2])), to_line(RECORDS[2])
    for cut in range(len(last)):
        assert list(read(written(folder, whole, last[:cut]))) == RECORDS[:2]
    assert list(read(written(folder, whole, last))) == RECORDS


def test_a_flipped_bit_anywhere_is_found(folder):
    lines = [to_line(Record(n, 0.0, Idled(ask=n))) for n in range(3)]
    journal = b"".join(lines)
    records = list(read(written(folder, journal)))
    for place in range(len(journal)):
        damaged = bytearray(journal)
        damaged[place] ^= 1 << (place % 8)
        if place == len(journal) - 1:  # without its line feed the last record looks cut short
            assert list(read(written(folder, bytes(damaged)))) == records[:2]
            continue
        with pytest.raises(JournalError) as caught:
            list(read(written(folder, bytes(damaged))))
        assert caught.value.record == place // len(lines[0])


@pytest.mark.parametrize(
    ("order", "missing"),
    [([1, 2], 0), ([0, 2], 1), ([0, 2, 1], 1), ([0, 0, 1], 1), ([0, 1, 1, 2], 2)],
)
def test_records_that_are_missing_or_out_of_place_are_an_error_with_their_number(folder, order, missing):
    records = read(written(folder, *(to_line(RECORDS[n]) for n in order)))
    with pytest.raises(JournalError, match=f"journal record {missing} is missing") as caught:
        list(records)
    assert caught.value.record == missing


def test_everything_before_the_damage_is_read(folder):
    records = read(written(folder, to_line(RECORDS[0]), b"rubbish\n", to_line(RECORDS[2])))
    assert next(records) == RECORDS[0]
    with pytest.raises(JournalError, match="journal record 1 is damaged"):
        next(records)
