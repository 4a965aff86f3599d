"""Libraries that only some optimizers need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from maggy.errors import ConfigError


def required(library: str, who: str, extra: str) -> Any:
    """Import a library, or say how it is installed.

    library  its name
    who      what needs it, as the user calls it
    extra    of `maggy`, which brings it

    Raises ConfigError if it is not there.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise ConfigError(f"optimizer {who} needs {library}: pip install 'maggy[{extra}]' ({error})") from error
