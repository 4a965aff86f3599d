"""The process in which a sampler fits its models; `AheadDraws` starts it and talks to it through its pipes.

Both ends are the same user on the same machine, and nobody else holds the pipes, so objects travel as they are.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
import traceback
from contextlib import suppress
from copy import deepcopy
from typing import Any

import cloudpickle

from maggy.optimizer import Draw, Draws, Fact

_WARM_UP_TRIALS = 12
_NICE = 5  # driver and workers on this machine come first


def main() -> None:
    """Learn facts, and draw when asked to, from all that has been told by then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    os.nice(_NICE)
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a sampler prints must not get between the answers
    sampler, space, seed, most, objectives = cloudpickle.loads(pickle.load(orders))
    _warm_up(Draws(deepcopy(sampler), space, seed=seed, most=most, objectives=objectives), objectives)
    draws = Draws(sampler, space, seed=seed, most=most, objectives=objectives)
    pickle.dump(None, answers)
    answers.flush()
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, told), daemon=True).start()
    wanted = 0
    while True:
        while not wanted or not told.empty():  # whatever is known by now counts for the next draw
            order = told.get()
            if isinstance(order, Fact):
                draws.history.learn(order)
            else:
                wanted = order
        wanted -= 1
        pickle.dump(_draw(draws), answers)
        answers.flush()


def _warm_up(draws: Draws, objectives: int) -> None:
    """Let the sampler's libraries load and compile what they need, on a few made-up results."""
    import numpy as np

    rng = np.random.default_rng(0)
    with suppress(Exception):  # what is wrong shows again when it matters
        for trial in range(_WARM_UP_TRIALS):
            draws.history.began(trial, draws.space.draw(rng))
            draws.history.observed(trial, tuple(rng.random(objectives)), None, runs=False)
        draws.modelled()


def _draw(draws: Draws) -> tuple[Draw, float] | str | None:
    """A draw and how long it took; why there is none; or None if there will be no more."""
    begun = time.monotonic()
    try:
        draw = draws.modelled()
    except Exception:  # a sampler may raise anything
        return traceback.format_exc()
    return None if draw is None else (draw, time.monotonic() - begun)


def _listen(orders: Any, told: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            told.put(pickle.load(orders))
        except (EOFError, OSError):
            os._exit(0)  # the driver is gone, and nobody waits for a model that is still at work


if __name__ == "__main__":
    main()
