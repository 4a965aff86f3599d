"""The disk fills up or goes away in the middle of an experiment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, resource, signal, sys, time
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig

folder, how, spoilt = sys.argv[1], sys.argv[2], int(sys.argv[3])
begun = 0

def spoil():
    if how == "file size":
        size = os.path.getsize(next(os.path.join(folder, "journal", n) for n in os.listdir(folder + "/journal")))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    elif how == "full":
        with open(folder + "/ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 1000):
                    pass
            except OSError:
                pass
    elif how == "gone":
        os.system(f"rm -rf {folder}")

def mend(*_):
    if how == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    elif how == "full":
        os.remove(folder + "/ballast")

signal.signal(signal.SIGUSR1, mend)

def train(x, reporter):
    global begun
    begun += 1
    if begun == spoilt:
        spoil()
    for step in range(5):
        reporter.broadcast(x * step, step)
        time.sleep(0.002)
    return x

space = Searchspace(x=("INTEGER", [1, 80]))
config = HyperparameterOptConfig(80, "gridsearch", space, es_policy="none", experiment_dir=folder)
result = lagom(train, config, engine="inline")
print(json.dumps({"metrics": sorted(result["metric_list"]), "interrupted": result.interrupted}), flush=True)
"""


@pytest.fixture
def disk(request, tmp_path):
    """A folder on a disk of its own where that takes one: 300 kB that can be filled."""
    if request.node.callspec.params["how"] in ("file size", "gone"):
        yield tmp_path
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a disk here; 'file size' shows the same by other means")
    yield folder
    subprocess.run(["umount", folder], check=True)


def start(disk: Path, how: str, spoilt: int = 4) -> subprocess.Popen[str]:
    """The experiment; the disk is spoilt when so many trials have begun."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(disk / "run"), how, str(spoilt)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ | {"COLUMNS": "300"},
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} was never said:\n{said}")


@pytest.mark.parametrize("how", ["file size", "full"])
@pytest.mark.parametrize("spoilt", [4, 80])
def test_an_experiment_pauses_and_goes_on_when_the_disk_can_be_written_again(how, spoilt, disk):
    with start(disk, how, spoilt if how == "file size" else 4) as process:
        said = read_until(process, "paused")
        assert "cannot be written" in said
        assert "goes on as soon as it can be written" in said
        process.send_signal(signal.SIGUSR1)
        read_until(process, "goes on: the journal can be written again")
        out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert json.loads(out) == {"metrics": list(range(1, 81)), "interrupted": False}
    from maggy.resuming import replay_experiment

    told, decider = replay_experiment(disk / "run")
    assert told.differences == []
    assert decider.brain.ended.total() == 80


@pytest.mark.parametrize("how", ["file size", "full"])
def test_ctrl_c_ends_a_pause_with_everything_that_is_known(how, disk):
    with start(disk, how) as process:
        read_until(process, "paused")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "ended early, with what is known here" in said
    answer = json.loads(out)
    assert answer["interrupted"]
    assert answer["metrics"][:3] == [1, 2, 3]


@pytest.mark.parametrize("how", ["gone"])
def test_a_folder_that_is_removed_ends_the_experiment_with_everything_that_is_known(how, disk):
    with start(disk, how) as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    answer = json.loads(out)
    assert answer["interrupted"]
    assert answer["metrics"][:3] == [1, 2, 3]
    assert len(answer["metrics"]) < 80
    assert "was removed while the experiment ran" in said


PARALLEL = """
import json, os, sys, time
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig

folder = sys.argv[1]

def train(x, reporter):
    from pathlib import Path
    import time
    disk = Path(folder).parent
    Path(disk.parent, f"begun-{x}").touch()
    if x == 2:
        while not Path(disk.parent, "begun-1").exists():
            time.sleep(0.01)
        with open(disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 1000):
                    pass
            except OSError:
                pass
        reporter.log("x" * 200)
        for step in range(3000):
            reporter.broadcast(x, step)
        return x
    while not Path(disk.parent, "go").exists():
        time.sleep(0.01)
    return x

space = Searchspace(x=("INTEGER", [1, 9]))
config = HyperparameterOptConfig(
    9, "gridsearch", space, es_policy="none", experiment_dir=folder, num_workers=2)
result = lagom(train, config, engine="local")
print(json.dumps({"metrics": sorted(result["metric_list"]), "interrupted": result.interrupted}), flush=True)
"""


@pytest.mark.parametrize("how", ["full"])
def test_what_trials_have_finished_in_a_pause_is_returned_too(how, disk):
    command = [sys.executable, "-c", PARALLEL, str(disk / "run")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd="/", env=os.environ | {"COLUMNS": "300"}, **pipes) as process:
        read_until(process, "paused")
        (disk.parent / "go").touch()  # the other trial finishes now, while nobody listens
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert json.loads(out) == {"metrics": [1, 2], "interrupted": True}
