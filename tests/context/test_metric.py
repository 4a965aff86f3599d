"""What counts as a number, and what is said of everything else."""

import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from maggy.context.metric import as_number, read_return
from maggy.errors import MetricTypeError, MetricValueError, ReturnKeyError, ReturnTypeError


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        Fraction(1, 2),
        np.float16(0.5),
        np.float32(0.5),
        np.float64(0.5),
        np.longdouble(0.5),
        np.array(0.5),
        torch.tensor(0.5),
        torch.tensor(0.5, dtype=torch.bfloat16),
        torch.tensor(0.25, requires_grad=True) * 2,  # a loss as it comes out of a model
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'dtype', '')}",
)
def test_one_half_is_a_number_whoever_made_it(value):
    assert as_number(value) == 0.5
    assert type(as_number(value)) is float
    assert read_return(value, "Metric") == (0.5, None)
    assert read_return({"Metric": value}, "Metric")[0] == 0.5


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3), torch.tensor(3)], ids=repr)
def test_whole_numbers_are_numbers(value):
    assert as_number(value) == 3.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "0.5",
        b"0.5",
        [0.5],
        (0.5,),
        {"loss": 0.5},
        True,
        np.True_,
        np.array(True),
        torch.tensor(True),
        np.array([0.5]),
        np.zeros((2, 3)),
        torch.tensor([0.5]),
        0.5j,
        np.complex128(0.5),
        np.array(0.5j),
        torch.tensor(0.5j),
        np.str_("0.5"),
        np.array("0.5"),
        np.array(None),
        np.datetime64("2026-01-01"),
        Decimal("0.5"),
        object(),
        float,
    ],
    ids=repr,
)
def test_nothing_else_is_a_number(value):
    assert as_number(value) is None
    with pytest.raises(MetricTypeError):
        read_return({"Metric": value}, "Metric")


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (None, "what the training function returned is None (is a return missing?); it has to be a number, or a dict"),
        ("0.93", "what the training function returned is str '0.93'; it has to be a number, or a dict that holds"),
        (True, "what the training function returned is bool 'True'; "),
        (np.zeros((2, 3)), "what the training function returned is a ndarray of shape (2, 3); it has to be a number"),
        (torch.zeros(1), "what the training function returned is a Tensor of shape (1,); it has to be a number"),
        (Decimal("0.93"), "what the training function returned is Decimal '0.93'; it has to be a number"),
        ([0.93], "what the training function returned is list '[0.93]'; it has to be a number"),
    ],
)
def test_a_function_that_returns_no_number_and_no_dict(returned, says):
    with pytest.raises(ReturnTypeError) as caught:
        read_return(returned, "acc")
    assert str(caught.value).startswith(says)
    assert str(caught.value).endswith("or a dict that holds 'acc'")


def test_a_dict_without_the_key_says_which_keys_it_has():
    with pytest.raises(ReturnKeyError) as caught:
        read_return({"acc": 0.9, "loss": 0.1}, "Metric")
    assert str(caught.value) == (
        "the training function returned a dict without 'Metric', the optimization_key; its keys are 'acc', 'loss'"
    )
    with pytest.raises(ReturnKeyError, match="its keys are none at all"):
        read_return({}, "Metric")


def test_a_dict_whose_metric_is_no_number_says_so():
    with pytest.raises(MetricTypeError, match=r"the dict's 'acc' is str '0\.9'; it has to be a number$"):
        read_return({"acc": "0.9"}, "acc")


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, np.float32("nan"), torch.tensor(math.inf), 10**400],
    ids=lambda v: str(v)[:9],
)
def test_what_is_not_finite_has_diverged(value):
    with pytest.raises(MetricValueError, match=r"is -?(nan|inf): the training has diverged, which is no result"):
        read_return(value, "Metric")
    with pytest.raises(MetricValueError, match="the dict's 'Metric' is"):
        read_return({"Metric": value}, "Metric")


def test_a_dict_is_kept_as_json_can_hold_it():
    returned = {
        "Metric": np.float32(0.5),
        "epochs": 3,
        "ok": True,
        "note": None,
        "curve": (1.0, math.nan, math.inf),
        "model": {"layers": [torch.tensor(64.0)], 7: "seven"},
        "path": Fraction,
    }
    metric, outputs = read_return(returned, "Metric")
    assert metric == 0.5
    assert outputs == {
        "Metric": 0.5,
        "epochs": 3,
        "ok": True,
        "note": None,
        "curve": [1.0, "nan", "inf"],
        "model": {"layers": [64.0], "7": "seven"},
        "path": "<class 'fractions.Fraction'>",
    }
    assert json.loads(json.dumps(outputs, allow_nan=False)) == outputs
