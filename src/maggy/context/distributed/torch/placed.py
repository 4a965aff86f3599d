"""Models that train with those of the other ranks, and look like the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maggy.context.distributed.torch.alone import Alone
from maggy.context.distributed.torch.sharded import Sharded, as_shards
from maggy.context.factory import named_like, subclass

_KEY = "_maggy_together"
_PLAIN = "_maggy_plain"


class Placed:
    """What comes before the class of a model when it is placed. No layer is added, so that all names stay.

    FSDP2 changes classes in the same way.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A slice of a Sequential makes one of its own class: it is no model that trains by itself."""
        return getattr(cls, _PLAIN)(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        around, call = together(self), super().__call__  # type: ignore[misc]
        if around.inside:
            return call(*args, **kwargs)
        around.inside = True
        try:
            return around.run(self, call, args, kwargs)
        finally:
            around.inside = False

    def train(self, mode: bool = True) -> Any:
        if mode != self.training:  # type: ignore[attr-defined]
            together(self).enter(self, training=mode)
        return super().train(mode)  # type: ignore[misc]


class Copied(Placed):
    """A model of which each rank has a copy: copies and pickles of it are plain models of the user's class."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = getattr(self, _PLAIN)
        twin = plain.__new__(plain)
        twin.__dict__.update({name: value for name, value in self.__dict__.items() if name != _KEY})
        rebuild, *rest = twin.__reduce_ex__(protocol)
        return _new if getattr(rebuild, "__name__", "") == "__newobj__" else rebuild, *rest  # of which pickle asks more


class Cut(Placed):
    """A model that lies in pieces on the ranks: weights that are loaded may be whole."""

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        state = as_shards(state_dict, self.state_dict())  # type: ignore[attr-defined]
        return super().load_state_dict(state, *args, **kwargs)  # type: ignore[misc]


def _new(kind: Any, *args: Any) -> Any:
    return kind.__new__(kind, *args)


def place(net: Any, way: Callable[[Any], Alone]) -> Any:
    """The module itself, placed.

    way  makes of it what is done around its calls
    """
    if is_placed(net):
        return net
    made: Any = type(net)
    plain = made.__dict__.get(_PLAIN, made)
    net.__class__ = plain
    around = way(net)
    mixin = Cut if isinstance(around, Sharded) else Copied
    bases = (mixin, type(net)) if made is plain else (mixin, made, type(net))  # FSDP2 has changed the class too
    net.__class__ = named_like(plain, bases, {_PLAIN: plain})
    net.__dict__[_KEY] = around
    return net


def release(net: Any) -> None:
    """Make a placed module the user's again, except for one that lies in pieces."""
    if is_placed(net):
        together(net).release()
        if isinstance(net, Copied):
            del net.__dict__[_KEY]
            net.__class__ = getattr(net, _PLAIN)


def is_placed(net: Any) -> bool:
    """Whether a module is placed."""
    return _KEY in net.__dict__


def together(net: Any) -> Alone:
    """What is done around the calls of a placed module."""
    way: Alone = net.__dict__[_KEY]
    return way


def placing(kind: type, settle: Callable[[Any], Any]) -> type:
    """A class, such that `settle` places its instances."""
    return subclass(kind, settle, **{_PLAIN: kind})
