"""The function that a command line names."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from maggy.errors import ConfigError, UnknownNameError


def load_target(target: str) -> Callable[..., Any]:
    """The training function in `script.py:train` or `package.module:train`.

    The script runs as a module, as if it were imported: what is under `if __name__ == "__main__"` does not run. Its
    folder, or for a module the present one, is where its imports are looked for first.

    Raises ConfigError or UnknownNameError where there is no such function, or the script fails.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise ConfigError(
            f"{target!r} does not say which function: script.py:train, or package.module:train, for the function train"
        )
    is_script = place.endswith(".py")
    try:
        module = _run_script(Path(place)) if is_script else _import(place)
    except ConfigError:
        raise
    except BaseException as error:  # a script may also exit
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigError(f"{place} cannot be loaded:\n{_told(error)}") from error
    try:
        found = reduce(getattr, name.split("."), module)
    except AttributeError:
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise UnknownNameError(f"function of {place}", name, own) from None
    if not callable(found):
        raise ConfigError(f"{target!r} is no function, but {found!r}")
    function: Callable[..., Any] = found
    return function


def _run_script(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no script {str(path)!r} (looked for in {Path.cwd()})")
    name = path.stem
    while name in sys.modules:
        name += "_"
    spec = spec_from_file_location(name, path.absolute())
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    _look_first(str(path.absolute().parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import(name: str) -> ModuleType:
    _look_first(str(Path.cwd()))
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise ConfigError(
            f"there is no module {name!r} here or among what is installed; a script is named with its .py"
        ) from None


def _look_first(folder: str) -> None:
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _told(error: BaseException) -> str:
    """Its traceback, from the user's own code on."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    return "".join([*traceback.format_list(own), *traceback.format_exception_only(error)]).rstrip()
