"""What every early-stopping rule must do."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from copy import deepcopy

from maggy.earlystop import AbstractEarlyStop, StoppingPolicy, Study, TrialView, Update, Verdict, resolve
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
    policy: StoppingPolicy | AbstractEarlyStop,
    losses: Sequence[Curve],
    *,
    direction: Direction = "min",
    es_min: int = 3,
) -> dict[int, tuple[int, str]]:
    """Run trials one after another under a policy, without a driver; judge each at every point that it reports.

    losses     what each trial would report if it ran to its end; its metrics are these, negated for "max"
    direction  what the policy is told
    es_min     trials that must have ended before the first one is judged

    A point takes a second. Where the policy ends the study, no further trial is begun.

    Returns, for each trial that was stopped, the step and the reason.
    """
    rule = resolve(policy)
    rule.prepare(direction)
    sign = -1 if direction == "max" else 1
    stops: dict[int, tuple[int, str]] = {}
    curves: list[Curve] = []
    trials: list[Trial] = []
    study = Study(trials=trials)
    for number, plan in enumerate(losses):
        curve, metrics = Curve(), Curve()
        trial = Trial(
            {"number": number}, trial_id=number, state=TrialState.RUNNING, curve=metrics, start=study.elapsed_s
        )
        view = TrialView(curve=curve, finished=curves, trial=trial, results=trials, study=study)
        for step, loss in zip(plan.steps, plan.values, strict=True):
            curve.extend([step], [loss])
            metrics.extend([step], [sign * loss])
            study.elapsed_s += 1
            if number < es_min:
                continue
            verdict = rule.verdict(view)
            assert isinstance(verdict, Verdict)
            assert verdict.probability is None or 0 <= verdict.probability <= 1
            if verdict.stop:
                stops[number] = (step, verdict.reason)
                break
        trial.state = TrialState.STOPPED if number in stops else TrialState.FINISHED
        trial.final_metric, trial.end = sign * curve.values[-1], study.elapsed_s
        curves.append(curve)
        trials.append(trial)
        study.ended += 1
        if not study.updates or curve.values[-1] < study.updates[-1].loss:
            study.updates.append(Update(study.elapsed_s, number, curve.values[-1]))
        reason = rule.study_verdict(study)
        assert rule.next_check_s(study) > study.elapsed_s, "a check in the past would come at once, and again"
        if reason is not None:
            assert reason.strip(), "the study was ended without a reason"
            break
    return stops


class RuleContract:
    """The suite. Say how your rule is made."""

    def make(self) -> StoppingPolicy | AbstractEarlyStop:
        """A new rule, made the same way at every call."""
        raise NotImplementedError

    def make_mirrored(self) -> StoppingPolicy | AbstractEarlyStop:
        """The same rule for the negative of the metric; another one only if it is given a value of the metric."""
        return self.make()

    def losses(self) -> list[Curve]:
        """What trials report while the rule watches."""
        return some_losses()

    def test_the_same_curves_are_judged_the_same(self) -> None:
        assert watch(self.make(), self.losses()) == watch(self.make(), self.losses())

    def test_minimising_a_metric_is_maximising_its_negative(self) -> None:
        smaller_is_better = watch(self.make(), self.losses(), direction="min")
        larger_is_better = watch(self.make_mirrored(), self.losses(), direction="max")
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
        rule.prepare("min")
        losses = self.losses()
        trials = [
            Trial({}, trial_id=number, final_metric=curve.values[-1], curve=curve)
            for number, curve in enumerate(losses)
        ]
        study = Study(ended=len(trials) - 1, trials=trials[:-1])
        before = deepcopy((trials, study))
        rule.verdict(
            TrialView(curve=losses[-1], finished=losses[:-1], trial=trials[-1], results=trials[:-1], study=study)
        )
        rule.study_verdict(study)
        assert (trials, study) == before
