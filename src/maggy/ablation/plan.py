"""From a study to its trials: the variants in turn, or what an ablator of the developer API answers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from maggy.ablation.abstract import AbstractAblator
from maggy.ablation.components import ABLATED_FEATURE, ABLATED_LAYER, BASE, Contrast, Design, Variant
from maggy.ablation.study import AblationStudy
from maggy.errors import ConfigError
from maggy.optimizer import Optimizer, Report, Setting
from maggy.seeds import seed_of
from maggy.trial import Params, Trial, TrialState

if TYPE_CHECKING:
    import numpy as np

_GENERATORS = ("dataset_function", "model_function")  # Maggy 1.1 had them among the parameters


class AblationPlan(Optimizer):
    """Trains each variant so often, in turn: should it be interrupted, the repeats that are complete can be compared.

    variants  what is left out
    repeats   how often each is trained
    seed      of the experiment; None: the training function takes no seed
    """

    needs_history = False

    def __init__(self, variants: Sequence[Variant], *, repeats: int, seed: int | None) -> None:
        self._trials: list[Params] = []
        for repeat in range(repeats):
            paired = {} if seed is None else {"seed": seed_of(seed, "repeat", repeat)}
            self._trials += [{"variant": variant.name, "repeat": repeat, **paired} for variant in variants]

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        return len(self._trials)

    def suggest(self, n: int, rng: np.random.Generator) -> Trial | None:
        return Trial(dict(self._trials[n]), origin="ablation") if n < len(self._trials) else None


class AblatorAdapter(Optimizer):
    """Runs an `AbstractAblator` on the contract of optimizers.

    custom  the user's ablator
    study   what it is to ablate
    """

    needs_trials = True

    def __init__(self, custom: AbstractAblator, study: AblationStudy) -> None:
        self._custom, self._study = custom, study

    def prepare(self, setting: Setting) -> int:
        super().prepare(setting)
        self._custom.ablation_study, self._custom.final_store = self._study, setting.finished
        self._unseen: deque[Trial] = deque()
        self._repeats: Counter[str] = Counter()
        self._custom.initialize()
        self._left = self._custom.get_number_of_trials()
        if not isinstance(self._left, int) or self._left < 1:
            raise ConfigError(
                f"{type(self._custom).__name__}.get_number_of_trials must return a whole number of at least 1, "
                f"got {self._left!r}"
            )
        return self._left

    def observe(self, report: Report) -> None:
        self._unseen.append(report.trial)

    def suggest(self, n: int, rng: np.random.Generator) -> Trial | None:
        if self._left <= 0:
            return None
        answer = self._custom.get_trial(self._unseen.popleft() if self._unseen else None)
        if answer is None:
            return None
        who = f"{type(self._custom).__name__}.get_trial"
        if not isinstance(answer, Trial) or answer.state is not TrialState.PENDING or answer.trial_id is not None:
            raise ConfigError(f"{who} must return a new Trial(params) or None, got {answer!r}")
        self._left -= 1
        params = {name: value for name, value in answer.params.items() if name not in _GENERATORS}
        for name in (ABLATED_FEATURE, ABLATED_LAYER):
            left_out = params.get(name)
            if not (left_out is None or isinstance(left_out, str)):
                raise ConfigError(f"{who} has {name}={left_out!r}; it has to be a name, or None")
            params[name] = None if left_out in (None, "None", "") else left_out
        variant = name_of(params)
        params |= {"variant": variant, "repeat": self._repeats[variant]}
        self._repeats[variant] += 1
        return Trial(params, answer.info_dict, origin="ablation")

    def finalize(self) -> None:
        self._custom.finalize_experiment(list(self.setting.finished))


def name_of(params: Mapping[str, Any]) -> str:
    """What a variant of the developer API is called."""
    left_out = [params[name] for name in (ABLATED_FEATURE, ABLATED_LAYER) if params.get(name) is not None]
    return f"without {' and '.join(left_out)}" if left_out else BASE


def design_of(trials: Sequence[Trial]) -> Design:
    """The variants that an ablator of the developer API has tried, each compared with the base."""
    names = list(dict.fromkeys([BASE, *(str(trial.params["variant"]) for trial in trials)]))
    contrasts = [
        Contrast(name=name.removeprefix("without "), weights={name: 1.0, BASE: -1.0}) for name in names if name != BASE
    ]
    return Design(variants=[Variant(name=name) for name in names], contrasts=contrasts)


def metrics_of(trials: Sequence[Trial]) -> tuple[dict[str, dict[int, float]], dict[str, dict[int, str]]]:
    """By variant and repeat: the final metrics of the trials that returned, and why others have none.

    What was stopped early says nothing about an effect.
    """
    metrics: dict[str, dict[int, float]] = {}
    missing: dict[str, dict[int, str]] = {}
    for trial in trials:
        variant, repeat = str(trial.params["variant"]), int(trial.params["repeat"])
        if trial.state is TrialState.FINISHED and trial.final_metric is not None:
            metrics.setdefault(variant, {})[repeat] = trial.final_metric
        else:
            missing.setdefault(variant, {})[repeat] = _WHY[trial.state]
    return metrics, missing


_WHY = {TrialState.FAILED: "failed", TrialState.LOST: "was lost", TrialState.STOPPED: "was stopped early"}
