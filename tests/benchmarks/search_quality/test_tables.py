from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.search_quality.space import params_at, place_of
from benchmarks.search_quality.tables import CURVES, NAMES, load
from benchmarks.search_quality.training import EPOCHS, TASKS

tables = pytest.mark.parametrize("name", NAMES)


@tables
def test_a_table_holds_whole_curves_of_hundreds_of_configurations(name):
    table = load(name)
    assert len(table.configs) >= 500
    assert table.curves.shape == table.test.shape == (len(table.configs), EPOCHS)
    assert np.isfinite(table.curves).all() and np.isfinite(table.test).all()
    assert (table.seconds_per_epoch > 0).all()


def test_the_tables_are_small_enough_to_be_shipped():
    assert sum(path.stat().st_size for path in CURVES.iterdir()) < 3_000_000


@tables
def test_training_for_real_gives_what_was_recorded(name):
    table = load(name)
    params = table.configs[0]
    scores = islice(TASKS[name].train(params, np.random.default_rng([7, 0])), 3)
    # not exactly: another processor or release adds up in another order
    assert [validation for validation, _ in scores] == pytest.approx(table.curves[0, :3].tolist(), abs=0.05)


@tables
@given(data=st.data())
def test_what_was_recorded_is_given_back_as_it_is(name, data):
    table = load(name)
    row = data.draw(st.integers(0, len(table.configs) - 1))
    params = table.configs[row]
    assert table.curve(params) == table.curves[row].tolist()
    assert table.test_curve(params) == table.test[row].tolist()
    assert table.seconds(params) == table.seconds_per_epoch[row]


@tables
@given(data=st.data())
def test_no_configuration_in_between_is_better_than_the_best_recorded_one(name, data):
    table = load(name)
    units = data.draw(st.lists(st.floats(0, 1), min_size=len(table.space), max_size=len(table.space)))
    end = table.curve(params_at(table.space, units))[-1]
    assert end <= table.best + 1e-9 if table.direction == "max" else end >= table.best - 1e-9


@given(st.lists(st.floats(0.1, 0.9), min_size=5, max_size=5))
def test_a_small_step_in_the_space_is_a_small_step_of_the_curve(units):
    table = load("teacher_mlp")
    near = [units[0] + 1e-7, *units[1:]]
    one, other = (table.curve(params_at(table.space, point)) for point in (units, near))
    assert one == pytest.approx(other, abs=1e-2)


def test_the_curve_of_a_configuration_leans_to_its_nearest_neighbour():
    table = load("boosting")
    rows, weights = table.nearest(table.configs[3] | {"subsample": table.configs[3]["subsample"] + 1e-6})
    assert rows[0] == 3
    assert weights[0] > 0.99
    assert weights.sum() == pytest.approx(1.0)


def test_another_category_is_as_far_as_the_other_end_of_a_range():
    table = load("noisy_linear")
    one = table.configs[0] | {"penalty": "l1", "power": 0.0}
    points = [table._point(params) for params in (one, one | {"penalty": "l2"}, one | {"power": 1.0})]
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(np.linalg.norm(points[0] - points[2]))


def test_a_table_that_was_not_recorded_is_an_error_that_says_what_there_is():
    with pytest.raises(FileNotFoundError, match="boosting"):
        load("imagenet")


@tables
@given(data=st.data())
def test_a_place_in_the_cube_leads_to_a_value_and_back(name, data):
    for spec in load(name).space.values():
        unit = data.draw(st.floats(0, 1))
        value = params_at({"it": spec}, [unit])["it"]
        assert params_at({"it": spec}, [place_of(spec, value)])["it"] in (value, pytest.approx(value))
