"""Global batches that are the same on one worker as on several."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from context.distributed.processes import PipeGang
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from maggy.context.distributed import Context
from maggy.context.distributed.torch.loader import Batches
from maggy.context.distributed.torch.shards import share


def contexts(size):
    """The context of each rank."""
    return [Context(PipeGang(rank, size, None), seed=5) for rank in range(size)]


def batches(loaders):
    """Each rank's batches, as lists; of loaders, one epoch."""
    return [[batch.tolist() for batch in loader] for loader in loaders]


class Numbers(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))


class Noisy(Numbers):
    """Draws from the process's own random stream, as augmentations do."""

    def __getitem__(self, index):
        return torch.rand(()).item()


# --- which items


counts = st.integers(0, 60)
sizes = st.integers(1, 5)
shares_of_batch = st.integers(1, 4)


@given(counts, sizes, shares_of_batch, st.booleans(), st.integers())
def test_unpadded_every_item_comes_once_and_batches_add_up_to_those_of_one_worker(count, size, share, shuffle, seed):
    batch = size * share
    single = list(Batches(count, batch, shuffle=shuffle, seed=seed))
    ranks = [Batches(count, batch, rank=rank, size=size, shuffle=shuffle, seed=seed) for rank in range(size)]
    lists = [list(each) for each in ranks]
    assert [len(each) for each in ranks] == [len(each) for each in lists]
    for number, whole in enumerate(single):
        parts = [each[number] for each in lists if number < len(each)]
        assert all(parts)
        assert sorted(item for part in parts for item in part) == sorted(whole)
    assert sorted(item for each in lists for part in each for item in part) == list(range(count))


@given(counts, sizes, shares_of_batch, st.integers(0, 3))
def test_padded_all_ranks_take_the_same_steps_with_as_many_items_and_leave_none_out(count, size, share, epoch):
    batch = size * share
    shuffled = {"shuffle": True, "seed": 3}
    ranks = [
        list(Batches(count, batch, rank=rank, size=size, pad=True, epochs=iter([epoch]), **shuffled))
        for rank in range(size)
    ]
    assert len({tuple(map(len, each)) for each in ranks}) == 1
    items = [item for each in ranks for part in each for item in part]
    assert set(items) == set(range(count))
    assert len(items) == -(-count // size) * size
    if count % batch % size == 0:  # the promise: each global batch is that of one worker
        single = list(Batches(count, batch, epochs=iter([epoch]), **shuffled))
        merged = [sorted(item for part in parts for item in part) for parts in zip(*ranks, strict=True)]
        assert merged == [sorted(whole) for whole in single]


@given(counts, sizes, shares_of_batch, st.booleans())
def test_without_the_last_batch_all_batches_are_full(count, size, share, pad):
    batch = size * share
    for rank in range(size):
        each = Batches(count, batch, rank=rank, size=size, pad=pad, drop_last=True)
        assert {len(part) for part in each} <= {share}
        assert len(list(each)) == len(each) >= count // batch


def test_each_epoch_has_an_order_of_its_own_that_the_next_run_has_too():
    one, again, other = Batches(20, 4, shuffle=True), Batches(20, 4, shuffle=True), Batches(20, 4, shuffle=True, seed=1)
    epochs = [list(one) for _ in range(3)]
    assert [list(again) for _ in range(3)] == epochs
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert list(other) != epochs[0]
    assert list(Batches(20, 4, shuffle=True, epochs=iter([2]))) == epochs[2]


def test_an_epoch_that_is_left_early_counts():
    one, again = Batches(20, 4, shuffle=True), Batches(20, 4, shuffle=True)
    next(iter(one))
    list(again)
    assert list(one) == list(again)


# --- the loader


def test_the_ranks_batches_are_parts_of_the_single_runs():
    single = batches([Context(seed=5).loader(Numbers(20), 8, shuffle=True)])[0]
    ranks = batches(context.loader(Numbers(20), 8, shuffle=True) for context in contexts(2))
    assert [sorted(first + second) for first, second in zip(*ranks, strict=True)] == [sorted(each) for each in single]
    assert [len(each) for each in single] == [8, 8, 4]


@pytest.mark.parametrize("data", [Numbers(20), (torch.arange(20), torch.arange(20))], ids=["data set", "pair"])
def test_a_loader_for_each_epoch_gives_what_one_loader_for_all_gives(data):
    one = Context(seed=5).loader(data, 8, shuffle=True)
    context = Context(seed=5)
    again = [str(list(context.loader(data, 8, shuffle=True))) for _ in range(3)]
    assert [str(list(one)) for _ in range(3)] == again
    assert len(set(again)) == 3
    list(context.loader(data, 8))  # evaluation in between is no epoch
    assert str(list(context.loader(data, 8, shuffle=True))) not in again
    assert str(list(context.loader(data, 8, shuffle=True, epoch=1))) == again[1]


def test_the_process_of_a_loader_sees_the_same_items_and_epochs():
    here, there = (Context(seed=5).loader(Numbers(6), 2, shuffle=True, num_workers=n) for n in (0, 1))
    for _ in range(2):
        assert batches([here]) == batches([there])


def test_the_random_streams_of_the_process_are_left_alone_and_each_rank_has_noise_of_its_own():
    before = torch.get_rng_state()
    made = [context.loader(Noisy(2), 2, shuffle=True, num_workers=1) for context in contexts(2)]
    first, second = batches(made)
    assert first != second
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_trained_on_is_padded_and_what_is_evaluated_on_is_not():
    for context in contexts(2):
        train = share(context._gang, Numbers(5), rows=False)
        assert len(train) == 3
        sizes = {
            "train_set": sum(map(len, context.loader(train, 4))),
            "shuffled": sum(map(len, context.loader(Numbers(5), 4, shuffle=True))),
            "test_set": sum(map(len, context.loader(Numbers(5), 4))),
            "test_set, padded": sum(map(len, context.loader(Numbers(5), 4, pad=True))),
            "train_set, unpadded": sum(map(len, context.loader(train, 4, pad=False))),
        }
        fewer = 3 - context.rank
        assert list(sizes.values()) == [3, 3, fewer, 3, fewer]


def test_a_rank_that_nothing_is_left_for_has_one_batch_less():
    first, second = (context.loader(Numbers(5), 4) for context in contexts(2))
    assert (len(first), len(second)) == (2, 1)
    assert batches([first, second]) == [[[0, 2], [4]], [[1, 3]]]


def test_a_stream_is_dealt_out_in_global_batches():
    single = batches([Context().loader(Stream(9), 4)])[0]
    ranks = batches(context.loader(Stream(9), 4) for context in contexts(2))
    assert ranks == [[[0, 2], [4, 6], [8]], [[1, 3], [5, 7]]]
    assert [sorted(a + b) for a, b in zip(*ranks, strict=False)] == single[:2]

    trained = [context.loader(share(context._gang, Stream(9), rows=False), 4) for context in contexts(2)]
    assert batches(trained) == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


def test_arrays_and_pairs_of_them_are_data_sets():
    x, y = np.arange(8.0).reshape(4, 2), torch.arange(4)
    x.flags.writeable = False  # as a table's columns are
    second = contexts(2)[1]
    assert [batch.tolist() for batch in second.loader(y, 4)] == [[1, 3]]
    ((some_x, some_y),) = second.loader((x, y), 4)
    assert (some_x[:, 0].tolist(), some_y.tolist()) == ([2.0, 6.0], [1, 3])
    assert [batch[:, 0].tolist() for batch in second.loader(x, 4)] == [[2.0, 6.0]]
    ((some_x, some_y),) = second.loader([(1.0, 0), (2.0, 1), (3.0, 0)], 4)
    assert (some_x.tolist(), some_y.tolist()) == ([2.0], [1])


def test_options_go_to_the_loader():
    loader = contexts(2)[0].loader(Numbers(8), 4, collate_fn=tuple, drop_last=True)
    assert isinstance(loader, DataLoader)
    assert list(loader) == [(0, 2), (4, 6)]


# --- what cannot be


def test_a_batch_that_the_ranks_cannot_share_is_an_error_that_says_which_would_do():
    with pytest.raises(ValueError, match=r"batch_size is 32 .* 3 ranks cannot share that equally: 30 or 33 would do"):
        contexts(3)[0].loader(Numbers(8), 32)
    with pytest.raises(ValueError, match=r"3 ranks cannot share that equally: 3 would do"):
        contexts(3)[0].loader(Numbers(8), 2)
    for nonsense in (0, -2, 2.5, None):
        with pytest.raises(ValueError, match="batch_size has to be a whole number from 1"):
            Context().loader(Numbers(8), nonsense)


@pytest.mark.parametrize("name", ["sampler", "batch_sampler"])
def test_a_sampler_contradicts(name):
    with pytest.raises(ValueError, match=f"chooses the items of each rank itself: leave {name}= out"):
        Context().loader(Numbers(8), 2, **{name: [0, 1]})


def test_a_stream_has_an_order_of_its_own():
    with pytest.raises(ValueError, match="Stream can only be iterated, in its own order"):
        Context().loader(Stream(8), 2, shuffle=True)


def test_a_part_of_a_part_is_an_error():
    for context in contexts(2):
        train = share(context._gang, Numbers(8), rows=False)
        with pytest.raises(ValueError, match="given Subset of this rank's part of the data"):
            context.loader(Subset(train, [0, 1]), 2)
        assert sum(map(len, context.loader(Subset(train.whole, [0, 1]), 2))) == 1


@pytest.mark.parametrize(
    "value", [pd.DataFrame({"a": [1]}), {"x": np.ones(3)}, "train.csv", 3, (pd.Series([1.0]), pd.Series([1.0])), None]
)
def test_what_is_no_data_set_is_an_error_that_says_what_is(value):
    with pytest.raises(TypeError, match=r"was given \w+; it takes a data set of PyTorch, an array or a tensor"):
        Context().loader(value, 2)


def test_without_pytorch_the_error_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None  # as if it were not installed\n"
        "from maggy.context.distributed import Context\n"
        "try:\n"
        "    Context().loader([1], 1)\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "install PyTorch" in done.stdout


def test_a_tensor_data_set_shuffles_as_its_positions_do():
    loader = Context(seed=5).loader(TensorDataset(torch.arange(6)), 2, shuffle=True)
    numbers = Context(seed=5).loader(Numbers(6), 2, shuffle=True)
    assert [batch[0].tolist() for batch in loader] == batches([numbers])[0]
