"""Lists that may grow for long: the newest items are in memory, the others in a file."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, overload

T = TypeVar("T")

KEPT = 10_000
"""So many items of a list stay in memory."""


class Spill:
    """A file without a name, which goes with the process: what lies there can be made of the journal once more.

    folder  where it lies; None: where temporary files do. It is made when something is written
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> int:
        """Add something; returns where it lies. Raises OSError if the disk refuses it."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115  it stays open
            weakref.finalize(self, self._file.close).atexit = False  # a result may be read until the very end
        place = self._size
        if os.pwrite(self._file.fileno(), len(data).to_bytes(4, "little") + data, place) < 4 + len(data):
            raise OSError("the disk is full")
        if not place and self.read(place) != data:  # some mounted stores cannot: better known before it matters
            raise OSError("what is written cannot be read")
        self._size += 4 + len(data)
        return place

    def read(self, place: int) -> bytes:
        """What lies there."""
        assert self._file is not None
        size = int.from_bytes(os.pread(self._file.fileno(), 4, place), "little")
        return os.pread(self._file.fileno(), size, place + 4)


class SpilledList(Sequence[T], Generic[T]):
    """A list to which items are added; the oldest are forgotten and read from a file where somebody asks for them.

    What comes from the file is a copy, so who changes an item says so (`take`, `put_back`). An item that the file
    cannot hold stays in memory.

    kind  a dataclass with slots: what the items are
    keep  so many stay in memory; None: all of them
    """

    def __init__(self, kind: type[T], spill: Spill, keep: int | None) -> None:
        self._kind, self._spill, self._keep = kind, spill, keep
        self._values = attrgetter(*kind.__slots__)  # type: ignore[attr-defined]
        self._newest: deque[T] = deque()
        self._places = array("q")  # in the file, of those that are older
        self._held: dict[int, T] = {}  # of those, the ones that are in memory all the same

    @property
    def in_memory(self) -> int:
        """How many items are in memory."""
        return len(self._newest) + sum(number < len(self._places) for number in self._held)

    def append(self, item: T) -> None:
        """Add an item."""
        self._newest.append(item)
        if self._keep is not None and len(self._newest) > self._keep:
            number, oldest = len(self._places), self._newest.popleft()
            self._places.append(-1)
            if number not in self._held:
                self._write(number, oldest)

    def take(self, number: int) -> T:
        """An item that is going to be changed: it stays in memory until it is put back."""
        item = self._held[number] = self[number]
        return item

    def put_back(self, number: int) -> None:
        """An item is not changed any more."""
        item = self._held.pop(number)
        if number < len(self._places):
            self._write(number, item)

    def all(self) -> Sequence[T]:
        """Its items: as a list where they are in memory, else this one."""
        return self if self._places else list(self._newest)

    def __len__(self) -> int:
        return len(self._places) + len(self._newest)

    @overload
    def __getitem__(self, number: int) -> T: ...

    @overload
    def __getitem__(self, number: slice) -> list[T]: ...

    def __getitem__(self, number: int | slice) -> T | list[T]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        if number in self._held:
            return self._held[number]
        if number >= len(self._places):
            return self._newest[number - len(self._places)]
        return self._kind(*pickle.loads(self._spill.read(self._places[number])))

    def __iter__(self) -> Iterator[T]:
        yield from (self[number] for number in range(len(self._places)))
        yield from self._newest

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def _write(self, number: int, item: T) -> None:
        try:
            self._places[number] = self._spill.write(pickle.dumps(self._values(item), pickle.HIGHEST_PROTOCOL))
        except Exception:  # a full disk, or values of the user that cannot be pickled: they cost memory, and no trial
            self._held[number] = item


class Picked(Sequence[T]):
    """Some items of a sequence, in the order of their places there; each is fetched when somebody asks for it."""

    def __init__(self, items: Sequence[T], places: Sequence[int]) -> None:
        self._items, self._places = items, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, number: int) -> T: ...

    @overload
    def __getitem__(self, number: slice) -> list[T]: ...

    def __getitem__(self, number: int | slice) -> T | list[T]:
        if isinstance(number, slice):
            return [self._items[place] for place in self._places[number]]
        return self._items[self._places[number]]


def picked(items: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """Some items of a sequence, by their places there: a list if that is one."""
    chosen = Picked(items, places)
    return list(chosen) if isinstance(items, list) else chosen
