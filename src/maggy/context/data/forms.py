"""The forms in which an object of a config is written."""

from __future__ import annotations

from maggy.context.data.arrays import Array, Tensor
from maggy.context.data.form import Form
from maggy.context.data.frames import Frame, Series
from maggy.context.data.objects import Object
from maggy.context.data.tables import Dataset, Rows, Table
from maggy.context.data.tensorflow import TfDataset

FORMS: dict[str, Form] = {
    "frame": Frame(),
    "series": Series(),
    "table": Table(),
    "dataset": Dataset(),
    "rows": Rows(),
    "array": Array(),
    "tensor": Tensor(),
    "tf": TfDataset(),
    "object": Object(),
}
"""By name. The first that takes a value and can write it does, and the last takes any."""
