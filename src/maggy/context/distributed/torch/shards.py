"""The part of the training data that is a rank's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from maggy.context.data.kinds import is_a, is_torch_dataset
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.rows import positions, rows_of, take


def share(gang: Gang, data: Any, *, rows: bool) -> Any:
    """What this rank gets to train on; all ranks get equally many items. In a gang of one, the data themselves.

    A data set of PyTorch or Hugging Face comes as a `Shard`: items rank, rank + size, rank + 2 * size, ... If it has a
    length, ranks that would have fewer get items from the start; else the last items that do not go round are left out.

    rows  tables and arrays, and lists, tuples and dicts of these that have equally many rows, are cut in the same way;
          else they stay whole, as does anything that is not known
    """
    if gang.size == 1:
        return data
    if is_dataset(data):
        return shard(data, gang.rank, gang.size)
    count = rows_of(data) if rows else None
    return data if count is None else take(data, positions(count, gang.rank, gang.size))


def is_dataset(data: Any) -> bool:
    """Whether this is a data set of PyTorch or of Hugging Face."""
    return is_torch_dataset(data) or is_a(data, "datasets", "Dataset", "IterableDataset")


def is_iterable(data: Any) -> bool:
    """Whether this is a data set without positions, which can only be iterated."""
    return is_a(data, "torch", "IterableDataset") or is_a(data, "datasets", "IterableDataset")


class Shard:
    """A rank's items of a data set. Other attributes are those of the whole.

    whole  the data set with all its items
    """

    def __init__(self, whole: Any, rank: int, size: int, *, even: bool = True) -> None:
        self.whole = whole
        self._rank, self._size, self._even = rank, size, even

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what the framework finds there would pass the shard by
            raise AttributeError(name)
        return getattr(self.whole, name)

    def __reduce__(self) -> Any:
        return shard, (self.whole, self._rank, self._size, self._even)


def shard(whole: Any, rank: int, size: int, even: bool = True) -> Shard:
    """A rank's items of a data set, itself one of PyTorch.

    even  all ranks have equally many; else each item is on one rank, for a data set that can only be iterated
    """
    kind = "Iterated" if is_iterable(whole) else "Mapped"
    made: Shard = _shards()[kind](whole, rank, size, even=even)
    return made


@cache
def _shards() -> dict[str, type[Shard]]:
    from torch.utils.data import Dataset, IterableDataset

    class Mapped(Shard, Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return -(-len(self.whole) // self._size)

        def __getitem__(self, index: Any) -> Any:
            return self.whole[self._position(index)]

        def __getitems__(self, indices: list[Any]) -> list[Any]:
            if not hasattr(self.whole, "__getitems__"):
                return [self[index] for index in indices]
            items: list[Any] = self.whole.__getitems__([self._position(index) for index in indices])
            return items

        def _position(self, index: Any) -> int:
            position: int = range(len(self))[index] * self._size + self._rank
            return position % len(self.whole)

    class Iterated(Shard, IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            if self._even:  # rounds in which every rank gets an item
                return (each[self._rank] for each in zip(*[iter(self.whole)] * self._size, strict=False))
            return islice(self.whole, self._rank, None, self._size)

        def __len__(self) -> int:
            count = len(self.whole)
            return count // self._size if self._even else len(range(self._rank, count, self._size))

    return {"Mapped": Mapped, "Iterated": Iterated}
