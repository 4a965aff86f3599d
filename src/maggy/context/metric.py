"""Reading a number out of what people return and report."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from maggy.errors import MetricTypeError, MetricValueError, ReturnKeyError, ReturnTypeError

_DEPTH_LIMIT = 30  # of what is nested in a returned dict
_OUTPUTS_LIMIT = 256 << 10  # characters of a returned dict that are kept beside its metric


def as_number(value: object) -> float | None:
    """`value` as a float if it is one number: int, float, NumPy scalar, 0-d array or tensor. Otherwise None.

    A bool is no number here: a metric that is True is a comparison that somebody forgot to average.
    """
    if type(value) is float:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, numbers.Real):
        try:
            return float(value)
        except OverflowError:
            return math.inf  # whichever end it lies beyond: it is not finite
    kind = str(getattr(value, "dtype", ""))
    if ("float" in kind or "int" in kind) and tuple(getattr(value, "shape", "?")) == ():
        detached = value.detach() if hasattr(value, "detach") else value  # torch warns about a loss with a gradient
        return float(detached)  # type: ignore[arg-type]  # every array library's 0-d array has __float__
    return None


def read_return(
    returned: object, optimization_key: str, further_keys: Sequence[str] = ()
) -> tuple[float, dict[str, Any] | None]:
    """The metric in what the training function returned, and the whole dict if it was one.

    further_keys  of further objectives, each of which the dict has to hold as well

    Raises ReturnTypeError, ReturnKeyError, MetricTypeError or MetricValueError, which say what was wrong.
    """
    if further_keys and not isinstance(returned, Mapping):
        raise ReturnTypeError(
            f"the training function returned {_describe(returned)}; with several objectives it has to be a dict that "
            f"holds {', '.join(map(repr, (optimization_key, *further_keys)))}"
        )
    further = {key: read_return(returned, key)[0] for key in further_keys}
    if isinstance(returned, Mapping):
        if optimization_key not in returned:
            raise ReturnKeyError(
                f"the training function returned a dict without {optimization_key!r}, the optimization_key; "
                f"its keys are {', '.join(map(repr, returned)) or 'none at all'}"
            )
        metric, where = returned[optimization_key], f"the dict's {optimization_key!r}"
    else:
        metric, where = returned, "what the training function returned"
    number = as_number(metric)
    if number is None:
        what = f"{where} is {_describe(metric)}; it has to be a number"
        if metric is returned:
            raise ReturnTypeError(f"{what}, or a dict that holds {optimization_key!r}")
        raise MetricTypeError(what)
    if not math.isfinite(number):
        raise MetricValueError(f"{where} is {number}: the training has diverged, which is no result")
    return number, {**as_outputs(returned), **further} if isinstance(returned, Mapping) else None


def _describe(value: object) -> str:
    if value is None:
        return "None (is a return missing?)"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"a {kind} of shape {tuple(shape)}" if shape is not None else f"{kind} {str(value)[:60]!r}"


def as_outputs(returned: Mapping[Any, Any]) -> dict[str, Any]:
    """The dict as JSON can hold it, without what is too large for a message and a journal."""
    outputs, size = {}, 0
    for key, value in returned.items():
        name, kept = str(_jsonable(str(key))), _jsonable(value)
        weight = len(name) + len(json.dumps(kept))
        if size + weight > _OUTPUTS_LIMIT:
            kept = f"[dropped by Maggy: {weight} bytes; write what is large to a file]"
            weight = len(name) + len(kept)
        if size + weight <= 2 * _OUTPUTS_LIMIT:
            outputs[name], size = kept, size + weight
    return outputs


def _jsonable(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold it; whatever it cannot is kept as text."""
    if depth > _DEPTH_LIMIT:
        return f"[dropped by Maggy: nested more than {_DEPTH_LIMIT} deep]"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_jsonable(str(key))): _jsonable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item, depth + 1) for item in value]
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else str(int(value))
    number = as_number(value)
    if number is not None:
        return number if math.isfinite(number) else str(number)
    return _jsonable(str(value)[:1000])
