"""What stopping rules save, and what they lose, on the recorded curves of `search_quality`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from statistics import fmean

import numpy as np

from benchmarks.harness.settings import Settings
from benchmarks.harness.tables import Column, Lines, Row, Table
from benchmarks.search_quality.tables import NAMES, load
from benchmarks.search_quality.tables import Table as Task
from benchmarks.stopping.rules import FINISHED_FIRST, RULES, AshaStopping
from maggy.earlystop import Calibration, StoppingPolicy, calibration
from maggy.testing.rules import watch
from maggy.trial import Curve

TRIALS = 100
ALL = "all tasks"

Figures = dict[str, float]


def measure(settings: Settings) -> list[Table]:
    settings.say("stopping: what rules save and lose")
    rounds, seeds_in_a_round = settings.pick((3, 10), (3, 1))
    seeds = rounds * seeds_in_a_round
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    calibrations: dict[str, list[list[Calibration]]] = defaultdict(list)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = list(product(NAMES, range(seeds)))
        for (task, _), (figures, calibrated) in zip(jobs, pool.map(judged, *zip(*jobs, strict=True)), strict=True):
            calibrations[task].append(calibrated)
            for rule, each in figures.items():
                found[rule, task].append(each)
    for rule in RULES:
        by_seed = zip(*(found[rule, task] for task in NAMES), strict=True)
        found[rule, ALL] = [{key: fmean(each[key] for each in same) for key in same[0]} for same in by_seed]
    by_task = {task: pooled(several) for task, several in calibrations.items()}
    return [
        table_of_rules(found, (ALL,), seeds, seeds_in_a_round),
        table_of_rules(found, NAMES, seeds, seeds_in_a_round),
        table_of_calibration(by_task),
    ]


def judged(name: str, seed: int) -> tuple[dict[str, Figures], list[Calibration]]:
    """What each rule makes of the same trials of a task, and how well their ends are predicted."""
    task = load(name)
    ends = sign_of(task) * task.curves[:, -1]
    best, typical = float(ends.min()), float(np.median(ends))
    curves = drawn(task, seed)
    figures = {rule: saved_and_lost(make(typical, task.epochs), curves, typical - best) for rule, make in RULES.items()}
    return figures, calibration(curves)


def drawn(task: Task, seed: int) -> list[Curve]:
    """The losses of some of the recorded configurations."""
    rows = np.random.default_rng(seed).choice(len(task.curves), TRIALS, replace=False)
    steps = list(range(1, task.epochs + 1))
    return [Curve(steps, [sign_of(task) * float(value) for value in task.curves[row]]) for row in rows]


def sign_of(task: Task) -> float:
    return -1.0 if task.direction == "max" else 1.0


def saved_and_lost(rule: StoppingPolicy, curves: Sequence[Curve], unit: float) -> Figures:
    """Run the trials one after another under a rule.

    unit  the loss of a typical configuration less that of the best

    saved, stopped  shares of the epochs, and of the trials
    lost            by how much the best trial that ran to its end is worse than the best of all
    """
    stops = watch(rule, curves, es_min=0 if isinstance(rule, AshaStopping) else FINISHED_FIRST)
    epochs = sum(stops.get(number, (len(curve), ""))[0] for number, curve in enumerate(curves))
    ends = [curve.values[-1] for number, curve in enumerate(curves) if number not in stops]
    return {
        "saved": 1 - epochs / sum(map(len, curves)),
        "lost": (min(ends) - min(curve.values[-1] for curve in curves)) / unit,
        "stopped": len(stops) / len(curves),
    }


def pooled(found: Iterable[Sequence[Calibration]]) -> list[Calibration]:
    """Those of several experiments as one."""
    by_range: dict[tuple[float, float], list[Calibration]] = defaultdict(list)
    for each in (one for several in found for one in several):
        by_range[each.low, each.high].append(each)
    return [
        Calibration(
            low=low,
            high=high,
            predicted=float(np.average([each.predicted for each in same], weights=[each.count for each in same])),
            observed=float(np.average([each.observed for each in same], weights=[each.count for each in same])),
            count=sum(each.count for each in same),
        )
        for (low, high), same in sorted(by_range.items())
    ]


def table_of_rules(
    found: Mapping[tuple[str, str], Sequence[Figures]], tasks: Sequence[str], seeds: int, seeds_in_a_round: int
) -> Table:
    """A row for each rule on each of the tasks, with means over the seeds of each round."""
    together = tasks == (ALL,)

    def of_rounds(figures: Sequence[Figures], key: str) -> list[float]:
        rounds = [figures[first : first + seeds_in_a_round] for first in range(0, len(figures), seeds_in_a_round)]
        return [fmean(each[key] for each in round_) for round_ in rounds]

    return Table(
        name="stopping_rules" if together else "stopping_rules_by_task",
        title=f"What each rule saves, and what it loses{'' if together else ': task by task'}",
        text=f"{TRIALS} recorded configurations of a training task are drawn, {seeds} times over, and trained one "
        f"after another under each rule. *Saved* is the share of epochs that were not trained. *Lost* is by how much "
        f"the best trial that ran to its end is worse than the best of all {TRIALS}, where 1 is the distance of a "
        f"typical configuration from the best one that was recorded. A value is the mean over "
        f"{seeds_in_a_round} of the draws{' and the four tasks' if together else ''}.",
        columns=[
            Column(key="saved", title="epochs saved", better="more", plot=together),
            Column(key="stopped", title="trials stopped"),
            Column(key="lost", title="lost", better="less", plot=together),
        ],
        rows=[
            Row(
                name=rule,
                side="ours",
                group=task,
                samples={key: of_rounds(found[rule, task], key) for key in ("saved", "stopped", "lost")},
            )
            for task in tasks
            for rule in RULES
        ],
        caveats=[
            "Perceptrons, a linear model and boosting on small data: learning curves that cross more, or start slower, "
            "cost every rule more. The patience rule is for training that goes on although nothing happens; as the "
            "only rule it stops late bloomers.",
            "The threshold here is set by somebody who knows the task: what a typical configuration comes to has to be "
            "reached after half the epochs. ASHA is an optimizer; its stopping form judges from the first trial on, "
            f"the others once {FINISHED_FIRST} trials have ended. Conditions on the search as a whole (`n_samples`, "
            "`time_budget` and so on) stop no trial, and so are no rows.",
        ],
    )


def table_of_calibration(by_task: Mapping[str, Sequence[Calibration]]) -> Table:
    """Whether what the curve prediction says is what happens."""
    curves = {
        task: ([each.predicted for each in found], [each.observed for each in found]) for task, found in by_task.items()
    }
    return Table(
        name="calibration",
        title="Whether predicted probabilities come true",
        text="The same draws, each trial predicted after 5, 10, 20, 40 and 70 % of its epochs, as the curve prediction "
        "rule does: the probability that it ends better than all before it, and how often it did.",
        columns=[
            Column(key="predicted", title="predicted, mean"),
            Column(key="observed", title="came true, share"),
            Column(key="count", title="predictions"),
        ],
        rows=[
            Row(
                name=f"{each.low:g} to {each.high:g}",
                side="ours",
                samples={"predicted": [each.predicted], "observed": [each.observed], "count": [float(each.count)]},
            )
            for each in pooled(by_task.values())
        ],
        lines=[
            Lines(
                name="calibration",
                title="Curve prediction",
                x="predicted probability of ending as the best so far",
                y="how often that came true",
                curves={"as predicted": ([0.0, 1.0], [0.0, 1.0]), **curves},
            )
        ],
    )
