"""A pool of workers under a virtual clock. Only the contestant's own thinking takes time."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.search_quality.contestants import Contestant
from benchmarks.search_quality.problems import Problem
from benchmarks.search_quality.space import Params

UNEVENNESS = 0.3
"""Trials of the same configuration differ in speed: the sigma of a log-normal factor, one for each trial."""


@dataclass
class Trial:
    key: int
    curve: list[float]
    step_s: float
    step: int = 0


@dataclass
class Run:
    """What came of it.

    regrets    the least regret of any loss that was reported, after each step that any trial took
    trials     how many configurations were tried, in part or to the end
    seconds    on the virtual clock
    asking_s   processor time that the contestant took: asked, reported to and told
    slowest_s  the most that one of these took
    """

    regrets: list[float] = field(default_factory=list)
    trials: int = 0
    seconds: float = 0.0
    asking_s: float = 0.0
    slowest_s: float = 0.0


def run(problem: Problem, contestant: Contestant, workers: int, steps: int, seed: int) -> Run:
    """Let a contestant search until its trials have taken so many steps, or it has nothing more to try.

    Raises RuntimeError where a trial that is over or running is asked for again.
    """
    return _Pool(problem, contestant, workers, steps, seed).run()


class _Pool:
    def __init__(self, problem: Problem, contestant: Contestant, workers: int, steps: int, seed: int) -> None:
        self.problem, self.contestant = problem, contestant
        self.idle, self.steps = workers, steps
        self.rng = np.random.default_rng([seed, workers])
        self.paused: dict[int, Trial] = {}
        self.known: set[int] = set()
        self.ends: list[tuple[float, int, Trial]] = []  # a heap of when each running trial ends its current step
        self.result = Run()
        self.timed(contestant.start, problem.space, seed, problem.steps)

    def run(self) -> Run:
        result, taken, least = self.result, 0, float("inf")
        while taken < self.steps:
            self.hand_out(self.steps - taken)
            if not self.ends:
                break
            result.seconds, _, trial = heapq.heappop(self.ends)
            trial.step += 1
            taken += 1
            loss = trial.curve[trial.step - 1]
            least = min(least, self.problem.regret(loss))
            result.regrets.append(least)
            if trial.step == self.problem.steps:
                self.timed(self.contestant.tell, trial.key, loss)
                self.idle += 1
            elif self.contestant.stops and self.timed(self.contestant.report, trial.key, trial.step, loss):
                self.paused[trial.key] = trial
                self.idle += 1
            else:
                self.go_on(trial)
        result.trials = len(self.known)
        return result

    def hand_out(self, steps_left: int) -> None:
        while self.idle and len(self.ends) < steps_left and (asked := self.timed(self.contestant.ask)):
            self.go_on(self.trial(*asked))
            self.idle -= 1

    def trial(self, key: int, params: Params) -> Trial:
        if key in self.paused:
            return self.paused.pop(key)
        if key in self.known:
            raise RuntimeError(f"trial {key} was asked for again, and is running or over")
        self.known.add(key)
        step_s = self.problem.seconds(params) * float(self.rng.lognormal(0.0, UNEVENNESS))
        return Trial(key, self.problem.curve(params), step_s)

    def go_on(self, trial: Trial) -> None:
        heapq.heappush(self.ends, (self.result.seconds + trial.step_s, trial.key, trial))

    def timed(self, function, *arguments):  # type: ignore[no-untyped-def]
        start = time.process_time()
        answer = function(*arguments)
        took_s = time.process_time() - start
        self.result.asking_s += took_s
        self.result.slowest_s = max(self.result.slowest_s, took_s)
        return answer
