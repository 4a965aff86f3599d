"""Going on where a killed worker has left off: a training function that saves and loads its state."""

import os
import signal
import time
from pathlib import Path

from maggy import Searchspace, lagom, load_checkpoint
from maggy.config import HyperparameterOptConfig

EPOCHS = 20
notes = Path("epochs").absolute()  # one file for each trial, to count what was computed
notes.mkdir(exist_ok=True)


def train(learning_rate, reporter):
    """Fits a line by gradient descent."""
    state = reporter.load_checkpoint() or {"weights": [0.0, 0.0], "epoch": 0}
    (slope, offset), first = state["weights"], state["epoch"]
    points = [(x / 10, 3 * x / 10 + 1) for x in range(10)]
    for epoch in range(first + 1, EPOCHS + 1):
        errors = [(x, slope * x + offset - y) for x, y in points]
        slope -= learning_rate * sum(error * x for x, error in errors) / len(points)
        offset -= learning_rate * sum(error for _, error in errors) / len(points)
        loss = sum(error**2 for _, error in errors) / len(points)
        with (notes / f"{reporter.trial_id}").open("a") as file:
            file.write(f"{epoch}\n")
        reporter.broadcast(loss, step=epoch)
        reporter.save_checkpoint({"weights": [slope, offset], "epoch": epoch})
        if epoch == 12 and first == 0:
            time.sleep(0.5)  # an epoch of your training takes at least that long
            os.kill(os.getpid(), signal.SIGKILL)  # stands for a machine that is taken away
    return loss


config = HyperparameterOptConfig(
    name="checkpoints",
    num_trials=4,
    optimizer="randomsearch",
    searchspace=Searchspace(learning_rate=("DOUBLE", [0.1, 1])),
    direction="min",
    es_policy="none",
    seed=1,
)
result = lagom(train, config, verbose=0)

computed = sum(len(path.read_text().split()) for path in notes.iterdir())
killed = sum(trial.attempt for trial in result.trials)
print(f"{len(result.trials)} trials, {killed} of them killed once; epochs computed: {computed} of {4 * EPOCHS}")
state = load_checkpoint(result.best.checkpoint)
print(f"the best line, of epoch {state['epoch']}, has the weights {[round(w, 2) for w in state['weights']]}")
