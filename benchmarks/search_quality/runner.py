"""One run, in a process that runs many."""

from __future__ import annotations

import warnings

from benchmarks.search_quality import pool, results
from benchmarks.search_quality.grid import Cell
from benchmarks.search_quality.peers import PEERS
from benchmarks.search_quality.problems import problem

CONTESTANTS = PEERS


def run(cell: Cell) -> results.Row:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn of what they use themselves
        contestant = CONTESTANTS[cell.contestant]()
        return results.row(cell, pool.run(problem(cell.problem), contestant, cell.workers, cell.steps, cell.seed))
