"""A first-time user's path: a function of one's own, tuned, stopped early, looked at, in an empty folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

# What somebody writes after reading the README: a function that knows its reporter, and a few lines below it.
SEARCH = """
import time

from maggy import Searchspace, experiment


def train(learning_rate, width, reporter):
    error = 1.0
    for epoch in range(15):
        time.sleep(0.01)
        error = 0.02 + 0.98 * error * (1 - learning_rate * width / 64)
        print("epoch", epoch, "error", error)
        reporter.broadcast(metric=error)
    return error


result = experiment.lagom(
    map_fun=train,
    searchspace=Searchspace(learning_rate=("DOUBLE", [0.001, 0.5]), width=("INTEGER", [4, 64])),
    optimizer="randomsearch",
    direction="min",
    num_trials=24,
    es_min=5,
    name="mine",
)
print("best:", result["best_val"], "with", result["best_hp"])
"""


def python(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_first_time_user_tunes_a_function_sees_trials_stopped_early_and_looks_at_the_result(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)

    run = python("search.py", cwd=tmp_path)

    # It says, while it runs and at the end, what matters; and no warning of any kind.
    assert "24 of 24 trials" in run.stderr
    summary = dict(re.findall(r"^(best|trials|saved|folder) +(.+)$", run.stderr, re.MULTILINE))
    assert set(summary) == {"best", "trials", "saved", "folder"}
    assert "stopped early" in summary["trials"]
    assert "warning" not in run.stderr.lower()
    best_val = float(run.stdout.split()[1])
    assert f"{best_val:.6g}" in summary["best"]

    # It leaves one folder, where the quick start says, with what it says.
    folder = Path(summary["folder"])
    assert folder == tmp_path / "maggy-runs" / "mine" / "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maggy-runs", "search.py"]
    result = json.loads((folder / "result.json").read_text())
    assert result["best_val"] == best_val and result["early_stopped"] > 0
    assert "epoch 0 error" in (folder / "trials" / str(result["best_id"]) / "output.log").read_text()

    # Looked at from the terminal: which experiments there are, how this one went, what its best trial printed.
    [mine] = json.loads(python("-m", "maggy", "list", "--json", cwd=tmp_path).stdout)
    assert (mine["name"], mine["state"], mine["ended"]) == ("mine", "complete", 24)
    assert f"{result['early_stopped']} stopped" in python("-m", "maggy", "show", str(folder), cwd=tmp_path).stdout
    best = json.loads(python("-m", "maggy", "best", str(folder), "--json", cwd=tmp_path).stdout)
    assert best["metric"] == best_val
    assert "epoch 14 error" in python("-m", "maggy", "logs", str(folder), str(best["trial"]), cwd=tmp_path).stdout

    # What was decided can be made again from the journal, and is the same.
    assert "no difference" in python("-m", "maggy", "replay", str(folder), cwd=tmp_path).stdout

    # A second search does not touch the first.
    python("search.py", cwd=tmp_path)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["1", "2"]


def test_a_first_mistake_is_answered_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(
        SEARCH.replace("def train(learning_rate, width", "def train(learning_rate, widht")
    )

    done = subprocess.run([sys.executable, "search.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "widht" in done.stderr and "width" in done.stderr.partition("widht")[2]
    assert not (tmp_path / "maggy-runs").exists()
