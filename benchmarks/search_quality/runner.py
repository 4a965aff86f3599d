"""One run, in a process that runs many."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress

from benchmarks.search_quality import pool, results
from benchmarks.search_quality.contestants import Contestant
from benchmarks.search_quality.grid import Cell
from benchmarks.search_quality.peers import PEERS
from benchmarks.search_quality.problems import problem

CONTESTANTS: dict[str, Callable[[], Contestant]] = {}
with suppress(ImportError):  # the peers' environment has no Maggy
    from benchmarks.search_quality.ours import OURS

    CONTESTANTS |= OURS
CONTESTANTS |= PEERS


def run(cell: Cell) -> results.Row:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn of what they use themselves
        contestant = CONTESTANTS[cell.contestant]()
        return results.row(cell, pool.run(problem(cell.problem), contestant, cell.workers, cell.steps, cell.seed))
