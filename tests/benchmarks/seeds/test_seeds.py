"""The seeds' experiments: what their tables make of what was measured."""

import pytest

from benchmarks.seeds.equal_trials import EPOCHS, EXPERIMENTS, ONE_STAGE, STAGES, draw
from benchmarks.seeds.schedules import experiment, one_stage_s, stages_s
from benchmarks.seeds.tables import in_equal_time, mean_course, of_equal_trials, simulated_trials


def trial(seconds, accuracy, epochs=EPOCHS):
    curve = [accuracy * epoch / EPOCHS for epoch in range(1, epochs + 1)]
    test = accuracy - 0.1 if epochs == EPOCHS else None
    return {"validation": curve, "test": test, "seconds": seconds, "processor_s": seconds}


def test_a_batch_waits_for_its_longest_trial():
    seconds = [1.0, 3.0, 3.0, 1.0]
    assert stages_s(seconds, 2) == 6.0
    assert one_stage_s(seconds, 2) == 4.0


def test_without_a_rule_the_driver_keeps_executors_as_busy_as_one_stage():
    trials = [trial(seconds, 0.5) for seconds in (1.0, 3.0, 3.0, 1.0)]
    wall_s, best = experiment(trials, 2, es_policy="none")
    assert abs(wall_s - 4.0) < 0.01 and best == 0.5


def test_what_is_saved_is_compared_within_a_round():
    found = {
        name: [{"wall_s": wall_s, "trials": trials} for wall_s in walls]
        for name, walls, trials in [
            (STAGES, (10.0, 20.0), [trial(4.0, 0.6), trial(4.0, 0.9)]),
            (ONE_STAGE, (8.0, 16.0), [trial(4.0, 0.6), trial(4.0, 0.9)]),
            *((name, (5.0, 8.0), [trial(1.0, 0.6), trial(0.5, 0.9, epochs=20)]) for name in EXPERIMENTS),
        ]
    }
    table = of_equal_trials(found, 2)
    saved = [row.samples["saved"] for row in table.rows]
    assert saved[:2] == [[0.0, 0.0], [pytest.approx(20), pytest.approx(20)]]
    assert saved[2:] == [[pytest.approx(50), pytest.approx(60)]] * len(EXPERIMENTS)
    assert table.rows[0].samples["validation"] == [0.9, 0.9]
    assert table.rows[-1].samples["validation"] == [0.6, 0.6]  # one that was stopped is not taken
    assert table.rows[0].samples["busy"][0] == 40.0
    assert table.targets[0].value == pytest.approx(55) and table.targets[0].met


def test_more_executors_waste_more_in_batches():
    trials = [trial(1.0 + number % 7, 0.5 + number / 100, epochs=3) for number in range(28)]
    rows = {row.name: row for row in simulated_trials([{"trials": trials}], orders=1).rows}
    saved = [rows[f"ours, asynchronous, {executors} executors"].median("saved") for executors in (2, 8)]
    assert 0 < saved[0] < saved[1]


def test_a_course_begins_where_every_repeat_has_a_result():
    places, best = mean_course([[(1.0, 0.2), (3.0, 0.6)], [(2.0, 0.4)]], 4.0)
    assert places[0] == 2.0 and places[-1] == 4.0
    assert abs(best[0] - 0.3) < 1e-9 and abs(best[-1] - 0.5) < 1e-9


def test_a_single_repeat_has_no_spread():
    run = {"trials": 5, "stopped": 1, "validation": 0.7, "test": 0.6, "course": [(1.0, 0.7)]}
    table = in_equal_time({"ASHA": [run], "random": [run, run]}, 4.0)
    assert [row.note for row in table.rows] == ["", "test accuracy: mean 0.600, standard deviation 0.000"]


def test_configurations_are_the_same_for_everybody():
    assert draw(3, seed=1) == draw(3, seed=1) != draw(3, seed=2)
