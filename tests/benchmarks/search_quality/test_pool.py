from __future__ import annotations

import pytest

from benchmarks.search_quality.contestants import Contestant, Random
from benchmarks.search_quality.pool import run
from benchmarks.search_quality.problems import Problem, problem


class Script(Contestant):
    """Runs x = 1, 2, 3 ..., stops every trial after its first step, and later takes up the first one again."""

    stops = True

    def __init__(self):
        self.heard, self.asked, self.again = [], 0, False

    def start(self, space, seed, steps):
        self.heard.append(("start", steps))

    def ask(self):
        if self.again:
            return None
        if self.asked == 3:
            self.again = True
            return 1, {"x": 1.0}
        self.asked += 1
        return self.asked, {"x": float(self.asked)}

    def report(self, key, step, loss):
        self.heard.append((key, step, loss))
        return step == 1

    def tell(self, key, loss):
        self.heard.append((key, "end", loss))


def falling(steps: int) -> Problem:
    """x + 3, x + 2, ... x for a trial of four steps; 0 is the best and 10 is typical."""
    return Problem(
        name="falling",
        space={"x": ("DOUBLE", [0.0, 10.0])},
        steps=steps,
        curve=lambda params: [params["x"] + steps - step for step in range(1, steps + 1)],
        seconds=lambda params: 1.0,
        best=0.0,
        at_random=10.0,
    )


def test_one_worker_runs_trials_one_after_the_other_and_goes_on_with_a_stopped_one_where_it_was():
    script = Script()
    result = run(falling(4), script, workers=1, steps=100, seed=1)
    first = [(1, 1, 4.0), (2, 1, 5.0), (3, 1, 6.0)]
    assert script.heard == [("start", 4), *first, (1, 2, 3.0), (1, 3, 2.0), (1, "end", 1.0)]
    assert result.trials == 3
    assert result.regrets == [0.4, 0.4, 0.4, 0.3, 0.2, 0.1]


def test_the_budget_counts_steps_of_all_workers_and_nothing_is_begun_that_it_cannot_pay():
    script = Script()
    result = run(falling(4), script, workers=8, steps=2, seed=1)
    assert len(result.regrets) == 2
    assert script.asked == 2


def test_more_workers_end_sooner_on_the_virtual_clock():
    one, eight = (run(falling(3), Random(), workers, steps=240, seed=4) for workers in (1, 8))
    assert len(one.regrets) == len(eight.regrets) == 240
    assert eight.seconds < one.seconds / 6


def test_the_same_seed_gives_the_same_run():
    one, again, other = (run(problem("branin"), Random(), 8, steps=50, seed=seed).regrets for seed in (3, 3, 4))
    assert one == again != other


def test_a_trial_that_is_over_cannot_be_asked_for_again():
    class Forgetful(Random):
        def ask(self):
            return 7, super().ask()[1]

    with pytest.raises(RuntimeError, match="trial 7"):
        run(problem("branin"), Forgetful(), workers=1, steps=3, seed=0)
