"""Asks the policies. The state machine knows only their answers, as events."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from maggy.brain.events import Exhausted, Idled, Judged, Suggested
from maggy.driver.book import Book, params_of
from maggy.earlystop import GO_ON, EarlyStopAdapter, StoppingRule, Verdict
from maggy.errors import ConfigError
from maggy.optimizer import IDLE, Optimizer, Report, Setting, Suggestion
from maggy.searchspace import Searchspace
from maggy.trial import Direction, Trial


class Advisor:
    """The optimizer and the stopping rule of one experiment, with what they may see.

    warn  called with one line when a rule fails; its trials go on
    """

    def __init__(
        self,
        optimizer: Optimizer,
        rule: StoppingRule | EarlyStopAdapter,
        *,
        space: Searchspace,
        num_trials: int,
        direction: Direction,
        seed: int,
        es_min: int,
        warn: Callable[[str], None],
    ) -> None:
        developers = isinstance(rule, EarlyStopAdapter)
        self.book = Book(
            direction,
            keep_losses=rule.needs_curves and not developers,
            keep_metrics=developers or optimizer.needs_curves,
        )
        self._optimizer, self._rule = optimizer, rule
        self._direction, self._seed, self._es_min, self._warn = direction, seed, es_min, warn
        self._next_trial = self._next_ask = 0
        self._suggested: dict[int, Trial] = {}  # by ask number, until the answer is learnt
        self._ahead: tuple[int, Suggestion] | None = None  # number of an ask, and its answer
        self._rule_failed = False
        self._idle_alone = False
        setting = Setting(
            space=space,
            num_trials=num_trials,
            direction=direction,
            running=self.book.running,
            finished=self.book.ended,
        )
        self.num_trials = optimizer.prepare(setting)
        if self.num_trials < 1:
            raise ConfigError("there is nothing to try: the optimizer has no trial for this search space")

    @property
    def judges(self) -> bool:
        """Whether there is a rule at all."""
        return self._rule.needs_curves

    def ask(self, number: int) -> Suggested | Idled | Exhausted:
        """The optimizer's answer to ask `number`, whose draw depends on nothing but the seed and that number."""
        ahead, self._ahead = self._ahead, None
        suggestion = ahead[1] if ahead is not None and ahead[0] == number else self._suggest(number)
        self._next_ask = number + 1
        if suggestion is None:
            return Exhausted(ask=number)
        if suggestion == IDLE:
            if not self.book.running and not self._idle_alone:
                self._idle_alone = True
                self._warn("the optimizer says IDLE although no trial is running; it is asked again every second")
            return Idled(ask=number)
        assert isinstance(suggestion, Trial)
        suggestion.params = params_of(suggestion)
        self._suggested[number] = suggestion
        self._next_trial += 1
        return Suggested(ask=number, trial=self._next_trial - 1, params=suggestion.params)

    def take(self, answer: Suggested) -> None:
        """An answer has become a fact: what `ask` gave, or what the journal says that it gave before."""
        trial = self._suggested.pop(answer.ask, None) or Trial(answer.params)
        trial.params = answer.params
        self.book.open(answer.trial, trial)

    def go_on_from(self, trial: int) -> None:
        """The next suggestion is this trial, whatever has been answered so far."""
        self._next_trial = trial

    def prepare(self) -> None:
        """Draw the next suggestion while no worker waits for it, if it does not depend on how trials end."""
        if self._ahead is None and not self._optimizer.needs_history and self._next_trial < self.num_trials:
            self._ahead = self._next_ask, self._suggest(self._next_ask)

    def observe(self, trial: Trial) -> None:
        """Tell the optimizer how a trial ended."""
        loss = None if trial.final_metric is None else self.book.loss(trial.final_metric)
        self._optimizer.observe(Report(trial=trial, loss=loss))

    def judge(self, trial_id: int, attempt: int, step: int) -> Judged:
        """The rule's answer for a running trial. A rule that fails is reported once, and its trials go on."""
        verdict = GO_ON
        if len(self.book.results) > self._es_min and not self._rule_failed:
            try:
                verdict = self._verdict(trial_id)
            except (Exception, SystemExit):
                self._rule_failed = True
                self._warn(f"the stopping rule failed and stops nothing from here on:\n{traceback.format_exc()}")
        return Judged(trial=trial_id, attempt=attempt, step=step, stop=verdict.stop, reason=verdict.reason)

    def finalize(self) -> None:
        """The experiment is over."""
        self._optimizer.finalize()

    def _suggest(self, number: int) -> Suggestion:
        import numpy as np

        return self._optimizer.suggest(number, np.random.default_rng([self._seed, number]))

    def _verdict(self, trial_id: int) -> Verdict:
        if isinstance(self._rule, EarlyStopAdapter):
            return self._rule.check(self.book.running[trial_id], self.book.results, self._direction)
        return self._rule.judge(self.book.losses[trial_id], self.book.finished)
