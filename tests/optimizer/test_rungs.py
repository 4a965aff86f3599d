"""Where trials are ranked, and which steps are milestones."""

import random
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from maggy.optimizer.budgeted.budgets import geometric, ordinal, show
from maggy.optimizer.budgeted.milestones import Milestones
from maggy.optimizer.budgeted.rung import Rung


def filled(*losses: float) -> Rung:
    rung = Rung(1)
    for trial, loss in enumerate(losses):
        rung.add(loss, trial)
    return rung


def test_the_best_third_of_three_is_one_and_of_five_is_one_and_of_six_are_two():
    assert filled(0.3, 0.1).promotable(3) is None
    assert filled(0.3, 0.1, 0.2).promotable(3) == (1, 1)
    five, six = filled(0.3, 0.1, 0.2, 0.5, 0.6), filled(0.3, 0.1, 0.2, 0.5, 0.6, 0.4)
    for rung in (five, six):
        assert rung.promotable(3) == (1, 1)
        rung.promote()
    assert five.promotable(3) is None
    assert six.promotable(3) == (2, 2)


def test_a_trial_that_comes_later_may_take_the_place_of_one_that_was_next():
    rung = filled(0.3, 0.1, 0.2)
    rung.promote()  # trial 1
    assert rung.promotable(3) is None
    rung.add(0.05, 3)
    assert rung.promotable(3) == (3, 1)
    rung.promote()
    rung.add(0.9, 4)
    rung.add(0.8, 5)
    assert rung.promotable(3) is None  # trial 2 is third of six


def test_of_equal_losses_the_trial_that_was_suggested_first_goes_first():
    assert filled(0.5, 0.5, 0.5).promotable(3) == (0, 1)


def test_infinity_counts_among_those_that_have_come_and_is_never_promoted():
    rung = filled(0.5, inf, inf)
    assert rung.promotable(3) == (0, 1)
    assert filled(inf, inf, inf).promotable(3) is None
    assert filled(inf, inf, inf, inf).promotable(2) is None


def test_the_rank_is_one_more_than_those_that_are_strictly_better():
    rung = Rung(1)
    assert [rung.add(loss, trial) for trial, loss in enumerate((0.5, 0.5, 0.1, 0.9, inf, inf))] == [1, 1, 1, 4, 5, 5]


class Counted(float):
    """A loss that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other):
        Counted.comparisons += 1
        return float.__lt__(self, other)

    def __gt__(self, other):
        Counted.comparisons += 1
        return float.__gt__(self, other)

    def __eq__(self, other):
        Counted.comparisons += 1
        return float.__eq__(self, other)

    __hash__ = float.__hash__


def comparisons_for_each_trial(after: int) -> float:
    """Of a thousand trials that come to a rung in which there are some already."""
    stream, rung, Counted.comparisons = random.Random(0), Rung(1), 0
    for trial in range(after + 1000):
        loss = stream.random()
        rung.add(Counted(loss) if trial >= after else loss, trial)
        if rung.promotable(4):
            rung.promote()
    return Counted.comparisons / 1000


def test_a_hundred_times_as_many_trials_cost_less_than_twice_the_comparisons_each():
    assert 0 < comparisons_for_each_trial(100_000) < 2 * comparisons_for_each_trial(1_000)


def test_budgets_stay_whole_where_they_are_whole_and_never_pass_the_largest():
    assert [repr(budget) for budget in geometric(1.0, 3, 100)] == ["1", "3", "9", "27", "81"]
    assert geometric(0.1, 3, 0.3) == [0.1, 0.3]
    assert geometric(0.5, 2, 4) == [0.5, 1, 2, 4]
    assert geometric(5, 2, 4) == []


def test_numbers_are_written_as_people_write_them():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
    )
    assert [show(budget) for budget in (9, 0.1 * 3, 1_000_000, 2.5)] == ["9", "0.3", "1000000", "2.5"]


def test_a_milestone_is_reached_with_the_first_step_at_or_beyond_it_and_only_once():
    milestones = Milestones([1, 3, 9])
    assert [milestones.reached(7, step) for step in (0, 1, 1, 2, 4, 5, 9, 10, 99)] == (
        [None, 0, None, None, 1, None, 2, None, None]
    )


def test_a_step_that_passes_several_milestones_counts_for_the_last_of_them():
    milestones = Milestones([1, 3, 9])
    assert [milestones.reached(7, step) for step in (10, 11)] == [2, None]


def test_trials_pass_milestones_each_for_itself_and_one_that_runs_again_does_not_pass_them_again():
    milestones = Milestones([1, 3])
    assert milestones.reached(0, 1) == 0
    assert milestones.reached(1, 3) == 1
    assert milestones.reached(0, 1) is None  # its worker was lost, and it began once more
    assert milestones.reached(0, 3) == 1
    assert milestones.leave(0) == 2
    assert milestones.leave(5) == 0


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, inf]), max_size=40), st.integers(2, 4))
def test_a_rung_promotes_as_the_definition_says(losses, eta):
    rung, ranked, promoted = Rung(1), [], set()
    for trial, loss in enumerate(losses):
        rung.add(loss, trial)
        ranked.append((loss, trial))
        best = sorted(ranked)[: len(ranked) // eta]
        expected = next((t for value, t in best if t not in promoted and value != inf), None)
        answer = rung.promotable(eta)
        assert (None if answer is None else answer[0]) == expected
        if answer is not None:
            assert sorted(ranked)[answer[1] - 1][1] == expected
            rung.promote()
            promoted.add(expected)
