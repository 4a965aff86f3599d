"""Where a curve will end: the algebra against textbook formulas, and what a prediction has to be like."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.earlystop import predict
from maggy.earlystop import prediction as prediction_module
from maggy.earlystop.mixture import NOISES, WALKS, design, mixture
from maggy.earlystop.population import Population, Prior
from maggy.errors import ConfigError
from maggy.testing.rules import some_losses
from maggy.trial import Curve

EPOCHS = list(range(1, 51))


def falling(end: float, gain: float, speed: float = 0.1, noise: float = 0.0, seed: int = 0) -> Curve:
    """A loss that falls exponentially; by step 50 it has come to its end but for `gain * exp(-50 * speed)`."""
    stream = np.random.default_rng(seed)
    return Curve(EPOCHS, [end + gain * math.exp(-speed * step) + noise * stream.normal() for step in EPOCHS])


def begun(curve: Curve, points: int) -> Curve:
    return Curve(curve.steps[:points], curve.values[:points])


FINISHED = [falling(0.1 + 0.02 * number, 0.8, 0.05 + 0.01 * number, 0.005, number) for number in range(12)]


@given(
    gaps=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    losses=st.lists(st.floats(-2, 2), min_size=6, max_size=6),
    mean=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    deviations=st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)),
    correlation=st.floats(-0.9, 0.9),
)
@settings(max_examples=40, deadline=None)
def test_each_component_is_the_conditional_of_one_large_normal_distribution(
    gaps, losses, mean, deviations, correlation
):
    *steps, horizon = np.cumsum(gaps).tolist()
    y, mean = np.array(losses[: len(steps)]), np.array(mean)
    covariance = np.diag(np.square(deviations))
    covariance[0, 1] = covariance[1, 0] = correlation * deviations[0] * deviations[1]
    seen = design(tuple(steps), horizon)
    # Where a shape takes values of very different size, the large matrix is too ill-conditioned to compare with.
    sound = np.abs(seen.regressors[:, 1]).max(axis=1) < 100
    found = mixture(seen, y, Prior(mean=mean, covariance=covariance, gain=0.0, spread=1.0))
    grid = (len(NOISES), len(WALKS), len(sound))
    weights, means, widths = (of_all.reshape(grid)[:, :, sound].ravel() for of_all in found)

    log_time = np.log(np.array([*steps, horizon]) + 1.0)
    walked = np.minimum.outer(log_time, log_time) - log_time[0]
    walked /= walked[-1, -1]
    n, expected = len(steps), []
    for noise in NOISES:
        for walk in WALKS:
            for shape, log_share in zip(seen.regressors[sound, 1], seen.log_share[sound], strict=True):
                x = np.stack([np.ones(n + 1), [*shape, 0.0]], axis=1)  # at the horizon the shape is 0
                joint = x @ covariance @ x.T + noise**2 * (np.eye(n + 1) + walk * walked)
                gain = np.linalg.solve(joint[:n, :n], joint[:n, n])
                off = y - x[:n] @ mean
                log_density = -0.5 * (np.linalg.slogdet(joint[:n, :n])[1] + off @ np.linalg.solve(joint[:n, :n], off))
                variance = joint[n, n] - gain @ joint[:n, n]
                expected.append((log_density + log_share, mean[0] + gain @ off, math.sqrt(variance)))
    log_weights, expected_means, expected_widths = np.array(expected).T
    expected_weights = np.exp(log_weights - log_weights.max())
    np.testing.assert_allclose(weights / weights.max(), expected_weights, atol=1e-3)
    matter = expected_weights > 1e-6
    np.testing.assert_allclose(means[matter], expected_means[matter], atol=1e-4)
    np.testing.assert_allclose(widths[matter], expected_widths[matter], rtol=1e-3)


@pytest.mark.parametrize("speed", [0.05, 0.3])  # as slow as the slowest that has finished; faster than any
def test_a_smooth_curve_is_followed_to_its_end_the_closer_the_more_is_seen(speed):
    curve = falling(0.25, 0.8, speed)
    found = [predict(begun(curve, points), 50, FINISHED) for points in (8, 20, 40)]
    off = [abs(prediction.quantile(0.5) - curve.values[-1]) for prediction in found]
    assert off[2] < 0.005 and off[1] < 0.06 and off[0] < 0.2
    assert found[0].std > found[1].std > found[2].std


def test_early_on_finished_curves_decide_and_later_the_curve_itself_does():
    flat = Curve(EPOCHS, [0.9] * 50)
    late = [
        Curve(EPOCHS, [0.9 if step < 20 else 0.3 + 0.01 * number for step in EPOCHS]) for number in range(12)
    ]  # every one of them fell at step 20
    assert predict(begun(flat, 10), 50, late).probability_below(0.5) > 0.4
    assert predict(begun(flat, 10), 50, FINISHED).probability_below(0.05) < 0.1
    assert predict(begun(flat, 40), 50, late).probability_below(0.5) < 0.05


@given(shift=st.floats(-100, 100), scale=st.sampled_from([0.001, 0.5, 4.0, 1000.0]), points=st.integers(2, 49))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_the_loss_does_not_matter(shift, scale, points):
    def changed(curve: Curve) -> Curve:
        return Curve(curve.steps, [shift + scale * loss for loss in curve.values])

    curve = begun(falling(0.2, 0.9, 0.07, 0.02, seed=5), points)
    here, there = predict(curve, 50, FINISHED), predict(changed(curve), 50, [changed(c) for c in FINISHED])
    assert there.mean == pytest.approx(shift + scale * here.mean, rel=1e-4, abs=1e-3 * scale)
    assert there.probability_below(shift + scale * 0.25) == pytest.approx(here.probability_below(0.25), abs=1e-3)


@given(st.integers(0, 29), st.integers(1, 20), st.integers(0, 25))
@settings(max_examples=40, deadline=None)
def test_quantiles_and_probabilities_are_each_others_inverse(number, points, finished):
    curves = some_losses()
    curve = begun(curves[number], points)
    if not curve.steps or curve.steps[-1] >= 25:
        curve = begun(curves[number], 1)
    found = predict(curve, 25, curves[:finished])
    quantiles = [found.quantile(share) for share in (0.01, 0.25, 0.5, 0.75, 0.99)]
    assert quantiles == sorted(quantiles)
    for share, loss in zip((0.01, 0.25, 0.5, 0.75, 0.99), quantiles, strict=True):
        assert found.probability_below(loss) == pytest.approx(share, abs=1e-6)
    assert found.weights.sum() == pytest.approx(1)


def test_without_finished_curves_the_curve_speaks_for_itself():
    found = predict(begun(falling(0.2, 0.8), 30), 50)
    assert found.quantile(0.1) < falling(0.2, 0.8).values[-1] < found.quantile(0.9)


def test_a_curve_that_diverges_is_not_hoped_for():
    sound = begun(falling(0.2, 0.8), 8)
    diverging = Curve(sound.steps, [*sound.values[:3], 1e3, 1e9, 1e30, math.nan, math.inf])
    hope = [predict(curve, 50, FINISHED).probability_below(0.2) for curve in (sound, diverging)]
    assert hope[1] < hope[0] / 2


def test_finished_curves_that_diverged_spoil_nothing():
    spoilt = [*FINISHED, Curve(EPOCHS, [0.9] * 49 + [1e12]), Curve(EPOCHS, [0.9] * 49 + [math.nan])]
    curve = begun(falling(0.2, 0.8, 0.1, 0.005, seed=3), 30)
    assert predict(curve, 50, spoilt).mean == pytest.approx(predict(curve, 50, FINISHED).mean, abs=0.05)


def test_curves_that_never_move_are_predicted_to_stay():
    still = [Curve(EPOCHS, [0.5] * 50) for _ in range(5)]
    assert predict(begun(still[0], 10), 50, still).mean == pytest.approx(0.5)
    assert predict(Curve([1, 2, 3], [0.0, 0.0, 0.0]), 50).mean == pytest.approx(0.0)


def test_many_points_and_far_horizons_are_thinned_out_and_cost_no_precision():
    steps = list(range(0, 1_000_000, 500))
    curve = Curve(steps, [0.3 + 5 / math.sqrt(step + 100) for step in steps])
    found = predict(begun(curve, 1900), 1_000_000)
    assert found.mean == pytest.approx(0.305, abs=0.001)
    assert math.isfinite(predict(curve, 1_000_000).std)  # one report before the end


def test_points_at_the_same_step_are_allowed():
    assert math.isfinite(predict(Curve([5, 5, 5, 5], [0.5, 0.4, 0.6, 0.5]), 50, FINISHED).std)


@pytest.mark.parametrize("curve", [Curve(), Curve([50], [0.5]), Curve([1, 60], [0.5, 0.4])])
def test_a_horizon_that_is_not_ahead_is_refused(curve):
    with pytest.raises(ConfigError, match="step 50, is not ahead of the curve"):
        predict(curve, 50)


def test_a_curve_without_a_number_is_refused():
    with pytest.raises(ConfigError, match="without a single finite loss"):
        predict(Curve([1, 2], [math.nan, math.inf]), 50)


# --- the population


def test_only_curves_that_come_to_the_horizon_for_the_first_time_count():
    population = Population(10)
    population.add(Curve([1, 9], [0.5, 0.4]))  # stopped before
    population.add(Curve([1, 10], [0.5, 0.4]))
    population.add(Curve([1, 20], [0.5, 0.4], since=10))  # had come to it when it ended before
    population.add(Curve([1, 20], [0.5, 0.4], since=9))
    population.add(Curve([1, 10], [0.5, math.nan]))
    assert len(population) == 2


def test_what_a_curve_of_another_step_width_was_at_a_step_lies_on_the_line():
    population = Population(30)
    for loss in (0.0, 0.1, 0.2):
        population.add(Curve([10, 20, 30], [loss + 1.0, loss + 0.5, loss]))
    units = population.units(Curve([15], [0.9]))
    prior = population.prior(15, units, 0.0)
    assert prior.gain * units.scale == pytest.approx(0.75)  # halfway from 1.0 to 0.5 above the end


def test_the_memory_of_a_population_is_bounded(monkeypatch):
    monkeypatch.setattr("maggy.earlystop.population.CURVES_KEPT", 5)
    population = Population(50)
    for curve in FINISHED:
        population.add(curve)
    assert len(population) == 5


# --- the best


def chance(curve: Curve, trials: int, best: float = 0.1) -> float:
    population = Population(50)
    for other in FINISHED:
        population.add(other)
    return prediction_module.probability_of_best(population, curve, best, 1 / (trials + 1))


def test_the_more_have_tried_the_less_likely_the_next_is_the_best():
    curve = begun(falling(0.1, 0.8, 0.1, 0.005, seed=99), 8)
    chances = [chance(curve, trials) for trials in (12, 50, 1000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[2] < 0.05 < chances[0]


def test_a_curve_can_convince_whatever_the_odds():
    assert chance(begun(falling(0.05, 0.8, 0.3), 40), trials=12) > 0.9
    assert chance(begun(falling(0.05, 0.8, 0.3), 40), trials=1000) > 0.5
    assert chance(begun(falling(0.5, 0.8, 0.3), 40), trials=12) < 0.001
