"""The driver under a virtual clock: 10,000 simulated workers, up to a million trials, processor time on one core."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.harness.settings import Settings, run_json
from benchmarks.harness.tables import Column, Lines, Row, Table, Target

WORKERS = 10_000
STEPS = 5  # of a trial that nobody promotes
TOP = 9  # steps at the largest budget of ASHA
SAMPLES = 200
PAGE_BYTES = resource.getpagesize()
SEARCHES = ("random search", "median rule", "ASHA, promotion", "ASHA, stopping")
MILLION = ("random search", "ASHA, promotion")

COLUMNS = [
    Column(key="first_us", title="an event in the first tenth", unit="us"),
    Column(key="last_us", title="an event in the last tenth", unit="us", better="less", plot=True),
    Column(key="minutes", title="all of it", unit="min of one core", better="less"),
    Column(key="trials", title="trials"),
    Column(key="events", title="events"),
    Column(key="peak_mib", title="most memory", unit="MiB", better="less"),
    Column(key="trial_bytes", title="memory that a trial leaves", unit="bytes", better="less", plot=True),
    Column(key="journal_mib", title="journal", unit="MiB"),
]
TEXT = """`maggy.simulate` is the driver of a real experiment, with its brain, policies and journal, under a virtual
clock and with workers that only pretend to train. Here it has 10,000 of them, whose processes die every 200 virtual
seconds and are back after one. Each trial reports every step: {steps} in a search without budgets, up to {top} under
ASHA, whose promoted trials go on from a checkpoint. The journal goes to disk. Time is processor time of the whole
process; a tenth is one of the trials that begin after each worker has had its first."""


def measure(settings: Settings) -> list[Table]:
    rows, targets, cost, memory = [], [], {}, {}
    for name in SEARCHES:
        trials = settings.pick(1_000_000 if name in MILLION else 100_000, 20_000)
        settings.say(f"{name}, {trials:,} trials")
        told = run_json(
            "maggy", "benchmarks.scale.simulation", name, trials, settings.folder, timeout_s=settings.pick(3600, 300)
        )
        rows.append(Row(name=name, side="ours", samples={key: [value] for key, value in told["figures"].items()}))
        cost[name], memory[name] = told["cost"], told["memory"]
        targets += targets_of(name, trials, told["figures"])
    curves = [
        Lines(name="cost", title="What an event costs", x="trials begun", y="us of processor time", curves=cost),
        Lines(name="memory", title="Memory of the driver", x="trials begun", y="MiB", curves=memory),
    ]
    return [
        Table(
            name="simulation",
            title="10,000 simulated workers",
            text=TEXT.format(steps=STEPS, top=TOP),
            columns=COLUMNS,
            rows=rows,
            targets=targets,
            lines=curves,
            caveats=[
                "The newest 10,000 trials that have ended stay in memory, older ones lie in a file: where there are "
                "few in all, what a trial leaves are mostly these.",
                "In short, the first tenth is part of the first round, when trials begin at once and few are judged.",
                "Of a trial that may still be promoted, its hyperparameters and the place of its checkpoint are kept.",
            ],
        )
    ]


def targets_of(name: str, trials: int, figures: dict[str, float]) -> list[Target]:
    if trials < 100_000:
        return []  # two rounds of all workers, in which nothing can be seen to grow
    growth = Target(
        text=f"{name}: what an event costs in the last tenth, beside the first",
        value=figures["last_us"] / figures["first_us"],
        at_most=1.25,
    )
    if trials < 1_000_000:
        return [growth]
    text = f"{name}: a million trials"
    return [growth, Target(text=text, value=figures["minutes"], unit="min of one core", at_most=10)]


def main(name: str, trials: int, folder: Path) -> None:
    """Play one of them, and say what it took, as JSON."""
    watch = Watch(folder, every=max(1, trials // SAMPLES))
    events = play(name, trials, watch)
    seconds = process_time()
    rows = watch.rows()
    steady = [row for row in rows if WORKERS <= row.begun < trials]
    tenth = (trials - WORKERS) // 10
    early = [row for row in steady if row.begun <= WORKERS + tenth]
    late = [row for row in steady if row.begun >= trials - tenth]
    growth = (steady[-1].resident - early[-1].resident) / (steady[-1].begun - early[-1].begun)
    print(
        json.dumps(
            {
                "figures": {
                    "first_us": us_per_event(early),
                    "last_us": us_per_event(late),
                    "minutes": seconds / 60,
                    "trials": trials,
                    "events": events,
                    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "trial_bytes": growth,
                    "journal_mib": watch.journal.stat().st_size / 2**20,
                },
                "cost": smooth(steady),
                "memory": [[row.begun for row in rows], [row.resident / 2**20 for row in rows]],
            }
        )
    )
    shutil.rmtree(watch.folder)


def play(name: str, trials: int, watch: Watch) -> int:
    """A whole simulation; returns how many events it had."""
    from maggy import Searchspace, simulate
    from maggy.config import HyperparameterOptConfig
    from maggy.optimizer import Asha
    from maggy.simulation import LearningCurve, Losses

    optimizers: dict[str, Any] = {
        "ASHA, promotion": Asha(3, 1, TOP),
        "ASHA, stopping": Asha(3, 1, TOP, form="stopping"),
    }
    steps = TOP if name in optimizers else STEPS

    def curves(params: dict[str, float]) -> LearningCurve:
        watch.see()
        return LearningCurve([params["x"] + params["y"] / step for step in range(1, steps + 1)], 1.0 + params["y"])

    result = simulate(
        HyperparameterOptConfig(
            num_trials=trials,
            searchspace=Searchspace(x=("DOUBLE", [0.0, 1.0]), y=("DOUBLE", [0.0, 1.0])),
            direction="min",
            optimizer=optimizers.get(name, "randomsearch"),
            es_policy="median" if name == "median rule" else "none",
        ),
        curves,
        workers=WORKERS,
        seed=1,
        resumes=name == "ASHA, promotion",
        losses=Losses(mtbf_s=200.0, restart_s=1.0),
        experiment_dir=watch.folder,
    )
    return result.num_events


class Sample:
    """What is known at some moment.

    offset    bytes of the journal
    events    that are in it
    begun     trials that had begun
    """

    def __init__(self, seconds: float, resident: int, offset: int) -> None:
        self.seconds, self.resident, self.offset = seconds, resident, offset
        self.events = self.begun = 0


class Watch:
    """Looks at the clock, the memory and the journal at every so many runs of trials.

    folder  where the simulation writes
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self._every, self._runs = folder / "simulated", every, 0
        self._samples: list[Sample] = []

    def see(self) -> None:
        """A run of a trial begins."""
        self._runs += 1
        if self._runs % self._every == 0:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
            self._samples.append(Sample(process_time(), resident, self.journal.stat().st_size))

    @cached_property
    def journal(self) -> Path:
        """The only file of the journal."""
        return next(self.folder.glob("journal/*.jsonl"))

    def rows(self) -> list[Sample]:
        """The samples, with what the journal had by then; of those within one turn of the driver the first."""
        events = begun = 0
        with self.journal.open("rb") as file:
            for sample in self._samples:
                written = file.read(sample.offset - file.tell())
                events += written.count(b"\n")
                begun += written.count(b'"Suggested"')
                sample.events, sample.begun = events, begun
        samples = [self._samples[0], *self._samples]
        return [sample for before, sample in pairwise(samples) if sample.events > before.events]


def us_per_event(rows: Sequence[Sample]) -> float:
    return (rows[-1].seconds - rows[0].seconds) / (rows[-1].events - rows[0].events) * 1e6


def smooth(rows: Sequence[Sample], width: int = 10) -> list[list[float]]:
    """What an event costs over the trials that had begun, over windows of samples."""
    windows = [rows[at : at + width] for at in range(len(rows) - width + 1)]
    return [[window[-1].begun for window in windows], [us_per_event(window) for window in windows]]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
