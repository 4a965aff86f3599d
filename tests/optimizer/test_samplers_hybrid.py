"""Hybrid search: every cell has a sampler of its own, and the promising cells get most of the trials."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from maggy.errors import ConfigError
from maggy.optimizer import TPE, Draws, History, HybridSearch, resolve
from maggy.searchspace import Choice, Grid, Rand, RandInt, Space
from maggy.testing import play

CELLS = Space(net=Grid("a", "b", "c"), rate=Rand(0, 1))


def loss_of(params):
    return {"a": 1.0, "b": 0.0, "c": 2.0}[params["net"]] + (params["rate"] - 0.3) ** 2


def shares(sampler, *, num_trials=60, workers=4, seed=0, loss=loss_of):
    trials = play(
        sampler, CELLS, num_trials=num_trials, workers=workers, seed=seed, loss=lambda trial: loss(trial.params)
    )
    return Counter(trial.params["net"] for trial in trials)


def test_every_cell_gets_its_first_trials_and_the_best_cell_most_of_the_rest():
    for seed in range(3):
        share = shares(HybridSearch(least=3), seed=seed)
        assert min(share.values()) >= 3
        assert share["b"] > 60 / 2


def test_an_even_split_on_request():
    assert shares(HybridSearch(share="even")) == {"a": 20, "b": 20, "c": 20}


def test_trials_that_run_count_for_their_cell():
    draws = Draws(HybridSearch(least=4), CELLS, seed=0, most=12)
    drawn = []
    for number in range(12):
        drawn.append(draws.fresh().params)
        draws.history.began(number, drawn[-1])  # and none of them ends

    assert Counter(params["net"] for params in drawn) == {"a": 4, "b": 4, "c": 4}


def test_draws_made_ahead_count_for_their_cell():
    draws = Draws(HybridSearch(least=2), CELLS, seed=0, most=6)

    assert Counter(draws.fresh().params["net"] for _ in range(6)) == {"a": 2, "b": 2, "c": 2}


def test_the_best_of_each_cell_is_searched_for_within_it():
    """Each model has a best rate of its own."""
    best = {"a": 0.1, "b": 0.1, "c": 0.9}
    sampler = HybridSearch(sampler=TPE(num_warmup_trials=5), share="even")
    trials = play(
        sampler,
        CELLS,
        num_trials=90,
        loss=lambda trial: abs(trial.params["rate"] - best[trial.params["net"]]),
    )

    for model, rate in best.items():
        late = [trial.params["rate"] for trial in trials[45:] if trial.params["net"] == model]
        assert sum(abs(each - rate) for each in late) / len(late) < 0.2  # by chance 0.41


def test_a_cell_with_nothing_left_to_choose_is_tried_once():
    space = Space(net=Grid("a", "b")) + Space(net="c", rate=Rand(0, 1))
    trials = play(HybridSearch(), space, num_trials=20, loss=lambda trial: 0.0 if trial.params["net"] != "c" else 9.0)

    assert Counter(trial.params["net"] for trial in trials) == {"a": 1, "b": 1, "c": 18}


def test_a_space_of_grids_alone_ends_when_each_point_was_tried():
    space = Space(a=Grid(1, 2, 3), b=Grid("x", "y"))
    trials = play("hybrid", space, num_trials=100)

    assert sorted((trial.params["a"], trial.params["b"]) for trial in trials) == [
        (a, b) for a in (1, 2, 3) for b in ("x", "y")
    ]


def test_grid_points_and_samples_are_the_first_level_and_the_rest_is_searched():
    space = Space(net=Grid("a", "b")) * Space(width=RandInt(1, 64)).sample(3, seed=0) * Space(rate=Rand(0, 1))
    trials = play(HybridSearch(share="even"), space, num_trials=24)

    assert len({(trial.params["net"], trial.params["width"]) for trial in trials}) == 6
    assert len({trial.params["rate"] for trial in trials}) == 24


def test_a_cell_whose_trials_fail_is_left_alone():
    def fails_in_b(params):
        return None if params["net"] == "b" else loss_of(params)

    assert shares(HybridSearch(least=3), loss=fails_in_b)["b"] < 10


def test_without_any_loss_the_cells_are_drawn_at_random():
    share = shares(HybridSearch(least=1), loss=lambda params: None)
    assert min(share.values()) > 5


def test_a_draw_depends_on_the_history_and_the_generator_alone():
    history, rng = History(CELLS), np.random.default_rng(0)
    for number in range(60):
        params = CELLS.draw(rng)
        history.began(number, params)
        history.observed(number, (loss_of(params),), None, runs=False)
    used = HybridSearch()
    used.begin(CELLS)
    for seen in (30, 100, 60):
        used.draw(0, history.upto(seen), np.random.default_rng(seen))
    fresh = HybridSearch()
    fresh.begin(CELLS)

    for seed in range(5):
        drawn = used.draw(0, history.upto(90), np.random.default_rng(seed))
        assert drawn == fresh.draw(0, history.upto(90), np.random.default_rng(seed))


def test_cells_are_compared_at_the_budget_that_most_losses_were_seen_at():
    """Only trials of the worst cell have come to the large budget, where losses are lower."""
    history, rng = History(CELLS), np.random.default_rng(0)
    for number in range(60):
        params = CELLS.draw(rng)
        history.began(number, params)
        history.observed(number, (10 + loss_of(params),), 1, runs=False)
        if params["net"] == "c":
            history.went_on(number)
            history.observed(number, (loss_of(params),), 9, runs=False)
    sampler = HybridSearch()
    sampler.begin(CELLS)

    drawn = [sampler.draw(0, history, np.random.default_rng(seed))["net"] for seed in range(20)]

    assert drawn.count("b") > 12


def test_too_many_cells_are_an_error():
    many = Space(a=Grid(*range(200)), b=Grid(*range(200)), c=Choice(1, 2))
    with pytest.raises(ConfigError, match="more than 10000 cells, and each gets 3 trials at first; write Choice"):
        HybridSearch().begin(many)


def test_hybrid_search_is_found_by_name():
    assert isinstance(resolve("hybrid"), HybridSearch)
