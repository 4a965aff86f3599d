"""Virtual time."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy.simulation.timeline import Timeline


def test_time_goes_to_what_is_planned_and_to_all_of_it_at_once():
    timeline, done = Timeline(), []
    for in_s, name in [(2.0, "b"), (1.0, "a"), (2.0, "c")]:
        timeline.plan(in_s, lambda name=name: done.append((timeline.now, name)))
    assert timeline.advance(inf) and done == [(1.0, "a")]
    assert timeline.advance(inf) and done[1:] == [(2.0, "b"), (2.0, "c")]


def test_time_goes_no_further_than_it_is_told():
    timeline, done = Timeline(), []
    timeline.plan(5.0, lambda: done.append("late"))
    assert not timeline.advance(3.0)
    assert (timeline.monotonic(), timeline.time(), done) == (3.0, 3.0, [])
    assert timeline.advance(5.0) and done == ["late"]


def test_what_is_planned_for_now_happens_now():
    timeline, done = Timeline(), []
    timeline.plan(0.0, lambda: timeline.plan(0.0, lambda: done.append(timeline.now)))
    assert timeline.advance(0.0) and done == [0.0]


def test_to_wait_for_ever_for_nothing_is_an_error():
    with pytest.raises(RuntimeError, match="nothing is going to happen any more"):
        Timeline().advance(inf)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 3))))
def test_whatever_is_planned_happens_in_order_and_at_its_time(plans):
    timeline, done = Timeline(), []

    def plan(in_s, more):
        at = timeline.now + in_s

        def happen():
            assert timeline.now == at
            done.append(at)
            if more:
                plan(in_s / 2, more - 1)

        timeline.plan(in_s, happen)

    for in_s, more in plans:
        plan(in_s, more)
    while timeline.advance(1000.0):
        pass
    assert done == sorted(done)
    assert len(done) == sum(more + 1 for _, more in plans)
