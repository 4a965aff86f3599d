"""Which observations a model is fitted to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maggy.optimizer import Observation
from maggy.optimizer.sampling.selection import pareto_front, selected


def observed(losses):
    return [Observation(number, {}, loss if loss is None else tuple(loss)) for number, loss in enumerate(losses)]


def test_few_observations_are_all_taken():
    few = observed([[3.0], None, [1.0]])
    assert selected(few, 3) == few


def test_the_best_quarter_the_latest_quarter_and_a_spread_of_the_rest_are_taken():
    """The best four of sixteen places are the first of 160, the latest four the last."""
    many = observed([[float(number)] for number in range(160)])

    taken = [each.trial for each in selected(many, 16)]

    assert taken == [0, 1, 2, 3, 4, 23, 42, 61, 80, 99, 118, 137, 156, 157, 158, 159]


def test_a_failed_trial_is_never_among_the_best():
    losses = [None] * 100 + [[0.0]] + [None] * 100
    assert 100 in [each.trial for each in selected(observed(losses), 8)]


def test_of_several_objectives_the_first_fronts_are_the_best():
    corners = {17: [0.0, 9.0], 40: [4.0, 4.0], 63: [9.0, 0.0]}
    losses = [corners.get(number, [10.0 + number % 7, 10.0 + number % 5]) for number in range(100)]

    taken = {each.trial for each in selected(observed(losses), 12)}

    assert corners.keys() <= taken


@given(
    st.lists(st.one_of(st.none(), st.tuples(st.floats(-9, 9), st.floats(-9, 9))), max_size=60),
    st.integers(4, 30),
)
def test_as_many_as_there_is_room_for_are_taken_in_their_order(losses, most):
    many = observed(losses)

    taken = [each.trial for each in selected(many, most)]

    assert len(taken) == min(most, len(many))
    assert taken == sorted(set(taken))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_pareto_front_is_what_nothing_dominates(rows):
    def dominates(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    front = pareto_front(np.array(rows, dtype=float))

    assert front.tolist() == [not any(dominates(other, row) for other in rows) for row in rows]
