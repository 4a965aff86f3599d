"""Arrays and tensors. On this machine they are mapped into memory, so that workers share the pages they only read."""

from __future__ import annotations

import warnings
from typing import Any

from maggy.context.data.form import Output, open_at, path_at
from maggy.context.data.kinds import is_exactly

_ARRAY, _TENSOR = "array.npy", "tensor.pt"


class Array:
    """A NumPy array, as a `.npy` file. What holds Python objects, or knows more than its bytes, is left to others."""

    def takes(self, value: Any) -> bool:
        return (is_exactly(value, "numpy", "ndarray") or is_exactly(value, "numpy", "memmap")) and _is_plain(
            value.dtype
        )

    def write(self, value: Any, output: Output) -> bool:
        import numpy as np

        with output.create(_ARRAY) as file:
            np.save(file, np.asarray(value), allow_pickle=False)
        return True

    def read(self, url: str) -> Any:
        import numpy as np

        path = path_at(url, _ARRAY)
        if path is not None:
            mapped = np.load(path, mmap_mode="c", allow_pickle=False)  # a page that is written to becomes its own
            return mapped.view(np.ndarray)
        with open_at(url, _ARRAY) as file:
            return np.load(file, allow_pickle=False)


def _is_plain(dtype: Any) -> bool:
    """Whether a `.npy` file holds all there is to a dtype."""
    from numpy.lib.format import descr_to_dtype, dtype_to_descr

    if dtype.hasobject:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "metadata is dropped", "custom dtypes are saved as python objects"
            return bool(descr_to_dtype(dtype_to_descr(dtype)) == dtype)
    except (UserWarning, TypeError, ValueError):
        return False


class Tensor:
    """A PyTorch tensor, in PyTorch's own format. It arrives on the CPU."""

    def takes(self, value: Any) -> bool:
        return is_exactly(value, "torch", "Tensor") and str(value.layout) == "torch.strided" and not value.requires_grad

    def write(self, value: Any, output: Output) -> bool:
        import torch

        tensor = value.cpu()
        if tensor.untyped_storage().nbytes() > tensor.nbytes:  # a part of a larger one, which would be written whole
            tensor = tensor.clone()
        with output.create(_TENSOR) as file:
            torch.save(tensor, file)
        return True

    def read(self, url: str) -> Any:
        import torch

        path = path_at(url, _TENSOR)
        if path is not None:
            return torch.load(path, weights_only=True, mmap=True)
        with open_at(url, _TENSOR) as file:
            return torch.load(file, weights_only=True)
