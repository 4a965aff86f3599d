"""Every example runs as a user would run it: a script in a process of its own, a notebook in a kernel."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in an empty folder; it has to succeed."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        cwd=folder,
        # Only matters inline: the other engines limit their workers themselves. Matrices as small as these take many
        # times longer where two threads share a busy core.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_every_example_is_run_by_a_test_of_this_file() -> None:
    source = Path(__file__).read_text()
    for example in [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]:
        assert f'"{example.name}"' in source, f"{example.name} is run by no test"


def test_the_first_sample_runs_as_it_was_published(tmp_path: Path) -> None:
    done = run("quickstart.py", folder=tmp_path)

    assert "best configuration: {'kernel': " in done.stdout
    [experiment] = tmp_path.glob("maggy-runs/MNIST/*")
    assert json.loads((experiment / "result.json").read_text())["num_trials"] == 15


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_the_demo_tunes_a_classifier_and_ends_with_its_accuracy_on_the_test_set(engine: str, tmp_path: Path) -> None:
    done = run("demo.py", "--engine", engine, "--trials", "2", "--seed", "297", folder=tmp_path)  # two small networks

    best, trials, folder = (line.split(maxsplit=1) for line in done.stderr.splitlines()[-3:])
    assert best[0] == "best" and "log10_learning_rate=" in best[1]
    assert trials == ["trials", "2 finished"]
    assert folder == ["folder", str(tmp_path / "maggy-runs" / "digits" / "1")]
    word, accuracy = done.stdout.split()[:2]
    assert word == "test"
    assert 0.9 < float(accuracy) <= 1  # guessing reads 0.1


def test_the_demo_explains_its_options(tmp_path: Path) -> None:
    done = run("demo.py", "--help", folder=tmp_path)

    for option in ("--engine {local,spark,inline}", "--trials", "--seed"):
        assert option in done.stdout


def test_one_function_runs_by_hand_as_a_single_run_and_as_a_search(tmp_path: Path) -> None:
    *reports, by_hand, single, search = run("single_run.py", folder=tmp_path).stdout.splitlines()

    assert reports == ["step 0: 0.64", "step 1: 0.4096", "step 2: 0.262144", "step 3: 0.167772", "step 4: 0.107374"]
    assert float(by_hand.split()[-1]) == float(single.split()[-1]) == pytest.approx((1 - 2 * 0.1) ** 10)
    assert float(search.split(":")[1].split()[0]) < 0.1


def test_the_optimizer_of_the_example_comes_close_to_the_minimum(tmp_path: Path) -> None:
    first, best = run("custom_optimizer.py", folder=tmp_path).stdout.splitlines()

    # The minimum is 0.3979. Which trials run at the same time is chance: of 200 searches played with other seeds, the
    # median found 0.53 and the worst 4.32.
    assert first.startswith("60 trials, the best loss is ")
    assert 0.3979 <= float(first.split()[-1]) < 5
    assert best.startswith("best configuration: {'x': ")


def test_the_rule_of_the_example_stops_trials_that_no_longer_improve(tmp_path: Path) -> None:
    first, *trials = run("custom_early_stop.py", folder=tmp_path).stdout.splitlines()

    stopped = [line for line in trials if ": stopped at " in line]
    assert len(trials) == 20
    assert first == f"{len(stopped)} of 20 trials were stopped early"
    # No trial is judged before two have finished; every one learns for at most 1 / 0.04 = 25 epochs of the 50, so that
    # each of those that start later is on its plateau for long enough.
    assert len(stopped) >= 16


def test_the_trials_of_the_example_that_are_killed_go_on_from_their_checkpoint(tmp_path: Path) -> None:
    first, best = run("checkpoints.py", folder=tmp_path).stdout.splitlines()

    assert first.startswith("4 trials, 4 of them killed once; epochs computed: ")
    # On a machine that is so busy that news of a checkpoint take half a second, an epoch is computed again.
    assert 80 <= int(first.split()[-3]) <= 84
    assert best.startswith("the best line, of epoch 20, has the weights [")


def test_asha_over_tpe_tries_eighty_configurations_and_says_why_the_best_was_promoted(tmp_path: Path) -> None:
    notes = run("asha.py", folder=tmp_path).stdout.splitlines()
    assert any("promoted to budget 27: 1st of " in note for note in notes)


def test_the_notebook_runs_from_end_to_end(tmp_path: Path) -> None:
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is stored without its outputs"

    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=60, resources=resources).execute()

    *_, keys, trials, folder = (cell for cell in notebook.cells if cell.cell_type == "code")
    assert "num_trials     12\n" in keys.outputs[0].text
    assert trials.outputs[0].text.count("loss") == 12
    names = set(ast.literal_eval(folder.outputs[0].data["text/plain"]))
    assert names - {"trials"} == {"experiment.json", "journal", "recipe.pkl", "result.json"}  # the logs of stopped ones
