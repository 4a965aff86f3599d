"""`python -m benchmarks.seed_table`: how far three searches come in the same time, on a real training task.

The second seed reports, for one time budget, ASHA, random search with early stopping and random search without:
442, 120 and 36 trials, and accuracies of 0.81, 0.80 and 0.77. This is the same comparison, on this machine: a
perceptron with three hidden layers and plain momentum on the noisy digits of `search_quality`, up to 256 epochs. Every
search runs on the same two workers, in turn, for as long; what it found is judged on a test split that it never saw.

Runs are appended to a file, and those that are in it are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.search_quality.results import interval
from benchmarks.search_quality.training import Network, accuracy, noisy_digits, softmax
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.earlystop import MedianStoppingRule, time_budget
from maggy.optimizer import Asha

EPOCHS, ETA = 256, 4
SECONDS, REPEATS, WORKERS = 20.0, 10, 2
PATH = Path(__file__).parent / "results" / "seed_table.jsonl"
SPACE = Searchspace(
    lr=("DOUBLE", [1e-5, 10], {"log": True}),
    momentum=("DOUBLE", [0.0, 0.999]),
    batch=("INTEGER", [16, 512], {"log": True}),
    weight_decay=("DOUBLE", [1e-6, 1], {"log": True}),
    init_scale=("DOUBLE", [1e-2, 10], {"log": True}),
)
METHODS: dict[str, Callable[[], dict[str, Any]]] = {
    "ASHA": lambda: {"optimizer": Asha(ETA, 1, EPOCHS), "es_policy": time_budget(SECONDS)},
    "random, early stopping": lambda: {
        "optimizer": "randomsearch",
        "es_policy": MedianStoppingRule() | time_budget(SECONDS),
    },
    "random": lambda: {"optimizer": "randomsearch", "es_policy": time_budget(SECONDS)},
}


def train(lr, momentum, batch, weight_decay, init_scale, reporter, budget=EPOCHS):  # type: ignore[no-untyped-def]
    """Train up to so many epochs, from the last checkpoint if there is one."""
    (images, labels), *held_out = noisy_digits()
    state = reporter.load_checkpoint()
    if state is None:
        rng = np.random.default_rng(reporter.trial_id)
        state = {"network": Network([128, 48, 48, 48, 10], init_scale, rng), "rng": rng, "epoch": 0}
    network, rng = state["network"], state["rng"]
    params = {"momentum": momentum, "batch": batch, "weight_decay": weight_decay}
    targets, inputs = np.eye(10, dtype=np.float32)[labels], images.astype(np.float32)

    def gradient(outputs, wanted):  # type: ignore[no-untyped-def]
        return (softmax(outputs) - wanted) / len(wanted)

    with np.errstate(all="ignore"):  # what diverges guesses
        while state["epoch"] < budget:
            network.epoch(inputs, targets, gradient, params, lr, rng)
            state["epoch"] += 1
            reporter.broadcast(score(network, *held_out[0]), step=state["epoch"])
        if budget < EPOCHS:
            reporter.save_checkpoint(state)
        return {"Metric": score(network, *held_out[0]), "test": score(network, *held_out[1])}


def plain(lr, momentum, batch, weight_decay, init_scale, reporter):  # type: ignore[no-untyped-def]
    """The same training, always to the end."""
    return train(lr, momentum, batch, weight_decay, init_scale, reporter)


def score(network: Network, images: np.ndarray, labels: np.ndarray) -> float:
    outputs = network.outputs(images.astype(np.float32))
    return accuracy(np.nan_to_num(outputs, nan=-1e30).argmax(1), labels)


def run(method: str, repeat: int, folder: Path) -> dict[str, Any]:
    config = HyperparameterOptConfig(
        num_trials=1_000_000,
        searchspace=SPACE,
        direction="max",
        seed=repeat,
        num_workers=WORKERS,
        experiment_dir=folder / f"{method}-{repeat}",
        **METHODS[method](),
    )
    result = lagom(train if method == "ASHA" else plain, config, engine="local", verbose=0)
    finished = [trial for trial in result.trials if trial.metric_dict is not None]
    best = max(finished, key=lambda trial: trial.final_metric or 0.0)
    assert best.metric_dict is not None
    return {
        "method": method,
        "repeat": repeat,
        "seconds": SECONDS,
        "trials": len(result.trials),
        "stopped": result["early_stopped"],
        "validation": best.final_metric,
        "test": best.metric_dict["test"],
        "budget": best.budget,
        "full": [trial.final_metric for trial in finished] if method == "random" else None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {SECONDS:g} s on {WORKERS} workers | trials | stopped early | test accuracy of the best | validation |",
        "|---|---|---|---|---|",
    ]
    for method in METHODS:
        mine = [row for row in rows if row["method"] == method]
        cells = [spread([row[name] for row in mine], digits) for name, digits in COLUMNS.items()]
        lines.append(f"| {method} ({len(mine)} runs) | {' | '.join(cells)} |")
    full = [value for row in rows if row["full"] for value in row["full"]]
    if full:
        good = sum(value >= max(full) - 0.01 for value in full)
        lines.append(f"\nWithin 0.01 of the best of {len(full)} random configurations, fully trained: {good}.")
    return "\n".join(lines)


COLUMNS = {"trials": 0, "stopped": 0, "test": 4, "validation": 4}


def spread(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    low, high = interval(values)
    mean, deviation = float(np.mean(values)), float(np.std(values))
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f}; sd {deviation:.{digits}f})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seed_table", description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--out", type=Path, default=PATH, metavar="FILE")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    known = {(row["method"], row["repeat"]) for row in rows}
    arguments.out.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="runs-", dir=arguments.out.parent) as folder, arguments.out.open("a") as out:
        for repeat in range(arguments.repeats):
            for method in METHODS:
                if (method, repeat) not in known:
                    rows.append(run(method, repeat, Path(folder)))
                    print(json.dumps(rows[-1]), file=out, flush=True)
                    print({key: value for key, value in rows[-1].items() if key != "full"}, file=sys.stderr)
    print(table(rows))
    arguments.out.with_suffix(".md").write_text(table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
