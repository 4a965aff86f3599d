"""What is particular about the engines for Dask and Ray; what they share with others is in the contract suite."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.assembly import find_engine
from maggy.errors import EngineError
from maggy.testing.lobby import Lobby
from maggy.ticket import Ticket

pytestmark = pytest.mark.engines

PATIENCE_S = 60


@pytest.fixture(params=["dask", "ray"])
def engine(request):
    """Each engine on the cluster of the test run: two processes with one thread each."""
    request.getfixturevalue({"dask": "dask_client", "ray": "ray_session"}[request.param])
    return find_engine(request.param)


@pytest.fixture
def lobby():
    lobby = Lobby("127.0.0.1")
    yield lobby
    lobby.close()


@pytest.fixture
def exits():
    """What engines said through `on_exit`, in order."""
    return queue.Queue()


def tickets(number, entry, lobby):
    address = f"tcp://{lobby.address[0]}:{lobby.address[1]}"
    return [Ticket(address=address, experiment="exp", seat=seat, entry=entry) for seat in range(number)]


STAY = "maggy.testing.lobby:stay"


def test_there_are_as_many_slots_as_fit_into_the_parts_of_the_cluster(engine):
    assert engine.slots({}) == 2
    with pytest.raises(EngineError, match=r"a worker needs 3 .*and no .* that large: .*resources_per_worker"):
        engine.slots({"cpu": 3})
    with pytest.raises(EngineError, match=r"a worker needs 1 .* and 1 GPUs"):
        engine.slots({"gpu": 1})
