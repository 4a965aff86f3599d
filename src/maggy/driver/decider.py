"""What follows from an event: the state machine, the policies it asks, and the book they read.

A live driver feeds it what happens, a resumed one and a replay feed it the journal. Nothing in here reads a clock or
touches the world, so the same events lead to the same decisions.
"""

from __future__ import annotations

from maggy.brain import Brain
from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.driver.advisor import Advisor
from maggy.driver.keeper import Keeper


class Decider:
    """See the module.

    brain    who runs what
    advisor  what to try and what to stop
    keeper   which checkpoints are kept
    """

    def __init__(self, brain: Brain, advisor: Advisor, keeper: Keeper) -> None:
        self.brain, self.advisor, self.keeper = brain, advisor, keeper

    def learn(self, event: ev.AnyEvent, *, now: float, t: float) -> tuple[list[do.AnyCommand], list[ev.Answer]]:
        """Learn an event; return what is to be done, and what the policies answered, which is to be learnt next.

        now  on the brain's clock
        t    seconds since the epoch, as trials show them
        """
        self._note(event, t)
        self.advisor.watch.see(t)
        commands = self.brain.handle(event, now)
        answers = [answer for command in commands if (answer := self._carry_out(command, t)) is not None]
        if any(isinstance(command, do.Settle) for command in commands):
            answers += self.advisor.unwanted()
        return commands, answers

    def _note(self, event: ev.AnyEvent, t: float) -> None:
        """Write down what a trial has to say, while it still counts as running."""
        match event:  # most often what comes first
            case ev.MetricsReported() | ev.TrialFinished() | ev.TrialStopped() | ev.TrialFailed():
                if self.brain.holds(event.trial, event.attempt):
                    self.advisor.book.hear(event)
            case ev.DriverStarted():
                self.advisor.watch.pause()
                self.advisor.most_then = event.num_trials
            case ev.WorkerJoined():
                self.advisor.watch.begin(t)
            case ev.StudyStopped():
                self.advisor.watch.stopped = event.reason
            case ev.Suggested():
                self.advisor.take(event)
                if event.parent is not None:
                    self.keeper.lend(self.advisor.book.running[event.trial], event.parent)
            case ev.Promoted():
                self.advisor.promote(event)
                self.keeper.runs_on(event.trial)
            case ev.CheckpointSaved():
                counts = self.brain.goes_on_from(event.trial, event.attempt)
                self.keeper.saved(event, self.advisor.book.running[event.trial] if counts else None)
            case ev.CheckpointDropped():
                self.keeper.dropped(event)

    def _carry_out(self, command: do.AnyCommand, t: float) -> ev.Answer | None:
        """The part of a command that concerns policies and book."""
        match command:
            case do.Ask():
                return self.advisor.ask(command.number)
            case do.Judge():
                return self.advisor.judge(command.trial, command.attempt, command.step)
            case do.Settle():
                trial = self.advisor.book.running[command.trial]
                budget = trial.budget
                self.advisor.book.carry_out(command, t)
                self.keeper.ended(trial, fell_back=command.fell_back)
                self.advisor.observe(trial, t, budget=budget, fell_back=command.fell_back)
            case _:
                self.advisor.book.carry_out(command, t)
        return None
