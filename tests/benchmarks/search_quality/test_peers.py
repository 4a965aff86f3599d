"""Runs with the peers that are installed here."""

from __future__ import annotations

import pytest

from benchmarks.search_quality.functions import FUNCTIONS
from benchmarks.search_quality.grid import STOPPING, Cell
from benchmarks.search_quality.peers import PEERS
from benchmarks.search_quality.problems import problem
from benchmarks.search_quality.runner import run
from benchmarks.search_quality.space import place_of

MODULES = {"optuna": "optuna", "hyperopt": "hyperopt", "synetune": "syne_tune"}
peers = pytest.mark.parametrize("name", [name for name in PEERS if not name.endswith("-gp")])


def installed(name: str) -> None:
    pytest.importorskip(MODULES.get(name.split("-")[0], "numpy"))


@peers
def test_a_peer_stays_within_the_space_and_its_conditions(name):
    installed(name)
    space = FUNCTIONS["pipeline"].space
    contestant = PEERS[name]()
    contestant.start(space, seed=1, steps=1)
    for _ in range(40):
        key, params = contestant.ask()
        contestant.tell(key, problem("pipeline").curve(params)[-1])
        assert ("momentum" in params) == (params["optimizer"] == "sgd")
        assert ("epsilon" in params) == (params["optimizer"] == "adam")
        assert all(0 <= place_of(space[key], value) <= 1 for key, value in params.items())


@peers
def test_a_peer_repeats_itself_with_the_same_seed_and_pool(name):
    installed(name)
    cell = Cell(seed=2, workers=8, problem="late_bloomer", contestant=name, steps=600)
    one, again = ({key: run(cell)[key] for key in ("trials", "regrets", "seconds")} for _ in range(2))
    assert one == again


@peers
def test_those_who_stop_trials_begin_many_more_for_the_same_steps(name):
    installed(name)
    row = run(Cell(seed=2, workers=8, problem="boosting", contestant=name, steps=20 * 81))
    assert (row["trials"] > 40) == (name in STOPPING)
