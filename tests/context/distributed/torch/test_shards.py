"""What each rank gets to train on."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from context.distributed.processes import PipeGang
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from maggy.context.distributed import Alone, Context
from maggy.context.distributed.torch.shards import Shard, share


def shares(data, size, *, rows=True):
    """What each rank gets."""
    return [share(PipeGang(rank, size, None), data, rows=rows) for rank in range(size)]


class Squares(Dataset):
    classes = ("even", "odd")

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        return index * index


class Batched(Squares):
    def __getitems__(self, indices):
        return [index * index for index in indices]


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))


class SizedStream(Stream):
    def __len__(self):
        return self.count


@pytest.mark.parametrize("kind", [Squares, Batched])
def test_a_rank_gets_every_kth_item_and_one_from_the_start_where_it_would_have_fewer(kind):
    first, second = shares(kind(5), 2)
    assert (list(first), list(second)) == ([0, 4, 16], [1, 9, 0])
    assert (len(first), len(second), first[-1]) == (3, 3, 16)
    assert isinstance(first, Dataset)
    assert [batch.tolist() for batch in DataLoader(second, batch_size=2)] == [[1, 9], [0]]


def test_a_shard_remembers_its_whole_and_has_its_attributes():
    whole = Squares(5)
    part = shares(whole, 2)[1]
    assert part.whole is whole
    assert (part.classes, part.count) == (("even", "odd"), 5)
    with pytest.raises(AttributeError, match="colours"):
        _ = part.colours


@pytest.mark.parametrize("data", [Squares(5), SizedStream(5)])
def test_a_shard_can_be_sent_to_the_processes_of_a_loader(data):
    part = shares(data, 2)[1]
    again = pickle.loads(pickle.dumps(part))
    assert (list(again), again.whole.count) == (list(part), 5)


@given(count=st.integers(0, 20), size=st.integers(2, 5), kind=st.sampled_from([Stream, SizedStream]))
def test_of_items_that_only_come_in_turn_those_that_do_not_go_round_are_left_out(count, size, kind):
    parts = shares(kind(count), size)
    assert all(isinstance(part, IterableDataset) for part in parts)
    rounds = count // size
    assert [list(part) for part in parts] == [list(range(rank, rounds * size, size)) for rank in range(size)]
    if kind is SizedStream:
        assert {len(part) for part in parts} == {rounds}


def test_a_stream_of_unknown_length_gives_its_shards_none():
    with pytest.raises(TypeError, match="has no len"):
        len(shares(Stream(3), 2)[0])


def test_a_data_set_of_hugging_face_is_one_with_positions():
    kind = type("Dataset", (), {"__module__": "datasets.arrow_dataset", "__len__": lambda self: 3})
    kind.__getitem__ = lambda self, index: {"text": "abc"[index]}
    second = shares(kind(), 2)[1]
    assert isinstance(second, Shard)
    assert [second[index] for index in range(2)] == [{"text": "b"}, {"text": "a"}]


def test_rows_are_cut_alike_unless_the_loader_will_do_that():
    x, y = np.arange(10).reshape(5, 2), pd.Series(list("abcde"))
    (x0, y0), (x1, y1) = shares((x, y), 2)
    assert (x0[:, 0].tolist(), list(y0)) == ([0, 4, 8], ["a", "c", "e"])
    assert (x1[:, 0].tolist(), list(y1)) == ([2, 6, 0], ["b", "d", "a"])
    pair = (x, y)
    assert all(each is pair for each in shares(pair, 2, rows=False))


@pytest.mark.parametrize("value", [None, "train.csv", 3, {"x": np.ones(3), "classes": 3}, object()])
def test_what_is_no_data_that_it_knows_stays_whole(value):
    assert all(each is value for each in shares(value, 2))


@pytest.mark.parametrize("data", [Squares(5), Stream(5), TensorDataset(torch.ones(3)), (np.ones(3), np.ones(3))])
def test_alone_everything_stays_as_it_is(data):
    assert share(Alone(), data, rows=True) is data


def test_a_context_cuts_rows_only_if_it_is_told_to():
    x = np.arange(4)
    assert Context(PipeGang(1, 2, None), shares_rows=True).share(x).tolist() == [1, 3]
    assert Context(PipeGang(1, 2, None)).share(x) is x
    assert isinstance(Context(PipeGang(1, 2, None)).share(Squares(4)), Shard)
