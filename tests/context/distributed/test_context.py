"""What a function is given that does not know how many workers run it."""

from __future__ import annotations

import pytest
from context.distributed.processes import run_gang

from maggy.context.distributed import Context, opened


def means(gang):
    with opened(None, gang, seed=0, takes_context=True) as context:
        return context.rank, context.size, context.mean(gang.rank + 1, 2)


def test_a_mean_is_over_all_ranks():
    assert run_gang(means, 2) == [(0, 2, 0.75), (1, 2, 0.75)]


def test_a_worker_alone_is_a_gang_of_one():
    context = Context()
    assert (context.rank, context.size, context.mean(3, 4)) == (0, 1, 0.75)


def test_ranks_that_come_to_different_places_are_told_apart():
    with pytest.raises(AssertionError, match="different places"):
        run_gang(lambda gang: gang.gather(f"place {gang.rank}"), 2)
