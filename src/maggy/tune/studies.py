"""Many small studies that share the workers: each has an optimizer and candidates of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from maggy.optimizer import IDLE, Draws, History, Optimizer, Report, Sampler, Setting, Suggestion
from maggy.searchspace import Space
from maggy.trial import Params, Trial
from maggy.tune.stopper import NonIterativeStopper
from maggy.tune.trial import TrialReport

if TYPE_CHECKING:
    import numpy as np

CANDIDATE = "#"
"""What the number of a trial's candidate is called among its parameters: no argument can have that name."""


class Listed(Sampler):
    """Gives configurations that are known beforehand, in order."""

    needs_history: ClassVar[bool] = False
    origin: ClassVar[str] = "candidate"

    def __init__(self, configurations: Sequence[Params]) -> None:
        super().__init__()
        self._configurations = configurations

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> int:
        return len(self._configurations)

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params:
        return dict(self._configurations[number])


class Candidates:
    """The configurations of each study: what journals and messages show of its candidates."""

    def __init__(self, studies: Sequence[Sequence[Params]]) -> None:
        self.studies = studies


class Studies(Optimizer):
    """Gives every study its optimizer, and workers what the first study has that has anything to do.

    make        makes the optimizer of a study; it draws nothing but its candidates
    candidates  of each study
    about       what is tried, in one line
    how         by which plan or local optimizer; by both a study that is resumed is known again
    """

    needs_curves: ClassVar[bool] = True
    objectives = "one"

    def __init__(
        self, make: Callable[[], Optimizer], candidates: Candidates, about: str = "", how: object = None
    ) -> None:
        self._make, self._candidates, self.about, self.how = make, candidates, about, how

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        self._begun: dict[int, Optimizer] = {}
        self._open = dict.fromkeys(range(len(self._candidates.studies)))  # an ordered set
        self._study = {
            params[CANDIDATE]: index for index, study in enumerate(self._candidates.studies) for params in study
        }
        self._known: set[int] = set()
        first = self._optimizer(0)
        self.promotes, self.judges = first.promotes, first.judges
        return sum(map(len, self._candidates.studies))

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        answer: Suggestion = None
        ended = []
        for index in self._open:
            suggestion = self._optimizer(index).suggest(n, rng)
            if suggestion is None:
                ended.append(index)
            else:
                answer = suggestion
                if suggestion != IDLE:
                    break
        for index in ended:
            del self._open[index]
        return answer

    def judge(self, trial: Trial, step: int, loss: float) -> str | None:
        return self._of(trial).judge(trial, step, loss)

    def observe(self, report: Report) -> None:
        self._of(report.trial).observe(report)

    def unwanted(self) -> Mapping[int, str]:
        found: dict[int, str] = {}
        for number, trial in self.setting.running.items():
            optimizer = self._optimizer(self._study[trial.params[CANDIDATE]])
            if isinstance(optimizer, Once) and optimizer.has_enough:
                found[number] = "its partition has been searched enough"
        return found

    def _of(self, trial: Trial) -> Optimizer:
        optimizer = self._optimizer(self._study[trial.params[CANDIDATE]])
        assert trial.trial_id is not None
        if trial.trial_id not in self._known:
            self._known.add(trial.trial_id)
            optimizer.setting.draws.history.began(trial.trial_id, trial.params)
        return optimizer

    def _optimizer(self, index: int) -> Optimizer:
        if index not in self._begun:
            configurations = self._candidates.studies[index]
            draws = Draws(Listed(configurations), self.setting.space, seed=index, most=len(configurations))
            optimizer = self._begun[index] = self._make()
            optimizer.prepare(
                replace(self.setting, draws=draws, num_trials=len(configurations), running={}, finished=())
            )
        return self._begun[index]


class Once(Optimizer):
    """Tries every candidate once, or until a stopper has seen enough.

    stopper    None for none
    report_of  what the stopper is told of a trial that has ended
    """

    def __init__(
        self, stopper: NonIterativeStopper | None = None, report_of: Callable[[Trial], TrialReport] | None = None
    ) -> None:
        self._stopper, self._report_of = stopper, report_of

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        self._judge = None if self._stopper is None else self._stopper.fresh()
        self.has_enough = False
        return setting.draws.most

    def suggest(self, n: int, rng: np.random.Generator) -> Suggestion:
        draw = None if self.has_enough else self.setting.draws.fresh()
        return None if draw is None else draw.trial()

    def observe(self, report: Report) -> None:
        if self._judge is not None and report.loss is not None and not self.has_enough:
            assert self._report_of is not None
            self.has_enough = self._judge.judge(self._report_of(report.trial))
