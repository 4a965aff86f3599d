from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from maggy.cli import main

SCRIPT = """
from shape import hill

CALLS = []


def train(x, reporter, steps=3):
    for step in range(steps):
        reporter.broadcast(hill(x) - 1 / (step + 1), step)
    print("trained with", x)
    if x > 0.95:
        raise ValueError("x is too large")
    return {"Metric": hill(x), "steps": steps}


def seeded(x, seed):
    import random

    return x + random.Random(seed).random()


if __name__ == "__main__":
    raise SystemExit("the script was run as a program")
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has a folder with a script, a module beside it and a search space; what it imports is forgotten."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_script(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write_script(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)
    (folder / "shape.py").write_text("def hill(x):\n    return 1 - (x - 0.5) ** 2\n")
    (folder / "space.toml").write_text('x = { type = "double", values = [0, 1] }\n')


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search of six trials on one worker, with random configurations; do not change it."""
    folder = tmp_path_factory.mktemp("recorded")
    write_script(folder)
    config = """
        [run]
        target = "train.py:train"
        trials = 6
        early-stopping = "none"
        workers = 1
        seed = 5
        name = "hill"

        [space]
        x = { type = "double", values = [0, 1] }
        steps = 4
        """
    (folder / "experiment.toml").write_text(dedent(config))
    before, path = set(sys.modules), list(sys.path)
    try:
        status = main(["run", "--config", str(folder / "experiment.toml"), "--dir", str(folder / "hill"), "-q"])
    finally:
        sys.path[:] = path
        for name in {"train", "shape"} - before:
            sys.modules.pop(name, None)
    assert status == 0
    return str(folder / "hill")
