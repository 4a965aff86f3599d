"""The median stopping rule (Golovin et al., "Google Vizier", KDD 2017, section 3.2.2), and other percentiles."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maggy.earlystop import GO_ON, MedianStoppingRule, PercentileStoppingRule, Verdict
from maggy.earlystop import percentile as percentile_module
from maggy.errors import ConfigError
from maggy.testing import watch
from maggy.testing.rules import some_losses
from maggy.trial import Curve


def curve(points: dict[int, float]) -> Curve:
    return Curve(list(points), list(points.values()))


def stops(running: Curve, finished: list[Curve]) -> bool:
    return MedianStoppingRule().judge(running, finished).stop


def test_the_best_so_far_is_compared_with_the_median_of_the_running_averages():
    finished = [
        curve({1: 0.9, 2: 0.7}),  # running average up to step 2: 0.8
        curve({1: 0.6, 2: 0.4}),  # 0.5
        curve({1: 0.3, 2: 0.1}),  # 0.2
    ]  # median of 0.8, 0.5, 0.2: 0.5
    assert stops(curve({1: 0.95, 2: 0.51}), finished)
    assert stops(curve({1: 0.51, 2: 0.95}), finished)  # its best, not its last, counts
    assert not stops(curve({1: 0.49, 2: 0.95}), finished)
    assert not stops(curve({1: 0.95, 2: 0.5}), finished)  # as good as the median is not worse


def test_only_finished_trials_that_reached_the_step_count():
    finished = [curve({1: 0.1, 2: 0.1}), curve({1: 0.8, 2: 0.8, 3: 0.8})]
    assert stops(curve({1: 0.5, 2: 0.5}), finished)  # median of 0.1 and 0.8 is 0.45
    assert not stops(curve({1: 0.5, 2: 0.5, 3: 0.5}), finished)  # only the 0.8 reached step 3


def test_a_step_that_no_finished_trial_reached_is_not_judged():
    assert MedianStoppingRule().judge(curve({9: 100.0}), [curve({1: 0.1, 8: 0.1})]) is GO_ON
    assert MedianStoppingRule().judge(curve({0: 100.0}), []) is GO_ON


def test_curves_are_aligned_by_step_and_not_by_position():
    finished = [curve({10: 0.9, 20: 0.1, 30: 0.1})]  # up to step 10: 0.9; up to 20: 0.5; the third point lies at 30
    assert not stops(curve({5: 0.8, 7: 0.8, 10: 0.8}), finished)
    assert stops(curve({5: 0.8, 20: 0.8}), finished)
    assert not stops(curve({5: 0.8, 19: 0.8}), finished)  # at step 19 the finished trial stood at 0.9


def test_a_finished_trial_that_had_not_reported_yet_does_not_count():
    late = curve({10: 0.1, 20: 0.1})
    assert not stops(curve({5: 0.8}), [late])
    assert not stops(curve({5: 0.8}), [late, curve({1: 0.9, 6: 0.9})])
    assert stops(curve({10: 0.8}), [late])


def test_of_an_even_number_the_two_in_the_middle_are_averaged():
    finished = [curve({1: loss}) for loss in (0.1, 0.2, 0.4, 0.9)]  # median 0.3
    assert stops(curve({1: 0.31}), finished)
    assert not stops(curve({1: 0.29}), finished)


def test_a_reason_counts_the_trials_that_did_better_and_so_holds_in_either_direction():
    finished = [curve({1: loss, 2: loss}) for loss in (0.1, 0.2, 0.4, 0.9)] + [curve({1: 0.0})]
    assert MedianStoppingRule().judge(curve({1: 0.7, 2: 0.8}), finished) == Verdict(
        stop=True,
        reason="median rule: its best by step 2 is worse than the average until then of 3 of the 4 trials that "
        "got as far",
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_counts_as_the_worst_loss(bad):
    finished = [curve({1: bad, 2: 0.1}), curve({1: 0.5, 2: 0.5}), curve({1: 0.4, 2: 0.4})]  # median of inf, 0.5, 0.4
    assert not stops(curve({1: bad, 2: 0.45}), finished)
    assert stops(curve({1: bad, 2: 0.55}), finished)
    assert stops(curve({1: bad, 2: bad}), finished)


def test_trials_that_finish_between_two_judgements_at_a_step_are_counted_in_the_second():
    rule, finished = MedianStoppingRule(), [curve({1: 0.9})]
    assert not rule.judge(curve({1: 0.5}), finished).stop
    finished += [curve({1: 0.1}), curve({1: 0.2})]
    assert rule.judge(curve({1: 0.5}), finished).stop


def test_a_rule_used_in_a_second_experiment_forgets_the_first():
    rule = MedianStoppingRule()
    assert rule.judge(curve({1: 0.5}), [curve({1: 0.1})]).stop
    assert not rule.judge(curve({1: 0.5}), [curve({1: 0.9})]).stop


def test_with_25_percent_a_trial_has_to_get_into_the_range_of_the_best_quarter():
    rule = PercentileStoppingRule(25)
    finished = [curve({1: loss}) for loss in (0.1, 0.2, 0.3, 0.4, 0.9)]  # a quarter of the way from 0.1 to 0.9: 0.2
    assert not rule.judge(curve({1: 0.2}), finished).stop
    assert rule.judge(curve({1: 0.21}), finished) == Verdict(
        stop=True,
        reason="percentile rule (25 %): its best by step 1 is worse than the average until then of 2 of the 5 trials "
        "that got as far",
    )


def test_between_two_trials_the_percentile_lies_in_proportion():
    finished = [curve({1: loss}) for loss in (0.0, 1.0, 2.0)]
    assert not PercentileStoppingRule(30).judge(curve({1: 0.6}), finished).stop  # 0.3 of the way from 0 to 2
    assert PercentileStoppingRule(30).judge(curve({1: 0.61}), finished).stop


def test_the_ends_of_the_range_are_the_best_and_the_worst():
    finished = [curve({1: loss}) for loss in (0.1, 0.5, 0.9)]
    assert PercentileStoppingRule(0).judge(curve({1: 0.11}), finished).stop
    assert not PercentileStoppingRule(0).judge(curve({1: 0.1}), finished).stop
    assert PercentileStoppingRule(100).judge(curve({1: 0.91}), finished).stop
    assert not PercentileStoppingRule(100).judge(curve({1: 0.9}), finished).stop


@pytest.mark.parametrize("bad", [-1, 101, math.nan, "25", True])
def test_a_percentile_lies_between_0_and_100(bad):
    with pytest.raises(ConfigError, match="percentile has to be a number of at least 0 and of at most 100, got"):
        PercentileStoppingRule(bad)


def test_a_trial_that_ran_on_counts_once_at_each_step():
    first = curve({1: 0.1, 2: 0.1})
    whole = Curve([1, 2, 3], [0.1, 0.1, 0.4], since=2)
    finished = [first, curve({1: 0.8, 2: 0.8, 3: 0.8}), whole]
    assert stops(curve({1: 0.5, 2: 0.5}), finished)  # median of 0.1 and 0.8 is 0.45, not that of 0.1, 0.1 and 0.8
    assert not stops(curve({1: 0.46, 2: 0.44}), finished)
    assert stops(curve({3: 0.51}), finished)  # at step 3: median of 0.2 and 0.8
    assert not stops(curve({3: 0.49}), finished)


def by_definition(running: Curve, finished: list[Curve]) -> bool:
    """The rule as the paper says it, counted anew each time."""
    step = running.steps[-1]
    averages = []
    for other in finished:
        seen = [value for at, value in zip(other.steps, other.values, strict=True) if at <= step]
        if seen and other.since < step <= other.steps[-1]:
            averages.append(sum(seen) / len(seen))
    return bool(averages) and min(running.values) > statistics.median(averages)


# Multiples of 1/64 below 16 add up exactly, so that both ways of counting agree to the last bit.
losses = st.integers(-1024, 1024).map(lambda n: n / 64)
curves = st.builds(
    lambda points, since: Curve(sorted(points), [points[step] for step in sorted(points)], since=since),
    st.dictionaries(st.integers(0, 12), losses, min_size=1, max_size=8),
    st.sampled_from([-1, -1, 0, 5]),
)


@given(script=st.lists(st.tuples(st.booleans(), curves), max_size=40), kept=st.sampled_from([1, 2, 1024]))
def test_remembering_changes_no_judgement(script, kept):
    rule, finished = MedianStoppingRule(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(percentile_module, "COLUMNS_KEPT", kept)
        for judged, points in script:
            if judged:
                assert rule.judge(points, finished).stop == by_definition(points, finished)
            else:
                finished.append(points)


@given(seed=st.integers(0, 2**32))
def test_halves_of_the_losses_are_stopped_at_the_same_steps(seed):
    whole = some_losses(seed, trials=12)
    half = [Curve(c.steps, [value / 2 for value in c.values]) for c in whole]  # halving is exact in binary
    assert watch(MedianStoppingRule(), half) == watch(MedianStoppingRule(), whole)
