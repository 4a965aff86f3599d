"""Objectives for tests, in a module that travels with them."""

from __future__ import annotations

from pathlib import Path

from maggy.tune import IterativeObjectiveFunc, TrialReport


def bowl(a: float, b: float) -> float:
    return (a - 1) ** 2 + (b - 0.5) ** 2


class Descent(IterativeObjectiveFunc):
    """Approaches |a - 3| as 1/step; says in its metadata what happened to it."""

    def copy(self) -> Descent:
        return Descent()

    def initialize(self) -> None:
        self.step = 0
        self.lives: list[str] = ["begun"]

    def run_single_iteration(self) -> TrialReport:
        self.step += 1
        metric = abs(self.current_trial.params.simple_value["a"] - 3) + 1 / self.step
        return TrialReport(self.current_trial, metric, metadata={"step": self.step, "lives": self.lives})

    def save_checkpoint(self, fs) -> None:
        fs.writetext("STEP", str(self.step))
        with fs.open("LIVES", "w") as file:
            file.write(",".join(self.lives))

    def load_checkpoint(self, fs) -> None:
        self.step = int(fs.readtext("STEP"))
        assert Path(fs.getsyspath("LIVES")).is_file()
        self.lives = [*fs.readtext("LIVES").split(","), f"loaded at {self.step}"]
