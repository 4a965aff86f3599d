"""Where the ranks of a gang reach each other, and how they part, and what is set meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maggy.context.distributed.gang import Gang
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

    After any other exception nobody can wait for the others, and all their processes are ended.
    """
    try:
        yield
    except PreemptedException:  # of this rank alone
        raise
    except EarlyStopException:
        part()
        raise
    part()


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """A variable of the environment has this value within."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
