"""What PyTorch says when another rank is gone, and what it says of its own."""

from __future__ import annotations

import os

import pytest
import torch
from context.distributed.processes import run_gang
from context.distributed.torch.stories import Net, trial

from maggy.context.distributed import is_peer_error
from maggy.errors import PeerLostError

pytestmark = pytest.mark.distributed


def lose_a_peer(gang):
    """Rank 1 hangs, then raises, then dies; what rank 0 is told each time, and rank 1 of what it raised."""
    told = []
    for way in ("hangs", "raises", "dies"):
        try:
            with trial(gang, timeout_s=1.0) as context:
                net = context.place(Net)(16)
                if gang.rank == 0 or way != "hangs":
                    net(torch.ones(2, 8)).sum().backward()
                if gang.rank == 1:
                    if way == "dies":
                        os._exit(1)
                    if way == "hangs":
                        gang.gather("over")
                    raise ZeroDivisionError("of its own")
                for _ in range(100):  # what was sent before may still arrive
                    net(torch.ones(2, 8)).sum().backward()
        except Exception as error:
            told.append((is_peer_error(error), type(error).__name__, str(error)))
            if way == "hangs" and gang.rank == 0:
                gang.gather("over")
        if torch.distributed.is_initialized():  # no process goes on after such an end, except for this story
            torch.distributed.destroy_process_group()
    return told


def test_a_rank_that_hangs_raises_or_dies_is_told_from_an_error_of_its_own():
    told, none = run_gang(lose_a_peer, 2, may_die=True)
    assert none is None
    assert len(told) == 3
    assert all(is_peers for is_peers, *_ in told), told


def raised(first, then):
    try:
        try:
            raise first
        except Exception:
            raise then  # noqa: B904  the user's own code
    except Exception as error:
        return error


GONE = "[pair.cc:553] gloo: Connection closed by peer [10.0.0.1]:14228"


@pytest.mark.parametrize(
    ("error", "is_peers"),
    [
        (PeerLostError("rank 1 is gone"), True),
        (RuntimeError(GONE), True),
        (RuntimeError("size mismatch"), False),
        (ConnectionResetError("Connection reset by peer"), False),  # of a socket of the user's
        (ValueError(GONE), False),
        (ValueError(f"UNKNOWN: Gloo AllGather failed: {GONE}"), True),  # as JAX raises it
        (raised(RuntimeError(GONE), ValueError("cannot go on")), True),
        (raised(ValueError("the cause"), RuntimeError(GONE)), False),
    ],
)
def test_the_first_of_several_errors_counts(error, is_peers):
    assert is_peer_error(error) is is_peers


def test_an_error_that_names_itself_as_its_cause_has_a_beginning_all_the_same():
    def again(error):
        try:
            raise error
        except Exception as caught:
            raise caught from caught

    for error, is_peers in ((PeerLostError("rank 1 did not come"), True), (ValueError("mine"), False)):
        with pytest.raises(type(error)) as caught:
            again(error)
        assert is_peer_error(caught.value) is is_peers
