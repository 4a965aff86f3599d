"""TensorBoard's events from within a trial: the folder that your own callback writes to."""

from __future__ import annotations

from maggy.worker.reporter import Reporter
from maggy.worker.running import running

_by_hand: Reporter | None = None


def logdir() -> str:
    """The running trial's own folder for event files, e.g. `keras.callbacks.TensorBoard(maggy.tensorboard.logdir())`.

    In an experiment it is `trials/<number>/tensorboard` in the experiment's folder, made when it is asked for, so that
    `tensorboard --logdir` on that folder shows it; a single run is trial 0. Of several workers that run a trial
    together rank 0 gets that, and rank 1 the folder `rank-1` in it. Where the experiment's folder is on an object
    store, a temporary folder of this machine is given, which is copied there when the trial ends.

    Outside an experiment it is a new folder under ./maggy-runs/by-hand, the same for the whole process.

    Raises ExperimentDirError if this machine does not see the experiment's folder.
    """
    global _by_hand
    if (reporter := running()) is not None:
        return reporter.logdir
    if _by_hand is None:
        _by_hand = Reporter()
    return _by_hand.logdir
