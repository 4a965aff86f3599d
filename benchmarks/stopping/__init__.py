"""Early stopping: how soon a trial leaves that is told to, and what each rule saves and loses.

Contestants of the first are modules that are run in a fresh process of their own environment, and share `work` alone:

    python -m benchmarks.stopping.<ours|optuna_journal|ray_tune> FOLDER TRIALS_OF_SHORT_STEPS TRIALS_OF_LONG_STEPS ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.harness.settings import Settings
    from benchmarks.harness.tables import Table


def measure(settings: Settings) -> list[Table]:
    from benchmarks.stopping import leaving, quality  # peers import this package, and have not what these need

    return [*leaving.measure(settings), *quality.measure(settings)]
