"""What a training function gets that uses Keras."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from maggy.context.distributed.context import Context
from maggy.context.distributed.gang import Gang
from maggy.context.distributed.keras.models import mix
from maggy.context.factory import finishing, named_like


class KerasContext(Context):
    """A context whose models train together with those of the other ranks.

    mixin       what such a model does differently; None for a worker alone
    attributes  what the mixin needs
    """

    def __init__(
        self, gang: Gang, *, seed: int, mixin: type | None = None, attributes: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(gang, seed=seed)
        self._mixin, self._attributes = mixin, attributes or {}

    def place(self, model: Any) -> Any:
        """The class or factory of a model, or a list of them, such that what it makes trains together with that of the
        other ranks; also for a model itself.

        A class stays a class. What is made says that it is of the user's class, and is saved as that. What is no Keras
        model stays as it is.
        """
        if self._mixin is None:
            return model
        if isinstance(model, functools.partial):
            return functools.partial(self.place(model.func), *model.args, **model.keywords)
        if isinstance(model, type):
            return _making(model, self._settle)
        return finishing(model, self._settle) if callable(model) and not self._is_model(model) else self._settle(model)

    def _settle(self, made: Any) -> Any:
        if isinstance(made, list | tuple):
            return type(made)([self.place(item) for item in made])
        if self._is_model(made):
            assert self._mixin is not None
            mix(made, self._mixin, {"_gang": self._gang, **self._attributes})
            made.settle()
        return made

    def _is_model(self, value: Any) -> bool:
        import keras

        return isinstance(value, keras.Model)


def _making(kind: type, finish: Callable[[Any], Any]) -> type:
    """A class that looks like another, and makes instances of that one."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return finish(kind(*args, **kwargs)) if cls is made else kind.__new__(cls, *args, **kwargs)

    made = named_like(kind, (kind,), {"__new__": __new__})
    return made
