"""A simulated worker process: says what a real one would say, when a real one would say it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from maggy.errors import BroadcastMetricValueError
from maggy.simulation.listener import SimulatedListener
from maggy.simulation.timeline import Timeline
from maggy.simulation.training import Run, Training
from maggy.wire.channel import Peer, Sign
from maggy.wire.messages import (
    Finished,
    FromDriver,
    GoOnTrial,
    Metrics,
    Ready,
    Release,
    RunTrial,
    Stopped,
    StopTrial,
    ToDriver,
    Welcome,
    WorkerHello,
)
from maggy.worker.process import failure


@dataclass
class World:
    """What all simulated workers share.

    there_s  for how long workers were there, all together
    busy_s   for how long they had a trial
    """

    timeline: Timeline
    listener: SimulatedListener
    training: Training
    there_s: float = 0.0
    busy_s: float = 0.0


class SimulatedProcess:
    """A worker process from its start to its end.

    peer      its session
    hello     what it says first
    slowdown  how many times longer a step takes here
    """

    def __init__(self, world: World, peer: Peer, hello: WorkerHello, slowdown: float) -> None:
        self._world, self._peer, self._slowdown = world, peer, slowdown
        self._run: Run | None = None
        self._awaits_verdict = False
        self._since = self._busy_since = world.timeline.now
        world.listener.hearers[peer] = self._hear
        self._say(hello)

    def end(self) -> None:
        """It is gone, and whatever it was about to do with it."""
        now, world = self._world.timeline.now, self._world
        world.there_s += now - self._since
        if self._run is not None:
            world.busy_s += now - self._busy_since
            self._run = None
        world.listener.forget(self._peer)

    def _hear(self, message: FromDriver) -> None:
        match message:
            case GoOnTrial() if self._awaits_verdict:
                self._awaits_verdict = False
                self._go_on()
            case RunTrial():
                self._begin(message)
            case StopTrial():
                self._stop()
            case Welcome():
                self._say(Ready())
            case Release():
                self.end()
                self._world.listener.say(self._peer, Sign.GONE)

    def _begin(self, order: RunTrial) -> None:
        try:
            run = self._world.training.begin(order)
        except Exception as error:
            self._say(failure(order, error))
            return
        self._run, self._busy_since = run, self._world.timeline.now
        self._train()

    def _train(self) -> None:
        """Begin the next step, or return."""
        run = self._run
        assert run is not None
        if run.step < run.end:
            self._world.timeline.plan(run.seconds[run.step] * self._slowdown, self._step)
        else:
            self._answer(Finished(run.order.trial, run.order.attempt, run.metric, run.outputs))

    def _step(self) -> None:
        """A step is done."""
        run = self._run
        if run is None:
            return  # this process has ended since the step began
        run.step += 1
        if not run.reports:
            self._train()
            return
        order, metric = run.order, run.metric
        judged = order.judge_every > 0 and run.step % order.judge_every == 0 and not run.stopping
        self._say(Metrics(order.trial, order.attempt, [run.step], [metric], run.step if judged else None))
        if not isfinite(metric):
            error = BroadcastMetricValueError(f"broadcast was given {metric} at step {run.step}")
            self._answer(failure(order, error))
        elif run.stopping:
            self._answer(Stopped(order.trial, order.attempt, metric))
        elif judged:
            self._awaits_verdict = True
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Nobody stops the trial at the step that is done."""
        assert self._run is not None
        saved = self._world.training.save(self._run)
        if saved is not None:
            self._say(saved)
        self._train()

    def _stop(self) -> None:
        run = self._run
        if run is None:
            return
        run.stopping = True
        if self._awaits_verdict:
            self._awaits_verdict = False
            self._answer(Stopped(run.order.trial, run.order.attempt, run.metric))

    def _answer(self, message: ToDriver) -> None:
        """The trial has ended here."""
        self._say(message)
        self._run = None
        self._world.busy_s += self._world.timeline.now - self._busy_since

    def _say(self, message: ToDriver) -> None:
        self._world.listener.say(self._peer, message)
