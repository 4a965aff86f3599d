"""Draws of samplers that fit models, made ahead in a process of their own: nobody waits for a model."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from maggy import context
from maggy.optimizer import Draw, Draws, Fact, History, Sampler
from maggy.searchspace import Space

_MOST_AHEAD = 64
_WARM_UP_S = 30.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Models are small: where threads share busy cores, each waits for the others, and a fit takes many times as long."""
_STARTS = 3  # a process that dies is started again, but not for ever


class Death(NamedTuple):
    """The process is dead."""

    cause: str

    def __str__(self) -> str:
        return self.cause


class _Passed(History):
    """A history that passes every fact on."""

    def __init__(self, space: Space, pass_on: Callable[[Fact], None]) -> None:
        super().__init__(space)
        self._pass_on = pass_on

    def learn(self, fact: Fact) -> None:
        super().learn(fact)
        self._pass_on(fact)


class AheadDraws(Draws):
    """Draws whose model works in a process of its own, on what is known when it begins.

    The process is up before the first trial begins. It draws as many as there are trials running, and as soon as more
    is known it begins anew; a worker that asks gets the newest draw that lies ready. Where nothing lies ready, a
    configuration is drawn at random instead, and says so (`origin` "fallback").

    warn  called with one line if the sampler fails; all that follows is drawn at random
    """

    def __init__(
        self,
        sampler: Sampler,
        space: Space,
        *,
        seed: int,
        most: int,
        objectives: int = 1,
        warn: Callable[[str], None],
    ) -> None:
        super().__init__(sampler, space, seed=seed, most=most, objectives=objectives)
        if sampler.fits_models:
            self.history = _Passed(space, self._learnt)
            self._packed = context.dumps((sampler, space, seed, most, objectives))
        self._warn = warn
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: deque[Any] = deque()
        self._threads: list[threading.Thread] = []
        self._newest: deque[Draw] = deque()  # all from the same facts
        self._reserve: deque[Draw] = deque()  # from fewer
        self._takes_s: float | None = None
        self._starts_left = _STARTS
        self._warm = threading.Event()
        self._exhausted = False

    def go_live(self) -> None:
        super().go_live()
        if self.sampler.fits_models:
            self._want()

    def warm_up(self) -> None:
        if self._process is not None:
            self._warm.wait(_WARM_UP_S)

    def close(self) -> None:
        self._starts_left = 0
        self._end()

    def _model_draw(self) -> Draw | None:
        self._collect()
        if self._process is None:
            self._want()
        for ready in (self._newest, self._reserve):
            while ready:
                draw = ready.popleft()
                if not self._tried_since(draw):
                    return draw
        if self._exhausted:
            return None
        return self._random(self._number, "fallback", self._why_late())

    def _tried_since(self, draw: Draw) -> bool:
        assert draw.saw is not None
        return any(fact.params == draw.params for fact in self.history.facts[draw.saw[0] :])

    def _learnt(self, fact: Fact) -> None:
        if self._process is not None:
            self._orders.put(fact)
        if self.live:
            self._collect()
            self._want()

    def _want(self) -> None:
        """Ask for draws from what is known now."""
        if not self._starts_left:
            return
        if self._process is None:
            self._start()  # before it is needed: it has much to import
        if self.sampler.ready(self.history):
            self._orders.put(min(max(len(self.history.pending), 1), _MOST_AHEAD))

    def _collect(self) -> None:
        while self._answers:
            answer = self._answers.popleft()
            if answer is None:
                self._exhausted = True
                continue
            if isinstance(answer, str | Death):
                self._failed(answer)
                return
            draw, self._takes_s = answer
            if self._newest and self._newest[0].saw[0] != draw.saw[0]:  # type: ignore[index]
                self._reserve.extendleft(reversed(self._newest))
                self._newest.clear()
                while len(self._reserve) > _MOST_AHEAD:
                    self._reserve.pop()
            self._newest.append(draw)

    def _failed(self, why: str | Death) -> None:
        self._starts_left = self._starts_left - 1 if isinstance(why, Death) else 0  # what it raised it raises again
        self._end()
        if not self._starts_left:
            self._warn(f"the sampler failed, and configurations are drawn at random from here on: {why}")

    def _why_late(self) -> str:
        if not self._starts_left:
            return "drawn at random: the sampler has failed"
        if self._takes_s is None:
            return "drawn at random: the model has just begun to work"
        return f"drawn at random: the model was still at work (its last draw took {self._takes_s:.2g} s)"

    def _start(self) -> None:
        self._orders, self._answers = queue.SimpleQueue(), deque()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "maggy.driver.drawing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        )
        for order in (self._packed, *self.history.facts):
            self._orders.put(order)
        self._threads = [
            threading.Thread(target=_write, args=(self._process, self._orders), name="maggy-draws", daemon=True),
            threading.Thread(
                target=_read, args=(self._process, self._answers, self._warm), name="maggy-draws", daemon=True
            ),
        ]
        for thread in self._threads:
            thread.start()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._orders.put(None)
        for thread in self._threads:
            thread.join()
        self._answers.clear()  # the reader has said that it is dead
        self._process = None


def _write(process: subprocess.Popen[bytes], orders: queue.SimpleQueue[Any]) -> None:
    assert process.stdin is not None
    with suppress(OSError), process.stdin as pipe:  # if it has died, the reader tells
        while (order := orders.get()) is not None:
            pickle.dump(order, pipe)
            if orders.empty():
                pipe.flush()


def _read(process: subprocess.Popen[bytes], answers: deque[Any], warm: threading.Event) -> None:
    assert process.stdout is not None
    try:
        with process.stdout as pipe:
            pickle.load(pipe)  # it is up
            warm.set()
            while True:
                answers.append(pickle.load(pipe))
    except (EOFError, OSError, pickle.UnpicklingError):
        answers.append(Death(f"its process ended with exit status {process.wait()}"))
        warm.set()
