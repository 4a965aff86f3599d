"""The developer API for ablators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from maggy.ablation.study import AblationStudy
from maggy.trial import Trial


class AbstractAblator(ABC):
    """Base of your own ablator: say what to leave out next.

    Before `initialize` the driver sets
        ablation_study  what the user wants to know the effect of
        final_store     trials that have ended, in order, kept current, read-only, all of them in memory

    A subclass need not call `super().__init__()`. It travels to the workers, which call the two generator methods.
    """

    ablation_study: AblationStudy
    final_store: Sequence[Trial]

    def __init__(self, ablation_study: AblationStudy | None = None, final_store: Sequence[Trial] = ()) -> None:
        if ablation_study is not None:
            self.ablation_study = ablation_study
        self.final_store = final_store

    @abstractmethod
    def get_number_of_trials(self) -> int:
        """How many trials there will be at most; called after `initialize`."""

    @abstractmethod
    def initialize(self) -> None:
        """Called once, before the first trial."""

    @abstractmethod
    def get_trial(self, ablation_trial: Trial | None = None) -> Trial | None:
        """Say what to leave out next.

        ablation_trial  a trial that has ended; each one is given once, oldest first; None where a worker merely asks

        Returns a new `Trial({"ablated_feature": name, "ablated_layer": name})`, with None for what stays whole, or
        None (that was all). Other entries reach the training function as hyperparameters. A trial that leaves nothing
        out is the base, which the others are compared with.
        """

    @abstractmethod
    def finalize_experiment(self, trials: list[Trial]) -> None:
        """Called once, after the last trial, with all trials that have ended."""

    def get_dataset_generator(
        self, ablated_feature: str | None = None, dataset_type: str | None = None
    ) -> Callable[..., Any] | None:
        """What the training function gets as `dataset_function`; None: the study's data without that feature.

        dataset_type  historical; None
        """
        return None

    def get_model_generator(self, ablated_layer: str | None = None) -> Callable[..., Any] | None:
        """What the training function gets as `model` and `model_function`; None: the base model without that layer."""
        return None
