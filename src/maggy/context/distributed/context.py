"""What the training function gets as `context`, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from maggy.context.distributed.gang import Alone, Gang
from maggy.context.distributed.torch.loader import loader
from maggy.context.distributed.torch.shards import share

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


class Context:
    """One worker alone: everything does the plain thing. Those of several workers are subclasses, one per framework.

    gang         the workers that run the trial
    seed         from which shuffling follows, the same on every rank
    shares_rows  whether tables and arrays to train on are cut up; not where the function takes the context, whose
                 loader does that

    rank  of this worker among those that run the trial, from 0
    size  how many run it
    """

    def __init__(self, gang: Gang | None = None, *, seed: int = 0, shares_rows: bool = False) -> None:
        self._gang: Gang = gang or Alone()
        self.seed, self._shares_rows = seed, shares_rows
        self._epochs: dict[tuple[int, ...], tuple[Any, Iterator[int]]] = {}  # of each data set that was shuffled

    # --- for the training function

    @property
    def rank(self) -> int:
        return self._gang.rank

    @property
    def size(self) -> int:
        return self._gang.size

    @property
    def device(self) -> Any:
        """Where this worker computes: a `torch.device`; "cpu" without PyTorch.

        Of a worker alone a GPU, where there is one: a function that moves its data there moves its model too.
        """
        try:
            import torch
        except ImportError:
            return "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def strategy(self) -> Any:
        """TensorFlow's way to train, for its own loops: a MultiWorkerMirroredStrategy, or the plain one alone."""
        import tensorflow as tf

        return tf.distribute.get_strategy()

    def loader(
        self, dataset: Any, batch_size: int, shuffle: bool = False, *, epoch: int | None = None, **options: Any
    ) -> DataLoader[Any]:
        """A PyTorch DataLoader over this rank's part of a data set.

        dataset     of PyTorch or Hugging Face, an array or tensor, or a tuple of these such as (x, y); of `train_set`,
                    which is this rank's part, the whole is meant
        batch_size  of all ranks together: the training is the same on one worker as on several, whose number has to
                    divide it
        shuffle     anew in each epoch; the order follows from the seed and the number of the epoch
        epoch       the number of its first epoch, for a trial that goes on from a checkpoint; None: epochs are counted
                    from 0 for each data set, whether one loader is iterated several times or a new one made for each
        options     `pad`, whether all ranks get equally many items, some of them twice (default: if it is shuffled, or
                    is `train_set`), which training needs and evaluation does not want; `drop_last`; others go to
                    DataLoader

        Raises ImportError where PyTorch is missing, ValueError for a batch size that the ranks cannot share and for
        options that contradict, TypeError for what is no data set.
        """
        epochs = self._epochs_of(dataset) if shuffle and epoch is None else count(epoch or 0)
        return loader(self._gang, dataset, batch_size, shuffle, seed=self.seed, epochs=epochs, **options)

    def _epochs_of(self, dataset: Any) -> Iterator[int]:
        key = tuple(map(id, dataset)) if isinstance(dataset, tuple) else (id(dataset),)  # (x, y) may be made each time
        _, epochs = self._epochs.setdefault(key, (dataset, count()))  # what is kept keeps its id
        return epochs

    def mean(self, total: Any, count: Any) -> float:
        """The sum of `total` over all ranks, divided by that of `count`."""
        parts = self._gang.gather("mean", float(total), float(count))
        return sum(float(part[0]) for part in parts) / sum(float(part[1]) for part in parts)

    @contextmanager
    def accumulate(self, model: Any, *, last: bool) -> Iterator[None]:
        """Gradients made within are added to those that are there; they are averaged over ranks only if `last`."""
        yield

    # --- for what calls the training function

    def place(self, model: Any) -> Any:
        """The class or factory of a model, or a list of them, such that what it makes trains together with that of the
        other ranks."""
        return model

    def share(self, data: Any) -> Any:
        """This rank's part of what there is to train on; what is no data that can be cut up stays whole."""
        return share(self._gang, data, rows=self._shares_rows)

    def share_first(self, dataset: Any) -> Any:
        """Of a list such as [train, test] the first is what there is to train on; else all is, e.g. (x, y)."""
        if isinstance(dataset, list) and dataset:
            return [self.share(dataset[0]), *dataset[1:]]
        return self.share(dataset)
