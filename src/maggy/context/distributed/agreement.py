"""What all ranks of a gang do, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maggy.context.distributed.gang import Gang, Part
from maggy.errors import MaggyError

_TEXT_LIMIT = 500  # characters


def together(
    gang: Gang, what: str, step: Callable[[], Sequence[float] | None], failed: type[MaggyError]
) -> list[Sequence[float]]:
    """Take a step on this rank, and wait for the others; the numbers it has returned on each, in order of rank.

    If it has failed on one rank it has on all: that one raises its own error, the others `failed`, which names the rank
    and the cause. Raises PeerLostError where another rank does not come.

    what  it is, as in "rank 1 could not ..."
    """
    own: Exception | None = None
    part: Sequence[Part]
    try:
        part = step() or ()
    except Exception as error:
        own, part = error, [f"{type(error).__name__}: {error}"[:_TEXT_LIMIT]]
    parts = gang.gather(what, *part)
    if own is not None:
        raise own
    for rank, said in enumerate(parts):
        if said and isinstance(said[0], str):
            raise failed(f"rank {rank} could not {what}: {said[0]}")
    return [[float(number) for number in said] for said in parts]
