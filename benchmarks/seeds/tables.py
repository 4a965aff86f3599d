"""The seeds' experiments as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.settings import Settings, run_json
from benchmarks.harness.tables import Column, Lines, Row, Table, Target
from benchmarks.seeds.cluster import EXECUTORS
from benchmarks.seeds.equal_time import EPOCHS as EPOCHS_IN_TIME
from benchmarks.seeds.equal_time import ETA
from benchmarks.seeds.equal_trials import EPOCHS, EXPERIMENTS, ONE_STAGE, STAGES, STOPPING
from benchmarks.seeds.schedules import experiment, one_stage_s, shuffled, stages_s

CLUSTERS, EQUAL_ON = (2, 4, 8, 16), 8
PLACES = 100
"""On the axis of time."""
WALL = Column(key="wall_s", title="wall time", unit="s", better="less")
SAVED = Column(key="saved", title="saved against bulk-synchronous stages", unit="%", better="more", plot=True)
BEST = Column(key="validation", title="best validation accuracy", better="more")


def measure(settings: Settings) -> list[Table]:
    trials, repeats = settings.pick(40, 32), settings.pick(3, 1)
    together = run("equal_trials", settings, trials, repeats, each_s=100)
    simulated = simulated_trials(together[STAGES], orders=settings.pick(20, 5))
    seconds = settings.pick(20, 10)
    in_time = run("equal_time", settings, seconds, settings.pick(5, 2), each_s=5 * seconds)
    return [in_equal_time(in_time, seconds), of_equal_trials(together, trials), simulated]


def run(module: str, settings: Settings, amount: int, repeats: int, *, each_s: float) -> Any:
    """What a module finds on one session of Spark; its start is not measured."""
    settings.say(f"{module}: {repeats} rounds on executors of Spark")
    with TemporaryDirectory(prefix="seeds-", dir=settings.folder.resolve()) as folder:
        timeout_s = 300 + 3 * repeats * each_s
        return run_json("maggy", f"benchmarks.seeds.{module}", amount, repeats, folder, timeout_s=timeout_s)


# --- the same time ---


def in_equal_time(found: Mapping[str, Sequence[dict[str, Any]]], seconds: float) -> Table:
    keys = ("trials", "stopped", "validation", "test")
    rows = [
        Row(
            name=method,
            side="ours",
            group="Spark",
            samples={key: [run[key] for run in runs] for key in keys},
            note=spread([run["test"] for run in runs]),
        )
        for method, runs in found.items()
    ]
    curves = {method: mean_course([run["course"] for run in runs], seconds) for method, runs in found.items()}
    return Table(
        name="seeds_equal_time",
        title="In the same time",
        text=f"Three searches, each for {seconds:g} s on the same {EXECUTORS} executors of Spark, in turn: a "
        f"perceptron with three hidden layers on noisy digits, up to {EPOCHS_IN_TIME} epochs. ASHA has eta {ETA}, "
        "begins with one epoch, and goes on from checkpoints; early stopping is the median rule. The best "
        "configuration by validation is judged on a test split that no search ever sees. The second seed reports, in "
        "this order, 442, 120 and 36 trials and accuracies of 0.81, 0.80 and 0.77, and for another task 422, 112 and "
        "40 trials and 0.70, 0.54 and 0.53.",
        columns=[
            Column(key="trials", title="trials", better="more", plot=True),
            Column(key="stopped", title="stopped early"),
            BEST,
            Column(key="test", title="its test accuracy", better="more", plot=True),
        ],
        rows=rows,
        lines=[
            Lines(
                name="seeds_equal_time",
                title="Best validation accuracy so far, mean over the repeats",
                x="seconds since the search began",
                y="validation accuracy",
                curves=curves,
            )
        ],
        caveats=[
            "The time of a search includes the start of its workers, but not that of the session.",
            "ASHA tries so many because most of its trials end after the one epoch that they begin with.",
            "Few configurations of this space learn at all: twenty random ones may have none among them.",
            "The driver, three Java processes and the trials share the cores of this machine.",
        ],
    )


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, as the seeds have it."""
    if len(values) < 2:
        return ""
    return f"test accuracy: mean {fmean(values):.3f}, standard deviation {stdev(values):.3f}"


def mean_course(courses: Sequence[Sequence[tuple[float, float]]], seconds: float) -> tuple[list[float], list[float]]:
    """The best so far over time, from when every repeat has a first result."""
    begin = max(course[0][0] for course in courses)
    places = [begin + (seconds - begin) * number / (PLACES - 1) for number in range(PLACES)]
    best = [fmean(max(value for t, value in course if t <= place) for course in courses) for place in places]
    return places, best


# --- the same trials ---


def of_equal_trials(found: Mapping[str, Sequence[dict[str, Any]]], count: int) -> Table:
    baseline = [run["wall_s"] for run in found[STAGES]]
    rows = [
        Row(
            name=method,
            side="ours" if method in EXPERIMENTS else "peer",
            group="Spark",
            samples=samples(runs) | {"saved": saved([run["wall_s"] for run in runs], baseline)},
        )
        for method, runs in found.items()
    ]
    stopping = next(row for row in rows if row.name == STOPPING)
    return Table(
        name="seeds_equal_trials",
        title="The same trials",
        text=f"The same {count} configurations, drawn at random and others in each round, are trained on {EXECUTORS} "
        f"executors of Spark. Bulk-synchronous: {EXECUTORS} trials are a job, and when both have ended comes the next, "
        "as a tuner must that wants to learn from results. One stage: all trials are one job, which nothing can learn "
        "from and nothing can stop. Ours: the same order, without and with the median rule. Training takes "
        f"{EPOCHS} epochs, whose cost depends on width and batch size. The Maggy paper saves 33 to 58 % of the "
        "bulk-synchronous time with random search of a convolutional network on Fashion-MNIST, without loss of "
        "accuracy.",
        columns=[
            WALL,
            SAVED,
            Column(key="epochs", title="epochs trained", unit="%"),
            Column(key="busy", title="executors busy", unit="%", better="more"),
            BEST,
            Column(key="test", title="its test accuracy", better="more"),
        ],
        rows=rows,
        targets=[
            Target(
                text="wall time saved against bulk-synchronous stages with early stopping; the Maggy paper: 33 to 58",
                value=stopping.median("saved") or 0.0,
                unit="%",
                at_least=33,
            )
        ],
        caveats=[
            "Trials take well under a second, so that a job of Spark, and the start of our workers (counted, once for "
            "each experiment), weigh more than they would beside trials of minutes. Spark's own Python is warm.",
            "A rule that judges from the first epoch on stops what starts slowly, at times the best: the accuracy that "
            "this costs is in the table.",
            "With two executors a batch waits for the longer of two trials; with more of them it waits longer, which "
            "the next table shows.",
        ],
    )


def samples(runs: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """By column, one value for each round."""
    columns: dict[str, list[float]] = {"wall_s": [], "epochs": [], "busy": [], "validation": [], "test": []}
    for run in runs:
        trials = run["trials"]
        best = max((trial for trial in trials if trial["test"] is not None), key=lambda trial: trial["validation"][-1])
        epochs = sum(len(trial["validation"]) for trial in trials)
        busy_s = sum(trial["seconds"] for trial in trials)
        columns["wall_s"].append(run["wall_s"])
        columns["epochs"].append(100 * epochs / (EPOCHS * len(trials)))
        columns["busy"].append(100 * busy_s / (EXECUTORS * run["wall_s"]))
        columns["validation"].append(best["validation"][-1])
        columns["test"].append(best["test"])
    return columns


def saved(walls_s: Sequence[float], baseline_s: Sequence[float]) -> list[float]:
    """In percent, round by round."""
    return [100 * (1 - wall / base) for wall, base in zip(walls_s, baseline_s, strict=True)]


# --- the same trials on more executors ---


def simulated_trials(runs: Sequence[dict[str, Any]], orders: int) -> Table:
    """With the durations and curves that were recorded, in so many orders."""
    recorded = [trial for run in runs for trial in run["trials"]]
    mean_s = fmean(trial["processor_s"] for trial in recorded)
    equal = [trial | {"processor_s": mean_s} for trial in recorded]
    rows = [row for executors in CLUSTERS for row in simulated_on(executors, "", recorded, orders)]
    rows += simulated_on(EQUAL_ON, ", equal trials", equal, orders)
    return Table(
        name="seeds_simulated",
        title="The same trials, simulated on more executors",
        text=f"What this machine cannot run: the {len(recorded)} trials that were recorded in the stages of the table "
        f"above, in {orders} random orders, on more executors. A trial takes the processor time that it took there. "
        "Spark's stages are summed up, at no cost for a job; ours is `maggy.simulate`, the real driver under a virtual "
        "clock. In the last group all trials take as long as they do on average: there only a rule saves time.",
        columns=[WALL, SAVED, BEST],
        rows=rows,
        caveats=[
            "Simulated, not measured: without the start of workers, without what a job of Spark or a message costs.",
            "Before a rule stops any, 10 trials have to finish: with more executors more trials have begun by then.",
        ],
    )


def simulated_on(executors: int, which: str, recorded: Sequence[dict[str, Any]], orders: int) -> list[Row]:
    walls: dict[str, list[float]] = {STAGES: [], ONE_STAGE: []} | {name: [] for name in EXPERIMENTS}
    best: dict[str, list[float]] = {name: [] for name in walls}
    for seed in range(orders):
        trials = shuffled(recorded, seed)
        seconds = [trial["processor_s"] for trial in trials]
        best_of_all = max(trial["validation"][-1] for trial in trials)
        outcomes = {
            STAGES: (stages_s(seconds, executors), best_of_all),
            ONE_STAGE: (one_stage_s(seconds, executors), best_of_all),
            **{name: experiment(trials, executors, **settings) for name, settings in EXPERIMENTS.items()},
        }
        for name, (wall_s, found) in outcomes.items():
            walls[name].append(wall_s)
            best[name].append(found)
    return [
        Row(
            name=f"{name}, {executors} executors{which}",
            side="ours" if name in EXPERIMENTS else "peer",
            group=f"{executors} executors, simulated{which}",
            samples={"wall_s": walls[name], "saved": saved(walls[name], walls[STAGES]), "validation": best[name]},
        )
        for name in walls
    ]
