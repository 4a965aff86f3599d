from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.search_quality import results
from benchmarks.search_quality.grid import STEPS, Cell, budget, cells
from benchmarks.search_quality.pool import Run
from benchmarks.search_quality.report import Regrets, compare, page

CELL = Cell(seed=3, workers=8, problem="branin", contestant="random", steps=20)


def test_a_run_is_written_and_read_back_as_the_same_cell_of_the_grid(tmp_path):
    path = tmp_path / "results.jsonl"
    run = Run(regrets=[1 / step for step in range(1, 21)], trials=20)
    results.append(path, results.row(CELL, run))
    [row] = results.load(path)
    assert results.cell_of(row) == CELL
    assert row["regrets"] == [float(f"{1 / step:.4g}") for step in range(2, 21, 2)]  # after 10 %, 20 %, ... of 20 steps


def test_a_line_that_was_cut_off_is_run_again(tmp_path):
    path = tmp_path / "results.jsonl"
    results.append(path, results.row(CELL, Run(regrets=[1.0] * 20)))
    with path.open("a") as file:
        file.write('{"seed":4,"work')
    assert len(results.load(path)) == 1


def test_a_search_that_ended_early_keeps_its_last_regret():
    assert results.row(CELL, Run(regrets=[0.5, 0.25]))["regrets"] == [0.25] * 10


def test_holm_multiplies_the_smallest_by_how_many_there_are_the_next_by_one_less_and_never_goes_back():
    # sorted: 0.01 x 4 = 0.04, 0.02 x 3 = 0.06, 0.025 x 2 = 0.05 -> 0.06, 0.6 x 1 = 0.6
    assert results.holm([0.02, 0.6, 0.01, 0.025]) == pytest.approx([0.06, 0.6, 0.04, 0.06])


def test_means_that_are_far_apart_are_not_so_by_chance():
    near, far = [1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4]
    # 2 of the 252 ways to draw 5 of 10 are as far apart
    assert results.p_value(near, far) == pytest.approx(2 / 252, rel=0.15)
    assert results.p_value(far, near) == results.p_value(near, far)


@given(st.lists(st.integers(0, 1000).map(lambda value: value / 1000), min_size=2, max_size=12))
def test_the_same_values_are_never_apart(values):
    assert results.p_value(values, values) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_interval_of_the_mean_holds_the_mean(values):
    low, high = results.interval(values)
    assert low - 1e-9 <= np.mean(values) + 1e-9 and np.mean(values) - 1e-9 <= high + 1e-9


def test_the_grid_is_walked_seed_by_seed():
    seeds = [cell.seed for cell in cells(["random", "optuna-gp"], STEPS, (1, 8, 64), seeds=12)]
    assert seeds == sorted(seeds)
    assert len(seeds) == 12 * 12 * 3 + 10 * 12 * 2  # everything; ten seeds without 64 workers


def test_who_stops_trials_runs_only_where_there_are_steps():
    assert budget("synetune-asha", "branin", 8, seed=0) == 0
    assert budget("synetune-asha", "boosting", 8, seed=0) == budget("random", "boosting", 8, seed=0) == 80 * 81


def some_rows(contestant: str, regret: float) -> list[results.Row]:
    rng = np.random.default_rng(len(contestant))
    runs = [Run(regrets=[regret * float(rng.uniform(0.9, 1.1))] * 100) for _ in range(30)]
    return [results.row(Cell(seed, 1, "branin", contestant, 100), run) for seed, run in enumerate(runs)]


def test_the_report_says_who_is_better_and_who_is_not():
    rows = some_rows("maggy-tpe", 0.1) + some_rows("hyperopt-tpe", 0.2) + some_rows("synetune-tpe", 0.05)
    verdicts = {c.theirs: c.verdict for c in compare(Regrets(rows + some_rows("optuna-tpe", 0.1)))}
    assert verdicts == {"hyperopt-tpe": "better", "synetune-tpe": "worse", "optuna-tpe": "="}
    assert "| maggy-tpe | hyperopt-tpe | 1 | 0 | 0 |" in page(Regrets(rows))


def test_runs_of_another_budget_are_left_out_of_the_report():
    other = [row | {"steps": 7} for row in some_rows("maggy-tpe", 0.1)]
    assert not Regrets(other).ends("maggy-tpe", "branin", 1)
