"""A step that fails on one rank has failed on all."""

from __future__ import annotations

from context.distributed.processes import run_gang

from maggy.context.distributed.agreement import together
from maggy.errors import CheckpointError


def steps(gang):
    def fails():
        if gang.rank == 1:
            raise OSError("no space left")

    said = [together(gang, "count", lambda: (gang.rank, 0.5), CheckpointError)]
    try:
        together(gang, "write", fails, CheckpointError)
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
    return said


def test_the_rank_that_fails_raises_its_own_error_and_the_others_one_that_names_it():
    counted = [[0.0, 0.5], [1.0, 0.5]]
    assert run_gang(steps, 2) == [
        [counted, "CheckpointError: rank 1 could not write: OSError: no space left"],
        [counted, "OSError: no space left"],
    ]
