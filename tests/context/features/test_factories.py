"""A factory makes data without columns: by itself where it asks which, else what it has made is treated."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pandas as pd
import pytest
from torch.utils.data import Dataset

from maggy.ablation.components import Features
from maggy.context.features import check_columns, leave_out
from maggy.errors import AblationError


def feature(*columns: str | int, fill: float | None = None) -> list[Features]:
    return [Features(name=f"no {columns[0]}", columns=columns, fill=fill)]


def titanic(rows: int = 2, *, shuffle: bool = False) -> pd.DataFrame:
    """Passengers."""
    return pd.DataFrame({"age": range(rows), "fare": 1.5, "survived": 1})


class Rows(Dataset):
    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __getitem__(self, index: int) -> dict[str, int]:
        return {"age": index, "fare": 2}


def test_a_factory_stays_one_of_the_same_signature():
    less = leave_out(titanic, feature("age"), label="survived")
    assert inspect.signature(less) == inspect.signature(titanic)
    assert (less.__name__, less.__doc__) == ("titanic", "Passengers.")
    assert list(less(3, shuffle=True)) == ["fare", "survived"] and len(less(rows=3)) == 3
    assert list(leave_out(functools.partial(titanic, rows=5), feature("fare"))()) == ["age", "survived"]
    assert leave_out(Rows, feature("age"))(3)[1] == {"fare": 2}
    both = leave_out(lambda: (titanic(), titanic(5)), feature("age"))()
    assert [list(each) for each in both] == [["fare", "survived"]] * 2
    assert leave_out(titanic, []) is titanic


def test_what_a_factory_makes_has_to_have_the_column():
    check_columns(titanic, feature("agee"))
    with pytest.raises(AblationError, match=r"what dataset made has no column 'agee'. Did you mean 'age'") as caught:
        leave_out(titanic, feature("agee"), name="dataset")()
    assert caught.value.component == "no agee"
    with pytest.raises(AblationError, match=r"what the data made is generator.*takes ablated_features="):
        leave_out(lambda: (n for n in range(3)), feature("age"))()
    with pytest.raises(AblationError, match="changes nothing in what the data made"):
        leave_out(lambda: np.zeros(3), feature(0))()
    with pytest.raises(AblationError, match="'survived' is the label"):
        leave_out(titanic, feature("survived"), label="survived")


def test_a_factory_that_asks_is_told_which_columns_to_leave_out():
    def chooses(rows, ablated_features):
        return titanic(rows).drop(columns=list(ablated_features)), ablated_features

    def chooses_one(ablated_feature, rows=2):
        return titanic(rows).drop(columns=[ablated_feature] if ablated_feature else []), ablated_feature

    table, told = leave_out(chooses, feature("age", "fare"))(3)
    assert list(table) == ["survived"] and told == ("age", "fare") and len(table) == 3
    assert leave_out(chooses, [])(3)[1] == ()
    assert leave_out(chooses_one, feature("fare"))()[1] == "fare"
    assert leave_out(chooses_one, [])()[1] is None
    with pytest.raises(
        AblationError, match="takes one ablated_feature=, and 2 are to go at once; let it take ablated_fea"
    ):
        leave_out(chooses_one, feature("age", "fare"))
    with pytest.raises(AblationError, match="so fill= has no meaning for it"):
        leave_out(chooses, feature("age", fill=0))


def test_a_factory_that_asks_and_leaves_nothing_out_is_found_out():
    def ignores(ablated_features):
        return [titanic(), titanic()]

    with pytest.raises(
        AblationError, match=r"what train_set made\[0\] still has 'age', which it was told to leave out"
    ):
        leave_out(ignores, feature("age"), name="train_set")()
