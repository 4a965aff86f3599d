"""What a `kill -9` costs: of what runs a trial, and of what drives the search.

Contestants are modules that are run in a fresh process of their own environment, and share `work` and `driver` alone:

    python -m benchmarks.faults.<ours|optuna_sqlite|ray_tune|...> FOLDER KILLS ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.harness.settings import Settings
    from benchmarks.harness.tables import Table


def measure(settings: Settings) -> list[Table]:
    from benchmarks.faults import drivers, workers  # peers import this package, and have not what these need

    return [workers.measure(settings), drivers.measure(settings)]
