"""Many experiments in one process leave nothing behind."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest
from reliability.processes import descendants

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig


def train(x, reporter):
    reporter.broadcast(x, 1)
    return x


def run(tmp_path, number, engine):
    config = HyperparameterOptConfig(
        2,
        "randomsearch",
        Searchspace(x=("DOUBLE", [0.0, 1.0])),
        seed=number,
        num_workers=1,
        experiment_dir=tmp_path / engine / str(number),
    )
    assert lagom(train, config, engine=engine, verbose=0)["num_trials"] == 2


def held():
    """Threads, descriptors, child processes and temporary files of this process, by what they are."""
    gc.collect()
    descriptors = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            descriptors.append(str(link.readlink()).partition(":[")[0])
        except OSError:  # the one that lists them
            continue
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "descriptors": sorted(descriptors),
        "processes": sorted(descendants().values()),
        "temporary files": sorted(path.name for path in Path(tempfile.gettempdir()).glob("*maggy*")),
    }


def resident_mib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def repeat(tmp_path, engine, times):
    for number in range(10):  # what is loaded and cached once
        run(tmp_path, number, engine)
    before, memory = held(), resident_mib()
    for number in range(10, times):
        run(tmp_path, number, engine)
    after = held()
    left = {what: list((Counter(after[what]) - Counter(before[what])).elements()) for what in before}
    assert left == {what: [] for what in before}  # what another test has left may end meanwhile
    return memory, resident_mib()


@pytest.mark.parametrize(("engine", "times"), [("inline", 60), ("local", 16)])
def test_short_experiments_leave_nothing_behind(engine, times, tmp_path):
    repeat(tmp_path, engine, times)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["inline", "local"])
def test_two_hundred_experiments_leave_nothing_behind_and_memory_stays_flat(engine, tmp_path, capsys):
    before, after = repeat(tmp_path, engine, 210)
    with capsys.disabled():
        print(f"\n200 experiments on the {engine} engine: {before:.0f} MiB before, {after:.0f} MiB after")
    assert after < before + 20
