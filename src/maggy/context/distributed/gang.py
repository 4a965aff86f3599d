"""The workers that run one trial together, as each of them sees the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Part = float | str


class Gang(Protocol):
    """One rank's view of its gang.

    rank, size              of all workers that run the trial
    local_rank, local_size  of those on this host
    host                    address at which the other ranks reach this one
    """

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def local_rank(self) -> int: ...
    @property
    def local_size(self) -> int: ...
    @property
    def host(self) -> str: ...

    def gather(self, what: str, *part: Part) -> Sequence[Sequence[Part]]:
        """Give this rank's part, wait for the others', and return all in order of rank.

        It goes through the driver: for addresses, counts and sums, a few numbers or texts at a time. All ranks have to
        call it in the same order; `what` is compared, to tell where they do not.

        Raises PeerLostError where another rank does not come.
        """
        ...


class Alone:
    """A gang of one, for a trial on one worker and for a function that is called by hand."""

    rank = local_rank = 0
    size = local_size = 1
    host = "127.0.0.1"

    def gather(self, what: str, *part: Part) -> Sequence[Sequence[Part]]:
        """Its own part."""
        return [part]
