"""One line of the journal: readable, and whole or refused."""

from typing import Any, get_args
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.brain.events import AnyEvent, MetricsReported, TrialFinished
from maggy.errors import JournalError
from maggy.journal.record import Record, from_line, to_line

integers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_like = st.recursive(
    st.none() | st.booleans() | integers | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
VALUES = {
    "int": integers,
    "int | None": st.none() | integers,
    "float": finite,
    "float | None": st.none() | finite,
    "str | None": st.none() | st.text(),
    "tuple[int, int] | None": st.none() | st.tuples(integers, integers),
    "str": st.text(),
    "bool": st.booleans(),
    "list[int]": st.lists(integers),
    "list[float | str]": st.lists(finite | st.sampled_from(["nan", "inf", "-inf"])),
    "dict[str, Any]": st.dictionaries(st.text(), json_like),
    "dict[str, Any] | None": st.none() | st.dictionaries(st.text(), json_like),
}


def fields_of(kind: Any) -> dict[str, st.SearchStrategy[Any]]:
    return {name: VALUES[kind.__annotations__[name]] for name in kind.__struct_fields__}


events = st.one_of(st.builds(kind, **fields_of(kind)) for kind in get_args(AnyEvent))


@given(n=st.integers(0, 10**9), t=st.floats(0, 1e10), event=events)
@settings(deadline=None)
def test_every_event_comes_back_as_it_was_written(n, t, event):
    record = Record(n, t, event)
    line = to_line(record)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert from_line(line[:-1], n) == record


def test_a_line_is_a_checksum_and_json_that_everyday_tools_can_search():
    line = to_line(Record(12, 1763679480.123, TrialFinished(trial=3, attempt=0, metric=0.93)))
    assert line == (
        b'9b567ad3 {"n":12,"t":1763679480.123,"event":{"type":"TrialFinished","trial":3,"attempt":0,"metric":0.93}}\n'
    )


def test_nan_and_infinity_are_written_as_text_and_read_as_numbers_with_float():
    event = MetricsReported(trial=0, attempt=0, steps=[1, 2, 3, 4], values=[0.5, "nan", "inf", "-inf"])
    line = to_line(Record(0, 0.0, event))
    assert b'"values":[0.5,"nan","inf","-inf"]' in line
    assert str([float(value) for value in from_line(line[:-1], 0).event.values]) == "[0.5, nan, inf, -inf]"


LINE = to_line(Record(7, 1763679480.5, TrialFinished(trial=3, attempt=0, metric=0.93, outputs={"acc": 0.93})))[:-1]


def test_every_single_flipped_bit_is_found():
    for place in range(len(LINE)):
        for bit in range(8):
            damaged = bytearray(LINE)
            damaged[place] ^= 1 << bit
            with pytest.raises(JournalError, match="journal record 7 is damaged") as caught:
                from_line(bytes(damaged), 7)
            assert caught.value.record == 7


@given(st.binary())
@settings(deadline=None)
def test_anything_else_is_no_record(line):
    with pytest.raises(JournalError) as caught:
        from_line(line, 7)
    assert caught.value.record == 7


def test_a_record_in_the_wrong_place_is_refused():
    assert from_line(LINE, 7).n == 7
    with pytest.raises(JournalError, match="journal record 6 is missing: record 7 stands in its place") as caught:
        from_line(LINE, 6)
    assert caught.value.record == 6


def test_a_record_of_a_version_with_other_events_is_not_taken_for_damage():
    body = b'{"n":0,"t":0.0,"event":{"type":"Demoted","trial":3}}'
    with pytest.raises(
        JournalError, match="record 0 is not readable by this version of Maggy: Invalid value 'Demoted'"
    ):
        from_line(b"%08x %s" % (crc32(body), body), 0)
