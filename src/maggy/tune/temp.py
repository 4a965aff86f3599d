"""Where tables and experiments go, unless a call says so."""

from __future__ import annotations

import uuid


class _TuneObjectFactory:
    """Settings for all calls of this process.

    Source: Fugue-Tune's object of this name.
    """

    def __init__(self) -> None:
        self._path = ""

    def set_temp_path(self, path: str) -> None:
        """Where tables and experiments go: a folder or URL that all workers see; "" for ./maggy-runs."""
        self._path = str(path)

    def get_path_or_temp(self, path: str | None = "") -> str:
        """The path that a call was given, or else the one that was set; "" for ./maggy-runs."""
        return str(path or "") or self._path

    def fresh(self, path: str) -> str:
        """A folder that does not exist yet."""
        return within(path, f"tune-{uuid.uuid4().hex[:8]}")


def within(path: str, name: str) -> str:
    """A name in a folder, or a URL, with or without a slash at its end."""
    return f"{path}{name}" if path.endswith("/") else f"{path}/{name}"


TUNE_OBJECT_FACTORY = _TuneObjectFactory()
