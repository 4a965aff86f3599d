"""An ablation study whose program is killed goes on, and comes to the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from maggy.journal import ExperimentFolder, read

PROGRAM = """
import os
import pandas as pd
from maggy import lagom
from maggy.ablation import AblationStudy
from maggy.config import AblationConfig

def train(train_set, seed, reporter, mixup=True):
    import os
    import random
    import signal
    from pathlib import Path

    with Path("begun").open("a") as file:
        file.write(f"{reporter.trial_id}\\n")
    if reporter.trial_id >= 7 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(DRIVER, signal.SIGKILL)
        while True:
            pass
    return random.Random(seed).gauss(0, 5) + mixup + random.Random(-seed).random() * len(list(train_set))

DRIVER = os.getpid()
study = AblationStudy(label_name="survived")
study.features.include("fare")
study.components.include("mixup", off=False)
table = pd.DataFrame({"fare": [1.0, 2.0], "age": [3.0, 4.0], "survived": [0, 1]})
config = AblationConfig(study, train_set=table, repeats=4, seed=7, num_workers=2, experiment_dir="run")
lagom(train, config, engine="local", verbose=0)
"""


def run(*command: str, folder: str) -> int:
    return subprocess.run([sys.executable, *command], cwd=folder, timeout=120).returncode


def finished(folder: str) -> list[int]:
    """The trials that have finished, as often as they have."""
    events = [record.event for record in read(ExperimentFolder.open(f"{folder}/run"))]
    return [event.trial for event in events if type(event).__name__ == "TrialFinished"]


def effects(folder: str) -> Any:
    return json.loads(Path(folder, "run/result.json").read_text())["effects"]


def test_a_study_whose_program_is_killed_finishes_with_the_effects_of_one_that_was_not() -> None:
    for folder in ("disturbed", "undisturbed"):
        Path(folder).mkdir()
        Path(folder, "program.py").write_text(PROGRAM)
    Path("undisturbed/killed").touch()

    assert run("program.py", folder="undisturbed") == 0
    assert run("program.py", folder="disturbed") == -signal.SIGKILL
    before = finished("disturbed")
    assert 0 < len(before) < 12
    assert run("-m", "maggy", "resume", "run", folder="disturbed") == 0

    begun = Counter(map(int, Path("disturbed/begun").read_text().split()))
    assert set(begun) == set(range(12))
    assert {begun[trial] for trial in before} == {1}
    assert sorted(finished("disturbed")) == list(range(12))
    assert effects("disturbed") == effects("undisturbed")
    assert {len(effect["values"]) for effect in effects("disturbed")["effects"]} == {4}
