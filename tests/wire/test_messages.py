"""What travels is typed: it comes back as it was sent, or not at all."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.wire.messages import (
    UNREADABLE,
    CheckpointSaved,
    Enlisted,
    Finished,
    FromDriver,
    Heartbeat,
    Metrics,
    Place,
    Ready,
    RunTrial,
    SupervisorHello,
    ToDriver,
    WorkerHello,
    decode_from_driver,
    decode_to_driver,
    encode,
)

integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
json_like = st.recursive(
    st.none() | st.booleans() | integers | floats | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
VALUES = {
    "bool": st.booleans(),
    "int": integers,
    "int | None": st.none() | integers,
    "float": floats,
    "str": st.text(),
    "bytes": st.binary(),
    "list[int]": st.lists(integers),
    "list[float]": st.lists(floats),
    "list[str]": st.lists(st.text()),
    "list[float | str]": (parts := st.lists(floats | st.text())),
    "list[list[float | str]]": st.lists(parts),
    "Place | None": st.none() | st.builds(Place, integers, integers, integers, integers),
    "dict[str, Any]": st.dictionaries(st.text(), json_like),
    "dict[str, Any] | None": st.none() | st.dictionaries(st.text(), json_like),
    "str | None": st.none() | st.text(),
    "CheckpointSaved | None": st.none()
    | st.builds(CheckpointSaved, integers, integers, integers, st.none() | integers, integers, floats),
}


def any_of(union: Any) -> st.SearchStrategy[Any]:
    """Any message of a union, with any content."""
    return st.one_of(
        st.builds(kind, **{name: VALUES[kind.__annotations__[name]] for name in kind.__struct_fields__})
        for kind in get_args(union)
    )


@given(any_of(ToDriver))
@settings(deadline=None)
def test_every_message_to_the_driver_comes_back_as_it_was_sent(message):
    assert decode_to_driver(encode(message)) == message


@given(any_of(FromDriver))
@settings(deadline=None)
def test_every_message_from_the_driver_comes_back_as_it_was_sent(message):
    assert decode_from_driver(encode(message)) == message


def test_nan_and_infinity_are_points_like_others():
    sent = Metrics(0, 0, [1, 2, 3], [float("nan"), float("inf"), float("-inf")])
    assert str(decode_to_driver(encode(sent)).values) == "[nan, inf, -inf]"


def test_a_message_is_an_array_that_begins_with_its_name():
    assert msgspec.msgpack.decode(encode(Metrics(3, 0, [1, 2], [0.5, 0.25]))) == [
        "Metrics", 3, 0, [1, 2], [0.5, 0.25], None,
    ]  # fmt: skip


@given(st.binary())
@settings(deadline=None)
def test_bytes_that_are_no_message_are_refused(body):
    with pytest.raises(UNREADABLE):
        decode_to_driver(body)


@given(any_of(ToDriver), st.data())
@settings(deadline=None)
def test_a_damaged_message_is_read_as_some_message_or_refused(message, data):
    body = bytearray(encode(message))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(decode_to_driver(bytes(body)), ToDriver)
    except UNREADABLE:
        pass


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(encode(Enlisted(1.0)), id="what only the driver says"),
        pytest.param(msgspec.msgpack.encode(["Resign"]), id="an unknown message"),
        pytest.param(msgspec.msgpack.encode(["Metrics", 0, 0, [1]]), id="a field is missing"),
        pytest.param(msgspec.msgpack.encode(["Metrics", 0, 0, ["1"], [0.5]]), id="a field has the wrong type"),
        pytest.param(msgspec.msgpack.encode({"type": "Ready"}), id="no array"),
        pytest.param(encode(Ready())[:-1], id="cut short"),
        pytest.param(encode(Ready()) + b"\xc0", id="too long"),
        pytest.param(b"\x91\xdb\xff\xff\xff\xff", id="text of 4 GiB, it says"),
        pytest.param(b"\x91\xa1\x80", id="text that is not UTF-8"),
        pytest.param(b"\x95\xa8Finished\x00\x00\xcb" + bytes(8) + b"\x81\xa1a" + b"\x91" * 5000, id="too deep"),
    ],
)
def test_everything_else_is_refused_too(body):
    with pytest.raises(UNREADABLE):
        decode_to_driver(body)


def test_a_field_that_a_newer_version_added_at_the_end_is_passed_over():
    assert decode_to_driver(msgspec.msgpack.encode(["Heartbeat", 17])) == Heartbeat()
    newer = msgspec.msgpack.encode(["RunTrial", 3, 0, {"lr": 0.1}, 2, None, None, "new"])
    assert decode_from_driver(newer) == RunTrial(3, 0, {"lr": 0.1}, judge_every=2)


def test_a_field_that_an_older_version_did_not_have_gets_its_default():
    assert decode_from_driver(msgspec.msgpack.encode(["RunTrial", 3, 0, {"lr": 0.1}])).judge_every == 0


@pytest.mark.parametrize("kind", [*get_args(ToDriver), *get_args(FromDriver)])
def test_an_optional_field_never_stands_before_one_that_is_needed(kind):
    fields = msgspec.structs.fields(kind)
    assert [field.required for field in fields] == sorted((field.required for field in fields), reverse=True)


def test_messages_cannot_be_changed():
    with pytest.raises(AttributeError, match="immutable"):
        Finished(0, 0, 0.5).metric = 1.0
    assert hash(WorkerHello("holder", 0, 1, "node-a", 1)) == hash(WorkerHello("holder", 0, 1, "node-a", 1))
    assert SupervisorHello("holder", 0, "node-a") != SupervisorHello("holder", 1, "node-a")


def test_values_of_types_that_nobody_here_sends_are_refused():
    strange = msgspec.msgpack.encode(["Finished", 0, 0, 0.5, {"x": msgspec.msgpack.Ext(5, b"anything")}])
    with pytest.raises(msgspec.ValidationError, match="plain values only"):
        decode_to_driver(strange)
