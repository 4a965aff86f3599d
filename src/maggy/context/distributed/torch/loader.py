"""Loaders whose batches are this rank's part of global ones, which are the same however many ranks there are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import count as count_from
from typing import TYPE_CHECKING, Any

from maggy.context.data.kinds import is_array, is_container
from maggy.context.data.outline import UNKNOWN, outline
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.rows import rows_of
from maggy.context.distributed.torch.shards import Shard, is_dataset, is_iterable, shard
from maggy.seeds import seed_of

if TYPE_CHECKING:
    import numpy as np
    from torch.utils.data import DataLoader


class Batches:
    """The positions of the items in each of this rank's batches; what `DataLoader` takes as `batch_sampler`.

    Every epoch's order follows from the seed and the epoch's number. Of each `batch_size` items in that order, a rank
    gets every `size`-th, from its own number on.

    count       items in the data set
    batch_size  of all ranks together, a multiple of `size`
    shuffle     else the order is that of the data set
    pad         fill up the last batch with the first items of the order, so that all ranks get equally many; else each
                item comes once, and of the last batch a rank may have less than others, or nothing
    drop_last   leave the last batch out if it is not full
    epochs      numbers of the epochs, one for each time that this is iterated; None: from 0
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        rank: int = 0,
        size: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        pad: bool = False,
        drop_last: bool = False,
        epochs: Iterator[int] | None = None,
    ) -> None:
        self._count, self._batch_size, self._rank, self._size = count, batch_size, rank, size
        self._shuffle, self._seed, self._epochs = shuffle, seed, count_from(0) if epochs is None else epochs
        self._total = -(-count // size) * size if pad else count
        if drop_last:
            self._total -= self._total % batch_size

    def __len__(self) -> int:
        full, rest = divmod(self._total, self._batch_size)
        return full + (rest > self._rank)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order(next(self._epochs))  # counted when the first batch is asked for
        for start in range(0, self._total, self._batch_size):
            batch = order[start + self._rank : start + self._batch_size : self._size]
            if batch.size:
                yield batch.tolist()

    def _order(self, epoch: int) -> np.ndarray[Any, Any]:
        import numpy as np

        if self._shuffle:
            order = np.random.default_rng(seed_of(self._seed, "epoch", epoch)).permutation(self._count)
        else:
            order = np.arange(self._count)
        return np.resize(order, self._total)  # which repeats it from the start


def loader(
    gang: Gang,
    dataset: Any,
    batch_size: int,
    shuffle: bool = False,
    *,
    seed: int,
    pad: bool | None = None,
    drop_last: bool = False,
    epochs: Iterator[int] | None = None,
    **options: Any,
) -> DataLoader[Any]:
    """A PyTorch DataLoader over this rank's part of each global batch; see `Context.loader`, and `Batches`.

    dataset  a data set of PyTorch or Hugging Face, an array or tensor, or a tuple of these such as (x, y); of a `Shard`
             its whole
    pad      None: if it is shuffled or a `Shard`, and so trained on
    options  of DataLoader

    Raises ImportError where PyTorch is missing, ValueError for a batch size that the ranks cannot share and for options
    that contradict, TypeError for what is no data set.
    """
    try:
        import torch
        from torch.utils.data import DataLoader
    except ImportError as error:
        raise ImportError(
            "context.loader makes a PyTorch DataLoader; install PyTorch: pip install 'maggy[torch]'"
        ) from (error)
    for name in ("sampler", "batch_sampler"):
        if options.get(name) is not None:
            raise ValueError(f"context.loader chooses the items of each rank itself: leave {name}= out")
    per_rank = _per_rank(batch_size, gang.size)
    pad = shuffle or isinstance(dataset, Shard) if pad is None else pad
    whole = _whole(dataset)
    options.setdefault("generator", torch.Generator().manual_seed(seed_of(seed, "loader", gang.rank)))
    if is_iterable(whole):
        if shuffle:
            raise ValueError(
                f"{type(whole).__name__} can only be iterated, in its own order: leave shuffle=True out, and "
                f"shuffle in the data set, in the same way on every rank"
            )
        part: Any = whole if gang.size == 1 else shard(whole, gang.rank, gang.size, pad)
        return DataLoader(part, batch_size=per_rank, drop_last=drop_last, **options)
    batches = Batches(
        len(whole),
        batch_size,
        rank=gang.rank,
        size=gang.size,
        shuffle=shuffle,
        seed=seed,
        pad=pad,
        drop_last=drop_last,
        epochs=epochs,
    )
    return DataLoader(whole, batch_sampler=batches, **options)


def _per_rank(batch_size: int, size: int) -> int:
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size has to be a whole number from 1, got {batch_size!r}")
    if batch_size % size:
        below, above = batch_size // size * size, -(-batch_size // size) * size
        fitting = f"{below} or {above}" if below else f"{above}"
        raise ValueError(
            f"batch_size is {batch_size} of all ranks together, and {size} ranks cannot share that equally: {fitting} "
            f"would do"
        )
    return batch_size // size


def _whole(dataset: Any) -> Any:
    """The data set behind what the loader was given."""
    if isinstance(dataset, Shard):
        return dataset.whole
    if isinstance(getattr(dataset, "dataset", None), Shard):
        raise ValueError(
            f"context.loader was given {type(dataset).__name__} of this rank's part of the data, and would take a part "
            f"of that: make it of all, which are `whole` of that part"
        )
    if is_dataset(dataset) or is_array(dataset):
        return dataset
    if is_container(dataset) and not isinstance(dataset, dict) and rows_of(dataset) is not None:
        if all(is_array(member) for member in dataset):
            return _tensors(dataset)
    elif isinstance(dataset, list) or _has_items(dataset):
        return dataset
    raise TypeError(
        f"context.loader was given {type(dataset).__name__}; it takes a data set of PyTorch, an array or a tensor, "
        f"or a tuple of these, such as (x, y)"
    )


def _tensors(arrays: Sequence[Any]) -> Any:
    """Arrays as one data set, without a copy. Columns of a table are often read-only; batches are copies of them."""
    import torch
    from torch.utils.data import TensorDataset

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return TensorDataset(*map(torch.as_tensor, arrays))


def _has_items(value: Any) -> bool:
    """Whether a value is used as a data set, by position, without being derived from one."""
    has_both = hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__")
    return has_both and not isinstance(value, str | bytes | tuple | Mapping) and outline(value) == UNKNOWN
