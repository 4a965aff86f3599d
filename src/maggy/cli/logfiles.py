"""The files in which an experiment keeps what its trials and workers print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maggy.journal import ExperimentFolder

_TRIAL = re.compile(r"trials/(\d+)/output\.log")


class LogFiles:
    """Reads them bit by bit, from where the user knows the folder to be.

    trial, worker  only this one's; with neither, those of all trials
    """

    def __init__(self, folder: ExperimentFolder, *, trial: int | None = None, worker: int | None = None) -> None:
        self._folder, self._trial, self._worker = folder, trial, worker
        self._read: dict[str, int] = {}

    def new(self, *, whole: bool) -> list[tuple[str, int, str]]:
        """The lines that are there since the last call: "trial" or "worker", its number, and the line.

        whole  also a last one without an end: nothing follows
        """
        lines = []
        for name, (kind, number) in self._files():
            read = self._read.get(name, 0)
            try:
                data = self._after(name, read)
            except FileNotFoundError:
                continue
            if not whole:
                data = data[: data.rfind(b"\n") + 1]
            self._read[name] = read + len(data)
            lines += [(kind, number, line) for line in data.decode(errors="replace").splitlines()]
        return lines

    def _after(self, name: str, offset: int) -> bytes:
        if self._folder.is_remote:
            return self._folder.read(name)[offset:]
        with (self._folder.local / name).open("rb") as file:
            file.seek(offset)
            return file.read()

    def _files(self) -> Iterator[tuple[str, tuple[str, int]]]:
        if self._trial is not None:
            yield f"trials/{self._trial}/output.log", ("trial", self._trial)
        elif self._worker is not None:
            yield f"workers/{self._worker}.log", ("worker", self._worker)
        else:
            numbers = sorted(int(match[1]) for name in self._names() if (match := _TRIAL.fullmatch(name)))
            yield from ((f"trials/{number}/output.log", ("trial", number)) for number in numbers)

    def _names(self) -> list[str]:
        place = self._folder.place
        if self._folder.is_remote:
            from maggy.journal.places import Store

            assert isinstance(place, Store)
            return place.find("trials")
        root = self._folder.local
        return [path.relative_to(root).as_posix() for path in root.glob("trials/*/output.log")]
