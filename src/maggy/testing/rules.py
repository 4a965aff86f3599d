"""What every early-stopping rule must do."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from copy import deepcopy

from maggy.earlystop import AbstractEarlyStop, EarlyStopAdapter, StoppingRule, Verdict, resolve
from maggy.testing.streams import global_streams
from maggy.trial import Curve, Direction, Trial, TrialState


def some_losses(seed: int = 0, trials: int = 30) -> list[Curve]:
    """Curves of losses that fall to different floors at different speeds, reported at steps of different width."""
    stream = random.Random(seed)
    curves = []
    for _ in range(trials):
        floor, height, speed = stream.random(), stream.random(), stream.uniform(0.05, 0.5)
        steps = list(range(stream.choice([0, 1, 3]), 25, stream.choice([1, 2, 5])))
        curves.append(Curve(steps, [floor + height * math.exp(-speed * s) + stream.gauss(0, 0.02) for s in steps]))
    return curves


def watch(
    policy: StoppingRule | AbstractEarlyStop,
    losses: Sequence[Curve],
    *,
    direction: Direction = "min",
    es_min: int = 3,
) -> dict[int, tuple[int, str]]:
    """Run trials one after another under a rule, without a driver; judge each at every point that it reports.

    losses     what each trial would report if it ran to its end; its metrics are these, negated for "max"
    direction  what the rule is told
    es_min     trials that must have ended before the first one is judged

    Returns, for each trial that was stopped, the step and the reason.
    """
    rule = resolve(policy)
    sign = -1 if direction == "max" else 1
    stops: dict[int, tuple[int, str]] = {}
    curves: list[Curve] = []
    trials: list[Trial] = []
    for number, plan in enumerate(losses):
        curve = Curve()
        trial = Trial({"number": number}, trial_id=number, state=TrialState.RUNNING, curve=Curve())
        for step, loss in zip(plan.steps, plan.values, strict=True):
            curve.extend([step], [loss])
            assert trial.curve is not None
            trial.curve.extend([step], [sign * loss])
            if number < es_min:
                continue
            if isinstance(rule, EarlyStopAdapter):
                verdict = rule.check(trial, trials, direction)
            else:
                verdict = rule.judge(curve, curves)
            assert isinstance(verdict, Verdict)
            if verdict.stop:
                stops[number] = (step, verdict.reason)
                break
        trial.state = TrialState.STOPPED if number in stops else TrialState.FINISHED
        trial.final_metric = sign * curve.values[-1]
        curves.append(curve)
        trials.append(trial)
    return stops


class RuleContract:
    """The suite. Say how your rule is made."""

    def make(self) -> StoppingRule | AbstractEarlyStop:
        """A new rule, made the same way at every call."""
        raise NotImplementedError

    def losses(self) -> list[Curve]:
        """What trials report while the rule watches."""
        return some_losses()

    def test_the_same_curves_are_judged_the_same(self) -> None:
        assert watch(self.make(), self.losses()) == watch(self.make(), self.losses())

    def test_minimising_a_metric_is_maximising_its_negative(self) -> None:
        smaller_is_better = watch(self.make(), self.losses(), direction="min")
        larger_is_better = watch(self.make(), self.losses(), direction="max")
        assert {number: step for number, (step, _) in larger_is_better.items()} == {
            number: step for number, (step, _) in smaller_is_better.items()
        }

    def test_every_stop_has_a_reason_of_one_line(self) -> None:
        for number, (_, reason) in watch(self.make(), self.losses()).items():
            assert reason.strip(), f"trial {number} was stopped without a reason"
            assert "\n" not in reason

    def test_the_global_random_streams_are_left_alone(self) -> None:
        before = global_streams()
        watch(self.make(), self.losses())
        assert global_streams() == before

    def test_it_gets_along_with_the_first_point_of_the_first_trial(self) -> None:
        assert watch(self.make(), [Curve([0], [0.5])], es_min=0).keys() <= {0}

    def test_the_curves_that_it_sees_stay_as_they_are(self) -> None:
        rule = resolve(self.make())
        losses = self.losses()
        if isinstance(rule, EarlyStopAdapter):
            trials = [
                Trial({}, trial_id=number, final_metric=curve.values[-1], curve=curve)
                for number, curve in enumerate(losses)
            ]
            before = deepcopy(trials)
            rule.check(trials[-1], trials[:-1], "min")
            assert trials == before
        else:
            before_curves = deepcopy(losses)
            rule.judge(losses[-1], losses[:-1])
            assert losses == before_curves
