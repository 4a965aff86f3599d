"""What a study tries: every candidate of a space, on every part of its tables."""

from __future__ import annotations

import random
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maggy.errors import ConfigError
from maggy.searchspace import Space
from maggy.tune.tables import HOW, Key, Table, Tables, write
from maggy.tune.template import TuningParametersTemplate
from maggy.tune.trial import Trial

TUNE_DATASET_DF_DEFAULT_NAME = "df"
_SHUFFLE_SEED = 0


class TuneDataset:
    """Candidates, in the order in which they are tried, and the tables that they are tried on.

    trials  those of one partition are a study
    tables  None where there are none
    """

    def __init__(self, trials: Sequence[Trial], tables: Tables | None = None) -> None:
        self.trials, self.tables = list(trials), tables

    @property
    def keys(self) -> list[str]:
        """Names of the partition keys."""
        return [] if self.tables is None else list(self.tables.partition_keys)

    @property
    def unfilled(self) -> Trial | None:
        """The first candidate that leaves something to choose; None if each is known to the last value."""
        return next((trial for trial in self.trials if not trial.params.empty), None)

    def studies(self) -> list[list[int]]:
        """The numbers of the candidates of each partition."""
        found: dict[Key, list[int]] = {}
        for index, trial in enumerate(self.trials):
            found.setdefault(tuple(trial.keys), []).append(index)
        return list(found.values())


class TuneDatasetBuilder:
    """Makes a `TuneDataset` from a space and tables.

    space  what can be chosen; its grids are expanded, what is left to choose is for a local optimizer
    path   where tables are written, a folder or URL that all workers see; "" for a temporary folder here

    Source: Fugue-Tune's class of this name.
    """

    def __init__(self, space: Space | Mapping[str, Any] | Iterable[Any], path: str = "") -> None:
        self._space = space if isinstance(space, Space) else Space(space)
        self._path = path
        self._given: list[tuple[str, Any, str]] = []

    def add_df(self, name: str, df: Any, how: str = "") -> TuneDatasetBuilder:
        """Add a table, which the objective gets as the argument `name`; returns the builder.

        how  "inner", "left_outer", "full_outer": which keys are tried, of those that the tables have; "cross": the
             table is whole beside each of them; "" for "inner", and "cross" where nothing is partitioned
        """
        if any(name == other for other, _, _ in self._given):
            raise ConfigError(f"there is a table {name!r} already")
        if how and how not in HOW:
            raise ConfigError(f"how is one of {', '.join(HOW)}, got {how!r}")
        self._given.append((name, df, how))
        return self

    def build(
        self,
        partition_keys: str | Sequence[str] = (),
        *,
        shuffle: bool = True,
        trial_metadata: Mapping[str, Any] | None = None,
    ) -> TuneDataset:
        """Write the tables, and list the candidates.

        partition_keys  columns by which the tables are cut: each value of them is a study of its own; a trial has
                        these values in the order of their columns' names
        shuffle         try the candidates of a partition in an order of chance, the same each time
        trial_metadata  metadata of every trial

        Raises ConfigError where a table has not got these columns, or the name of a parameter.
        """
        for name, _, _ in self._given:
            if name in self._space:
                raise ConfigError(f"{name!r} is both a parameter and a table: rename one (df_name)")
        names = [partition_keys] if isinstance(partition_keys, str) else partition_keys
        tables = self._tables(tuple(sorted(set(map(str, names)))))
        templates = [TuningParametersTemplate(cell) for cell in self._space.cells()]
        if not templates:
            raise ConfigError("the space has no candidate: everything in it is forbidden")
        trials: list[Trial] = []
        for key in [()] if tables is None else tables.keys:
            order = list(templates)
            if shuffle:
                random.Random(_SHUFFLE_SEED).shuffle(order)
            made = [Trial.of(template, key, trial_metadata) for template in order]
            trials += {trial.trial_id: trial for trial in made}.values()  # parts of a union may share a candidate
        return TuneDataset(trials, tables)

    def _tables(self, partition_keys: tuple[str, ...]) -> Tables | None:
        if not self._given:
            if partition_keys:
                raise ConfigError("partition_keys need a table to be partitioned: give df")
            return None
        folder = self._path or _temporary()
        tables: dict[str, Table] = {}
        keys: dict[Key, None] | None = None
        for name, df, how in self._given:
            cut = partition_keys if how != "cross" else ()
            tables[name], found = write(name, df, folder, cut)
            if cut:
                keys = dict.fromkeys(found) if keys is None else _joined(keys, found, how)
        if partition_keys and not keys:
            raise ConfigError("no key is left to try: the tables are empty, or have no key in common")
        made = Tables(tables, partition_keys, list(keys) if keys else [()])
        if not self._path:
            weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
        return made


def _joined(keys: dict[Key, None], found: Sequence[Key], how: str) -> dict[Key, None]:
    match how:
        case "left_outer":
            return keys
        case "full_outer":
            return keys | dict.fromkeys(found)
        case _:
            others = set(found)
            return {key: None for key in keys if key in others}


def _temporary() -> str:
    runs = Path("maggy-runs")  # beside the experiments, which workers see too
    runs.mkdir(exist_ok=True)
    return tempfile.mkdtemp(prefix=".tables-", dir=runs.absolute())
