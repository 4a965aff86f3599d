"""Whole experiments on an S3 store: killed, resumed here and elsewhere, their checkpoints restored by other workers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maggy import load_checkpoint
from maggy.resuming import replay_experiment

SCRIPT = """
import json, os, signal, sys
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig

url, here = sys.argv[1], os.getcwd()
open("driver", "w").write(str(os.getpid()))

def train(x, reporter):
    import os, signal
    from pathlib import Path
    state = reporter.load_checkpoint() or {"steps": 0}
    Path(here, f"begun-{x}-{state['steps']}").touch()
    while state["steps"] < 6:
        state["steps"] += 1
        reporter.save_checkpoint(state, step=state["steps"])
        reporter.broadcast(x, state["steps"])
        if x == 4 and state["steps"] == 3 and not Path(here, "killed").exists():
            Path(here, "killed").touch()
            os.kill(int(Path(here, "driver").read_text()), signal.SIGKILL)
            while True:
                pass
    return x

space = Searchspace(x=("INTEGER", [1, 6]))
config = HyperparameterOptConfig(6, "gridsearch", space, es_policy="none", num_workers=1, experiment_dir=url)
how = {"resume": url} if len(sys.argv) > 2 else {}
result = lagom(train, config, engine="local", verbose=0, **how)
print(json.dumps({"metrics": sorted(result["metric_list"]), "checkpoint": result.best.checkpoint.url}))
"""


def drive(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("where", ["on the same host", "on another host"])
def test_a_driver_killed_over_a_store_is_resumed(where, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "first"))
    url = f"{s3}/run"
    assert drive(url).returncode == -signal.SIGKILL
    begun = {path.name for path in tmp_path.glob("begun-*")}
    assert begun == {f"begun-{x}-0" for x in (1, 2, 3, 4)}
    if where == "on another host":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second"))

    resumed = drive(url, "resume")

    assert resumed.returncode == 0, resumed.stderr
    answer = json.loads(resumed.stdout)
    assert answer["metrics"] == [1, 2, 3, 4, 5, 6]
    assert load_checkpoint(answer["checkpoint"]) == {"steps": 6}
    again = {path.name for path in tmp_path.glob("begun-*")} - begun
    if where == "on the same host":  # nothing is lost: the killed trial goes on from its last checkpoint
        assert again == {"begun-4-2", "begun-5-0", "begun-6-0"} or again == {"begun-4-3", "begun-5-0", "begun-6-0"}
    assert {"begun-5-0", "begun-6-0"} <= again
    told, _ = replay_experiment(url)
    assert told.differences == []
    assert told.epoch == 1
    assert not Path("s3:").exists()
