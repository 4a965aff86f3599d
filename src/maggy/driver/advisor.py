"""Asks the policies. The state machine knows only their answers, as events."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

from maggy.brain.events import Answer, Exhausted, Idled, Judged, Promoted, Suggested
from maggy.chronicle.book import Book, params_of, trial_of
from maggy.driver.watch import Watch
from maggy.earlystop import GO_ON, StoppingPolicy, TrialView, Verdict
from maggy.errors import ConfigError
from maggy.optimizer import IDLE, Draw, Draws, Optimizer, Promotion, Report, Setting, Suggestion, Undrawn
from maggy.searchspace import Space
from maggy.spilled import KEPT
from maggy.trial import Objective, Trial, TrialState

_T = TypeVar("_T")
_SUGGEST = 2  # keeps the random streams of optimizers apart from those of draws


class Advisor:
    """The optimizer and the stopping policy of one experiment, with what they may see.

    objectives    the first is the one that counts where there can be but one
    es_interval   steps between two judgements of a trial by the policy
    es_min        the policy stops no trial before more than so many have a result
    takes_budget  whether the training function asks for a `budget`
    make_draws    makes what draws the fresh configurations
    warn          called with one line when a policy fails; its trials go on
    """

    def __init__(
        self,
        optimizer: Optimizer,
        policy: StoppingPolicy,
        *,
        space: Space,
        num_trials: int,
        objectives: Sequence[Objective],
        seed: int,
        es_min: int,
        es_interval: int = 1,
        takes_budget: bool = False,
        make_draws: Callable[..., Draws] = Draws,
        warn: Callable[[str], None],
    ) -> None:
        if len(objectives) > 1 and optimizer.objectives == "one":
            raise ConfigError(
                f"{optimizer!r} optimises one objective, and there are {len(objectives)}; use optimizer='nsga2', "
                "'randomsearch', or another that takes several"
            )
        self.book = Book(
            objectives,
            keep_losses=policy.needs_curves and not policy.needs_trials,
            keep_metrics=policy.needs_trials or optimizer.needs_curves,
            keep=None if policy.needs_trials or policy.watches_study or optimizer.needs_trials else KEPT,
        )
        self.watch = Watch(keep=policy.watches_study)
        self._optimizer, self._policy = optimizer, policy
        self._seed, self._es_min, self._es_interval, self._warn = seed, es_min, es_interval, warn
        self._next_trial = self._next_ask = 0
        self._suggested: dict[int, Trial] = {}  # by ask number, until the answer is learnt
        self._ahead: tuple[int, Suggestion] | None = None  # number of an ask, and its answer
        self._policy_failed = False
        self._idle_alone = False
        self.recall: Callable[[int], Answer | None] = lambda ask: None
        """What the journal has as the answer to an ask, while it is replayed."""
        self.most_then = 0
        """How many trials there were to be at most when what happens now was written."""
        self.diverged = False
        """Whether the journal has other answers than the optimizer gives now; so it may wait for what never comes."""
        sampler = optimizer.sampler or Undrawn()
        self.draws = make_draws(sampler, space, seed=seed, most=num_trials, objectives=len(objectives))
        policy.prepare(objectives[0].direction)
        setting = Setting(
            space=space,
            num_trials=num_trials,
            direction=objectives[0].direction,
            running=self.book.running,
            finished=self.book.ended,
            draws=self.draws,
            takes_budget=takes_budget,
        )
        self.num_trials = optimizer.prepare(setting)
        self.promotes = optimizer.promotes
        if self.num_trials < 1:
            raise ConfigError("there is nothing to try: the optimizer has no trial for this search space")

    @property
    def gives_budget(self) -> bool:
        """Whether trials are told a `budget`."""
        return self.promotes or self._optimizer.judges

    @property
    def judge_every(self) -> int:
        """Steps between two judgements of a running trial, 0 for none at all."""
        if self._optimizer.judges:
            return 1
        return self._es_interval if self._policy.needs_curves else 0

    def ask(self, number: int) -> Suggested | Promoted | Idled | Exhausted:
        """The optimizer's answer to ask `number`, whose draw depends on nothing but the seed and that number."""
        ahead, self._ahead = self._ahead, None
        past = self.recall(number)
        if isinstance(past, Suggested) and past.saw is not None:
            self.draws.recall(Draw(past.params, past.origin or "", past.reason, past.saw))
        elif isinstance(past, Suggested) and past.origin == "fallback":
            self.draws.recall(Draw(past.params, past.origin, past.reason))
        elif isinstance(past, Idled | Exhausted) and self.promotes and self.most_then < self.num_trials:
            return past  # there were no more then; what it would draw now is not what follows
        suggestion = ahead[1] if ahead is not None and ahead[0] == number else self._suggest(number)
        self._next_ask = number + 1
        if suggestion is None:
            return Exhausted(ask=number)
        if isinstance(suggestion, Promotion):
            if self.diverged and not self.book.may_promote(suggestion.trial):
                return Idled(ask=number)
            return Promoted(
                ask=number,
                trial=suggestion.trial,
                budget=suggestion.budget,
                reason=suggestion.reason,
                rung=suggestion.rung,
                resumable=suggestion.resumable,
            )
        if suggestion == IDLE:
            return self._idled(number)
        assert isinstance(suggestion, Trial)
        suggestion.params = params_of(suggestion)
        self._suggested[number] = suggestion
        self._next_trial += 1
        return Suggested(
            ask=number,
            trial=self._next_trial - 1,
            params=suggestion.params,
            budget=suggestion.budget,
            rung=suggestion.rung,
            bracket=suggestion.bracket,
            resumable=suggestion.resumable,
            parent=suggestion.parent,
            origin=suggestion.origin,
            reason="; ".join(suggestion.notes),
            saw=suggestion.saw,
        )

    def take(self, answer: Suggested) -> None:
        """An answer has become a fact: what `ask` gave, or what the journal says that it gave before."""
        self.book.open(answer.trial, trial_of(answer, self._suggested.pop(answer.ask, None)))
        self.draws.history.began(answer.trial, answer.params)

    def promote(self, answer: Promoted) -> None:
        """A promotion has become a fact."""
        self.book.promote(answer)
        self.draws.history.went_on(answer.trial)

    def go_on_from(self, trial: int) -> None:
        """The next suggestion is this trial, whatever has been answered so far."""
        self._next_trial = trial

    def prepare(self) -> None:
        """Draw the next suggestion while no worker waits for it, if it does not depend on how trials end."""
        if self._ahead is None and not self._optimizer.needs_history and self._next_trial < self.num_trials:
            self._ahead = self._next_ask, self._suggest(self._next_ask)

    def observe(self, trial: Trial, t: float, *, budget: float | None = None, fell_back: bool = False) -> None:
        """Tell the policies how a trial ended.

        budget     what it was to reach
        fell_back  it failed after it was promoted; what the trial shows is its result of before
        """
        losses = None if fell_back else self.book.losses_of(trial)
        loss = None if trial.final_metric is None or fell_back else self.book.loss(trial.final_metric)
        assert trial.trial_id is not None
        reached = None if trial.state is TrialState.STOPPED else budget
        self.draws.history.observed(trial.trial_id, losses, reached, runs=False)
        self.watch.ended(trial, loss, t, first=len(self.book.ended) > self.watch.study.ended)
        self._optimizer.observe(Report(trial=trial, loss=loss, losses=losses))

    def judge(self, trial_id: int, attempt: int, step: int) -> Judged:
        """What optimizer and policy say of a running trial. A policy that fails is reported once, and trials go on."""
        verdict = GO_ON
        if self._optimizer.judges:
            reason = self._optimizer.judge(self.book.running[trial_id], step, self.book.newest_loss(trial_id))
            verdict = GO_ON if reason is None else Verdict(stop=True, reason=reason)
        due = self._policy.needs_curves and step % self._es_interval == 0 and self.book.num_results > self._es_min
        if due and not verdict.stop:
            verdict = self._guarded(lambda: self._policy.verdict(self._view(trial_id))) or GO_ON
        return Judged(
            trial=trial_id,
            attempt=attempt,
            step=step,
            stop=verdict.stop,
            reason=verdict.reason,
            probability=verdict.probability,
        )

    def unwanted(self) -> list[Judged]:
        """The optimizer's word on running trials that it needs no more."""
        running = self.book.running
        return [
            Judged(trial=number, attempt=running[number].attempt, step=-1, stop=True, reason=reason)
            for number, reason in self._optimizer.unwanted().items()
            if number in running
        ]

    def study_verdict(self, t: float) -> str | None:
        """Why the study should end now, in one line; None to go on."""
        if not self._policy.watches_study:
            return None
        self.watch.see(t)
        return self._guarded(lambda: self._policy.study_verdict(self.watch.study))

    def study_check_in_s(self) -> float:
        """Seconds after which `study_verdict` may say something else although nothing happens."""
        if not self._policy.watches_study:
            return inf
        study = self.watch.study
        at = self._guarded(lambda: self._policy.next_check_s(study))
        return inf if at is None else at - study.elapsed_s

    def finalize(self) -> None:
        """The experiment is over."""
        self._optimizer.finalize()

    def _suggest(self, number: int) -> Suggestion:
        import numpy as np

        return self._optimizer.suggest(number, np.random.default_rng([self._seed, number, _SUGGEST]))

    def _idled(self, number: int) -> Idled | Exhausted:
        """The answer of an optimizer that waits; not for ever, where it waits for trials that it never got."""
        if not self.book.running and not self._idle_alone:
            self._idle_alone = True
            follows = "the search ends here" if self.diverged else "it is asked again every second"
            self._warn(f"the optimizer says IDLE although no trial is running; {follows}")
        return Exhausted(ask=number) if self.diverged and not self.book.running else Idled(ask=number)

    def _view(self, trial_id: int) -> TrialView:
        book = self.book
        if self._policy.needs_trials:
            return TrialView(trial=book.running[trial_id], results=book.results, study=self.watch.study)
        return TrialView(curve=book.losses[trial_id], finished=book.finished, study=self.watch.study)

    def _guarded(self, ask: Callable[[], _T]) -> _T | None:
        """What a policy answers, None if it has failed, which is said once."""
        if self._policy_failed:
            return None
        try:
            return ask()
        except (Exception, SystemExit):
            self._policy_failed = True
            self._warn(f"the stopping rule failed and stops nothing from here on:\n{traceback.format_exc()}")
            return None
