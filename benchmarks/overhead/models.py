"""The hand-over while a model of all that was tried is fitted: nobody waits for it."""

from __future__ import annotations

from typing import Any

from benchmarks.harness.settings import Settings, in_turn, run_json
from benchmarks.harness.tables import Column, Row, Table
from benchmarks.overhead.contest import last_line, quantiles_ms

COLUMNS = [
    Column(key="gap_p50_ms", title="Gap p50", unit="ms", better="less"),
    Column(key="gap_p99_ms", title="Gap p99", unit="ms", better="less"),
    Column(key="model_pct", title="From the model", unit="%"),
]
OPTIMIZERS = {"randomsearch": "random search", "tpe": "TPE", "gp": "Gaussian process"}


def models(settings: Settings) -> Table:
    """Random search, which fits nothing, beside those that do."""
    trials, last = settings.pick((400, 150), (100, 50))

    def run(optimizer: str) -> dict[str, Any]:
        settings.say(f"hand-over while a model is fitted: {optimizer}")
        answer: dict[str, Any] = run_json(
            "maggy",
            "benchmarks.overhead.ours.fitting",
            optimizer,
            trials,
            last,
            timeout_s=120.0,
            env={"TMPDIR": str(settings.folder)},
        )
        return answer

    failures: dict[str, str] = {}
    answers = in_turn(settings.pick(2, 1), list(OPTIMIZERS), run, failures.__setitem__)
    return Table(
        name="models",
        title="Hand-over while a model is fitted",
        text=f"Trials of 45 to 55 ms and five hyperparameters on two local workers; the last {last} of {trials}, of "
        "which the model suggested the given share. A model is fitted beside the driver, and whoever is free before it "
        "is ready gets a configuration that was drawn ahead.",
        columns=COLUMNS,
        rows=[row(optimizer, answers[optimizer], failures.get(optimizer)) for optimizer in OPTIMIZERS],
    )


def row(optimizer: str, answers: list[dict[str, Any]], failure: str | None) -> Row:
    cuts = [quantiles_ms(answer["gap_ms"]) for answer in answers]
    return Row(
        name=OPTIMIZERS[optimizer],
        side="ours",
        samples={
            "gap_p50_ms": [p50 for p50, _ in cuts],
            "gap_p99_ms": [p99 for _, p99 in cuts],
            "model_pct": [answer["model_pct"] for answer in answers],
        }
        if answers
        else {},
        note="" if failure is None else last_line(failure),
    )
