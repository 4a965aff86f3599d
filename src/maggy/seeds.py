"""Seeds that follow from the seed of an experiment."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, what: str, number: int) -> int:
    """A seed that depends on that of the experiment, and on what it is for, and on nothing else.

    what, number  what it is for, e.g. "trial", 3

    Returns a whole number of 31 bits, which every library takes.
    """
    digest = hashlib.sha256(f"{seed} {what} {number}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1
