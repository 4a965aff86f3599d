"""Where the ranks of a gang reach each other, and how they part, and what is set meanwhile."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from maggy.context.distributed.gang import Gang
from maggy.context.distributed.peers import chain
from maggy.errors import EarlyStopException, PreemptedException


def addresses(gang: Gang) -> list[str]:
    """An address for each rank, in order of rank, on a port that is free there now.

    Ranks on one host get different ports, since none is given back before all have one.

    Raises PeerLostError where another rank does not come.
    """
    with socket.socket() as kept:
        kept.bind(("", 0))
        parts = gang.gather("meet", gang.host, kept.getsockname()[1])
    return [f"{host}:{int(port)}" for host, port in parts]


@contextmanager
def parting(part: Callable[[], None]) -> Iterator[None]:
    """What is done at the end of a block in which all ranks are: also of one that is stopped, on all of them at once.

    What the training function has made is gone by then. After any other exception nobody can wait for the others, and
    all their processes are ended.
    """
    try:
        yield
    except PreemptedException:  # of this rank alone
        raise
    except EarlyStopException as stop:
        for error in chain(stop):
            traceback.clear_frames(error.__traceback__)
        part()
        raise
    part()


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment have these values within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
