"""Any object, as a pickle."""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle

from maggy.context.data.form import Output, open_at

_FILE = "object.pickle"


class Object:
    """Whatever no other form takes: data sets of PyTorch, containers of anything, objects of the user's own classes."""

    def takes(self, value: Any) -> bool:
        return True

    def write(self, value: Any, output: Output) -> bool:
        from maggy.context.task import modules_by_value  # which imports this package

        with output.create(_FILE) as file, modules_by_value():
            cloudpickle.dump(value, file, protocol=5)
        return True

    def read(self, url: str) -> Any:
        with open_at(url, _FILE) as file:
            return pickle.load(file)
