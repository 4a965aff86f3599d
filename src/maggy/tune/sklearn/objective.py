"""What is tried of a model: fit it, and score it on rows that it has not seen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.tune.models import SPACE_MODEL_NAME
from maggy.tune.objective import NonIterativeObjectiveFunc
from maggy.tune.sklearn.spaces import SEED, Models
from maggy.tune.tables import columns_of
from maggy.tune.temp import TUNE_OBJECT_FACTORY, within
from maggy.tune.trial import Trial, TrialReport

if TYPE_CHECKING:
    import pandas as pd

TRAIN, TEST = "train", "test"
"""Names of the tables."""

FOLD = "__space__fold"
"""Name, among the parameters of a trial that is a part of a cross-validation, of the part's number."""


@dataclass(frozen=True)
class Columns:
    """What is in a table.

    label           name of the column to be predicted
    feature_prefix  how the names of features begin
    keys            partition keys, which are no features: they are the same in every row of a partition
    """

    label: str
    feature_prefix: str = ""
    keys: tuple[str, ...] = ()

    def check(self, name: str, df: Any) -> None:
        """Raises ConfigError where a table has no label or no features."""
        columns = columns_of(df)
        if self.label not in columns:
            raise ConfigError(
                f"{name} has no column {self.label!r} to be predicted, only {', '.join(columns)}; say which with "
                f"label_col"
            )
        if not self._features(columns):
            raise ConfigError(f"{name} has no features: no other column begins with {self.feature_prefix!r}")

    def split(self, df: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        """The features and the labels of a table."""
        return df[self._features(list(df.columns))], df[self.label]

    def _features(self, columns: list[str]) -> list[str]:
        others = {self.label, *self.keys}
        return [name for name in columns if name not in others and str(name).startswith(self.feature_prefix)]


class SKObjective(NonIterativeObjectiveFunc):
    """Fits a model on one table and scores it on another.

    scoring  a name that scikit-learn knows, or a function of a model, features and labels; larger is better
    folder   where fitted models are written, a folder or URL; "" for not at all

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, models: Models, columns: Columns, scoring: Any, folder: str = "") -> None:
        self.models, self.columns, self.scoring, self.folder = models, columns, scoring, folder

    def generate_sort_metric(self, value: float) -> float:
        return -float(value)

    def run(self, trial: Trial) -> TrialReport:
        from sklearn.metrics import check_scoring

        params = trial.params.simple_value
        model = self.models.make(params, trial.keys)
        model.fit(*self.columns.split(shuffled(trial.dfs[TRAIN])))
        score = check_scoring(model, self.scoring)(model, *self.columns.split(trial.dfs[TEST]))
        return self._report(trial, params, score, self._saved(model))

    def _report(self, trial: Trial, params: dict[str, Any], score: Any, metadata: dict[str, Any]) -> TrialReport:
        about = self.models.describe(params, trial.keys)
        return TrialReport(trial, score, params=about, metadata={"model": about[SPACE_MODEL_NAME], **metadata})

    def _saved(self, model: Any) -> dict[str, str]:
        """Write a fitted model; returns what the report's metadata say of it."""
        if not self.folder:
            return {}
        import cloudpickle
        import fsspec

        path = f"{self.folder}/{uuid.uuid4()}.pkl"
        with fsspec.open(path, "wb", **({} if "://" in path else {"auto_mkdir": True})) as file:
            cloudpickle.dump(model, file)
        return {"checkpoint_path": path}


class SKCVObjective(SKObjective):
    """Cross-validates a model on one table; the metric is the mean over the folds.

    cv  a number of folds, for which the rows are shuffled and, where there are classes, stratified; a splitter of
        scikit-learn, or a list of pairs of row numbers, for which they stay in order

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, models: Models, columns: Columns, scoring: Any, cv: Any = 5, folder: str = "") -> None:
        super().__init__(models, columns, scoring, folder)
        self.cv = list(cv) if isinstance(cv, Iterator) else cv

    def run(self, trial: Trial) -> TrialReport:
        from sklearn.base import is_classifier
        from sklearn.model_selection import check_cv, cross_val_score

        params = trial.params.simple_value
        fold = params.pop(FOLD, None)
        model = self.models.make(params, trial.keys)
        table = trial.dfs[TRAIN]
        features, labels = self.columns.split(shuffled(table) if isinstance(self.cv, int) else table)
        if fold == ALL:
            model.fit(features, labels)
            return self._report(trial, params, 0, self._saved(model))
        splitter = check_cv(deepcopy(self.cv), labels, classifier=is_classifier(model))
        if getattr(splitter, "random_state", SEED) is None:
            splitter.random_state = SEED
        splits = list(splitter.split(features, labels))
        chosen = splits if fold is None else [splits[fold]]
        scores = cross_val_score(model, features, labels, cv=chosen, scoring=self.scoring, error_score="raise")
        saved = {}
        if self.folder and fold is None:
            saved = self._saved(model.fit(features, labels))
        return self._report(trial, params, scores.mean(), {"cv_scores": scores.tolist(), **saved})


ALL = -1
"""The number of that part of a cross-validation which fits the model on all rows, to be saved."""


def shuffled(df: pd.DataFrame) -> pd.DataFrame:
    """The rows in an order of chance, the same each time."""
    return df.sample(frac=1, random_state=SEED).reset_index(drop=True)


def folder_for(save_model: bool, temp_path: str) -> str:
    """Where fitted models are written; "" for not at all."""
    if not save_model:
        return ""
    path = TUNE_OBJECT_FACTORY.get_path_or_temp(temp_path)
    return within(path, "models") if path else str(Path("maggy-runs", "models").absolute())
