"""Nobody waits for a model: its draws come from a process of their own, and something else where they are late."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from maggy.driver import AheadDraws
from maggy.optimizer import Draws, Sampler
from maggy.searchspace import Searchspace

LIMIT_S = 60.0
SPACE = Searchspace(x=("DOUBLE", [0, 100]))


class Counting(Sampler):
    """Its model knows how many trials have ended; it waits for a file, and may fail."""

    fits_models = True
    origin = "model"

    def __init__(self, gate: Path | None = None, fails: bool = False) -> None:
        self.gate, self.fails = gate, fails

    def ready(self, history):
        return len(history.observations) >= 1

    def draw(self, number, history, rng):
        print("a sampler may print")
        while self.gate is not None and not self.gate.exists():
            time.sleep(0.001)
        if self.fails:
            raise ValueError("no model can be fitted")
        return {"x": float(rng.random()) / 1000 + len(history.observations) + len(history.pending) / 10}


@pytest.fixture
def made():
    """Makes draws, and ends their processes."""
    all_made = []

    def make(sampler, **settings):
        warnings = []
        draws = AheadDraws(sampler, SPACE, seed=7, most=10**6, warn=warnings.append, **settings)
        draws.warnings = warnings
        all_made.append(draws)
        return draws

    yield make
    for draws in all_made:
        draws.close()


def end(draws, trial):
    draws.history.began(trial, {"x": 0.5})
    draws.history.observed(trial, (0.5,), None, runs=False)


def fresh(draws, *, until):
    """Draw until a draw is of the kind that is awaited."""
    by = time.monotonic() + LIMIT_S
    while time.monotonic() < by:
        draw = draws.fresh()
        if until(draw):
            return draw
        time.sleep(0.005)
    raise AssertionError("it never came")


def modelled(draw):
    return draw.origin == "model"


def test_a_model_that_is_late_delays_nobody_and_what_is_drawn_instead_says_so(made, tmp_path):
    draws = made(Counting(gate=tmp_path / "open"))
    assert draws.fresh().origin == "random"
    end(draws, 0)
    late = [draws.fresh() for _ in range(5)]
    assert {draw.origin for draw in late} == {"fallback"}
    assert {draw.reason for draw in late} == {"drawn at random: the model has just begun to work"}
    assert len({draw.params["x"] for draw in late}) == 5
    (tmp_path / "open").touch()
    draw = fresh(draws, until=modelled)
    assert 1 <= draw.params["x"] < 2 and draw.saw == (2, 0)


def test_as_soon_as_more_is_known_newer_draws_replace_the_older_ones(made):
    draws = made(Counting())
    end(draws, 0)
    fresh(draws, until=modelled)
    end(draws, 1)
    assert fresh(draws, until=lambda draw: modelled(draw) and draw.saw[0] == 4).params["x"] >= 2


def test_draws_from_the_same_facts_count_each_other_as_pending_and_can_be_made_again(made):
    draws = made(Counting())
    end(draws, 0)
    draws.history.began(1, {"x": 0.5})
    draws.history.began(2, {"x": 0.5})  # as many are drawn as run
    second = fresh(draws, until=lambda draw: modelled(draw) and draw.saw[1] == 1)
    again = Draws(Counting(), SPACE, seed=7, most=1000)
    assert second.saw[0] == 4
    again.history = draws.history.upto(4)
    first = again.modelled()
    assert again.modelled() == second
    assert first.params["x"] < second.params["x"] - 0.09


def test_a_process_that_is_killed_is_started_again_with_all_that_is_known(made):
    draws = made(Counting())
    end(draws, 0)
    fresh(draws, until=modelled)
    os.kill(draws._process.pid, signal.SIGKILL)
    end(draws, 1)
    assert fresh(draws, until=lambda draw: modelled(draw) and draw.params["x"] >= 2)
    assert draws.warnings == []


def test_a_sampler_that_fails_is_reported_once_and_the_search_goes_on_at_random(made):
    draws = made(Counting(fails=True))
    end(draws, 0)
    draw = fresh(draws, until=lambda draw: "has failed" in draw.reason)
    assert draw.origin == "fallback"
    end(draws, 1)
    assert draws.fresh().origin == "fallback"
    assert len(draws.warnings) == 1 and "ValueError: no model can be fitted" in draws.warnings[0]


def test_what_the_journal_recalls_needs_no_process(made):
    draws = made(Counting(gate=Path("/never")))
    draws.live = False
    end(draws, 0)
    assert draws._process is None
    past = Draws(Counting(), SPACE, seed=7, most=1000)
    past.history = draws.history
    draw = past.modelled()
    draws.recall(draw)
    assert draws.fresh() is draw
    assert draws._process is None
