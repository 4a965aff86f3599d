"""Predicted probabilities against what happens, on curves that are made up in three different ways."""

import math

import numpy as np
import pytest

from maggy.earlystop import calibration
from maggy.trial import Curve

EPOCHS = list(range(1, 41))


def power(step: int, speed: float) -> float:
    return step ** -(0.2 + speed)


def exponential(step: int, speed: float) -> float:
    return math.exp(-0.3 * speed * step)


def slow_start(step: int, speed: float) -> float:
    return 1 / (1 + (step / (20 * speed + 1)) ** 3)


def curves(shape, seed: int, count: int = 120) -> list[Curve]:
    stream = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        end, gain, speed, noise = stream.beta(2, 3), stream.gamma(2, 0.5), stream.random(), stream.lognormal(-4.5, 0.7)
        made.append(Curve(EPOCHS, [end + gain * shape(step, speed) + noise * stream.normal() for step in EPOCHS]))
    return made


@pytest.mark.parametrize("shape", [power, exponential, slow_start])
def test_what_is_called_unlikely_seldom_happens_and_what_is_called_likely_often_does(shape):
    rows = [row for seed in range(4) for row in calibration(curves(shape, seed))]
    assert sum(row.count for row in rows) == 4 * 110 * 5
    unlikely = [row for row in rows if row.high <= 0.01]
    assert sum(row.observed * row.count for row in unlikely) / sum(row.count for row in unlikely) < 0.01
    likely = [row for row in rows if row.low >= 0.4]
    assert sum(row.observed * row.count for row in likely) / sum(row.count for row in likely) > 0.3
    expected = sum(row.predicted * row.count for row in rows)
    happened = sum(row.observed * row.count for row in rows)
    assert happened / 3 < expected < 3 * happened


def test_each_row_tells_its_range_and_a_certain_prediction_lies_in_the_last():
    rows = calibration(curves(exponential, 0, count=30), edges=(0.0, 0.5, 1.0))
    assert [(row.low, row.high) for row in rows] == [(0.0, 0.5), (0.5, 1.0)]
    assert all(row.low <= row.predicted <= row.high and 0 <= row.observed <= 1 for row in rows)
    assert sum(row.count for row in rows) == 20 * 5


def test_nothing_is_predicted_before_enough_are_known():
    assert calibration(curves(exponential, 0, count=10), known=10) == []
