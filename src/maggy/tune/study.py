"""What comes of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from maggy.errors import ConfigError
from maggy.result import Result
from maggy.tune.dataset import TuneDataset
from maggy.tune.trial import TrialReport

if TYPE_CHECKING:
    import pandas as pd


_COLUMNS = ("trial_id", "metric", "sort_metric", "rung", "params", "metadata")


class TrialReports(list[TrialReport]):
    """Reports, the best first.

    keys  names of the partition keys
    """

    def __init__(self, reports: Iterable[TrialReport] = (), keys: Sequence[str] = ()) -> None:
        super().__init__(reports)
        self.keys = list(keys)

    def to_pandas(self) -> pd.DataFrame:
        """A table with a row for each: partition keys, trial_id, metric, sort_metric, rung, params and metadata.

        Raises ConfigError where a partition key has one of these names.
        """
        import pandas as pd

        if clash := [key for key in self.keys if key in _COLUMNS]:
            raise ConfigError(f"the table of results has a column {clash[0]!r} of its own: rename that partition key")
        return pd.DataFrame(
            [
                {
                    **dict(zip(self.keys, report.trial.keys, strict=True)),
                    "trial_id": report.trial_id,
                    "metric": report.metric,
                    "sort_metric": report.sort_metric,
                    "rung": report.rung,
                    "params": report.params.simple_value,
                    "metadata": report.metadata,
                }
                for report in self
            ],
            columns=[*self.keys, *_COLUMNS],
        )


class StudyResult:
    """What came of a study.

    dataset  what was tried
    reports  the last of each candidate that has one, in order of their ends
    result   what `lagom` returned: every trial, failed ones too

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, dataset: TuneDataset, reports: Sequence[TrialReport], result: Result | None = None) -> None:
        self.dataset, self.reports, self.lagom = dataset, list(reports), result

    def result(self, best_n: int = 0) -> TrialReports:
        """The best reports of each partition, 0 for all; sorted over all partitions, the best first."""
        taken: Counter[tuple[Any, ...]] = Counter()
        best = TrialReports(keys=self.dataset.keys)
        for report in sorted(self.reports, key=lambda each: each.sort_metric):
            key = tuple(report.trial.keys)
            taken[key] += 1
            if best_n <= 0 or taken[key] <= best_n:
                best.append(report)
        return best

    def next_tune_dataset(self, best_n: int = 0) -> TuneDataset:
        """The best candidates as a dataset, on the same tables."""
        return TuneDataset([report.trial for report in self.result(best_n)], self.dataset.tables)

    def union_with(self, other: StudyResult) -> None:
        """Take in the reports of another study; of a candidate that both have, the better one.

        Raises ConfigError where the other is partitioned by other keys.
        """
        if other.dataset.keys != self.dataset.keys:
            raise ConfigError(
                f"studies can be united that are partitioned by the same keys, got {self.dataset.keys} and "
                f"{other.dataset.keys}"
            )
        best = {report.trial_id: report for report in self.reports}
        for report in other.reports:
            known = best.get(report.trial_id)
            if known is None or report.sort_metric < known.sort_metric:
                best[report.trial_id] = report
        known_ids = {trial.trial_id for trial in self.dataset.trials}
        more = [trial for trial in other.dataset.trials if trial.trial_id not in known_ids]
        self.dataset = TuneDataset([*self.dataset.trials, *more], self.dataset.tables)
        self.reports = list(best.values())
