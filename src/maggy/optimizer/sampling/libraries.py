"""Libraries that only some optimizers need."""

from __future__ import annotations

from importlib.util import find_spec

from maggy.errors import ConfigError


def require(library: str, who: str, extra: str) -> None:
    """Make sure that a library is there, without importing it.

    library  its name
    who      the optimizer that needs it, as the user calls it
    extra    of `maggy`, which brings it

    Raises ConfigError if it is not there.
    """
    if find_spec(library) is None:
        raise ConfigError(f"optimizer {who} needs {library}: pip install 'maggy[{extra}]'")
