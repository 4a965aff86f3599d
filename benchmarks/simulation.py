"""The driver under a virtual clock: 1,000 simulated workers, processor time on one core."""

from __future__ import annotations

from time import process_time
from typing import Any

from benchmarks.measure import Figure, Settings, Target, in_fresh_process
from maggy import Searchspace, simulate
from maggy.config import HyperparameterOptConfig
from maggy.optimizer import Asha, SuccessiveHalving
from maggy.simulation import LearningCurve, Losses

WORKERS = 1000
STEPS = 5  # of a trial that nobody stops or promotes
TOP = 9  # steps at the largest budget
SPACE = Searchspace(x=("DOUBLE", [0.0, 1.0]), y=("DOUBLE", [0.0, 1.0]))

SEARCHES: dict[str, dict[str, Any]] = {
    "random search": {"optimizer": "randomsearch", "es_policy": "none"},
    "median rule": {"optimizer": "randomsearch", "es_policy": "median"},
    "asha, promotion": {"optimizer": Asha(3, 1, TOP), "es_policy": "none"},
    "asha, stopping": {"optimizer": Asha(3, 1, TOP, form="stopping"), "es_policy": "none"},
    "successive halving": {"optimizer": SuccessiveHalving(max_budget=TOP), "es_policy": "none"},
}


def run(settings: Settings) -> list[Figure]:
    trials = settings.pick(100_000, 5_000)
    return [figure for name in SEARCHES for figure in measured(name, trials)]


def measured(name: str, trials: int) -> list[Figure]:
    seconds, events = in_fresh_process(play, name, trials)
    few_seconds, few_events = in_fresh_process(play, name, trials // 10)
    what = f"simulation, {name}, {WORKERS:,} workers, {trials:,} trials"
    return [
        Figure(name=what, unit="s", ours=[seconds], targets=[Target(at_most=180)]),
        Figure(
            name=f"{what}, events",
            unit="1/s",
            ours=[events / seconds],
            reference=[few_events / few_seconds],
            beside=f"{trials // 10:,} trials",
            targets=[Target(of="ratio", at_least=0.67)],
        ),
    ]


def play(name: str, trials: int) -> tuple[float, int]:
    """Seconds of processor time for a whole simulation, and how many events it had."""
    search = SEARCHES[name]
    steps = STEPS if search["optimizer"] == "randomsearch" else TOP

    def curves(params: dict[str, float]) -> LearningCurve:
        return LearningCurve([params["x"] + params["y"] / step for step in range(1, steps + 1)], 1.0 + params["y"])

    began = process_time()
    result = simulate(
        HyperparameterOptConfig(num_trials=trials, searchspace=SPACE, direction="min", **search),
        curves,
        workers=WORKERS,
        seed=1,
        resumes=True,
        losses=Losses(mtbf_s=200.0, restart_s=1.0),
    )
    return process_time() - began, result.num_events
