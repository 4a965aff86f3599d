"""Columns are left out of data sets of PyTorch while they are read."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from maggy.ablation.components import Features
from maggy.context.features import check_columns, leave_out, outline
from maggy.errors import AblationError


def feature(*columns: str | int, fill: float | None = None) -> list[Features]:
    return [Features(name=f"no {columns[0]}", columns=columns, fill=fill)]


class Pairs(Dataset):
    """Pairs of four numbers and a label."""

    classes = ("no", "yes")
    reads = 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.reads += 1
        return torch.arange(4.0) + index, index % 2


class Batched(Pairs):
    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]


class Dicts(Pairs):
    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"age": torch.tensor([1.0]), "fare": np.float32(2.5), "survived": index % 2}


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return ((np.arange(4.0), 1) for _ in range(3))


@pytest.mark.parametrize("data", [Pairs(), Batched(), Subset(Pairs(), [0, 1, 2]), Stream()])
def test_pairs_lose_positions_of_x_in_every_way_of_reading(data):
    less = leave_out(data, feature(1, 3))
    assert isinstance(less, IterableDataset if isinstance(data, IterableDataset) else Dataset)
    for x, _ in [next(iter(less)), *DataLoader(less, batch_size=None)]:
        assert len(x) == 2 and x[1] - x[0] == 2
    x, y = next(iter(DataLoader(less, batch_size=3)))
    assert x.shape == (3, 2) and y.shape == (3,)
    x, _ = next(iter(DataLoader(leave_out(data, feature(1, fill=-1)), batch_size=3)))
    assert x.shape == (3, 4) and (x[:, 1] == -1).all() and (x[:, 3] - x[:, 0] == 3).all()


def test_dicts_lose_keys_or_hold_the_fill():
    less = leave_out(Dicts(), feature("age"), label="survived")
    assert list(less[0]) == ["fare", "survived"]
    less = leave_out(Dicts(), feature("age", "fare", fill=0))
    assert less[1] == {"age": torch.tensor([0.0]), "fare": 0.0, "survived": 1}


def test_a_view_has_the_length_and_the_attributes_of_the_data_set_behind_it_and_travels():
    data = Pairs()
    less = leave_out(data, feature(0))
    assert len(less) == 3 and less.classes == ("no", "yes") and data.reads == 0
    again = pickle.loads(pickle.dumps(less))
    assert len(again) == 3 and again[2][0].tolist() == [3, 4, 5]
    assert not hasattr(leave_out(Stream(), feature(0)), "__len__")
    with pytest.raises(AttributeError):
        less.nothing  # noqa: B018


def test_a_view_is_read_by_the_processes_of_a_loader():
    less = leave_out(Pairs(), feature(0))
    loader = DataLoader(less, batch_size=3, num_workers=1, multiprocessing_context="fork")
    assert next(iter(loader))[0].tolist() == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]


def test_a_tensor_dataset_becomes_another_tensor_dataset():
    data = TensorDataset(torch.arange(8.0).reshape(2, 4), torch.zeros(2))
    less = leave_out(data, feature(0))
    assert type(less) is TensorDataset and less.tensors[0].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert data.tensors[0].shape == (2, 4) and outline(data).width == 4
    for act in (leave_out, check_columns):
        with pytest.raises(AblationError, match="positions go from 0 to 3"):
            act(data, feature(4))


def test_what_the_items_do_not_have_is_said_at_the_first_of_them():
    check_columns(Dicts(), feature("agee"))
    with pytest.raises(AblationError, match=r"an item of the data has no column 'agee'. Did you mean 'age'"):
        leave_out(Dicts(), feature("agee"))[0]
    with pytest.raises(AblationError, match="an item of the data has no names of columns, so 'age' is none"):
        leave_out(Pairs(), feature("age"))[0]
    with pytest.raises(AblationError, match="'survived' is the label"):
        leave_out(Dicts(), feature("survived"), label="survived")

    class Words(Pairs):
        def __getitem__(self, index: int) -> str:
            return "word"

    with pytest.raises(AblationError, match="an item of the data is str; columns can be left out of dicts"):
        leave_out(Words(), feature("age"))[0]
