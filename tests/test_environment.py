"""Where an experiment was run from."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from maggy.environment import git_state, machine, packages, uncommitted, versions


def git(*arguments):
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_packages_are_those_that_are_installed():
    """Read from the names of folders, and the same as what is written in them."""
    there = packages()
    for name in ("msgspec", "numpy", "pyzmq", "cloudpickle"):
        assert there[name] == version(name)
    assert len(there) >= len({found.metadata["Name"].lower() for found in distributions()}) - 2
    assert versions(there)["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions(there)["numpy"] == there["numpy"]
    assert machine()["cores"] >= 1


def test_without_a_repository_there_is_nothing_to_say(tmp_path):
    assert git_state(None) is None
    assert uncommitted(None) is None


def test_what_is_not_committed_is_a_patch_that_can_be_applied():
    git("init", "--initial-branch", "trunk")
    Path("train.py").write_text("def train():\n    return 1\n")
    assert git_state(None)["commit"] is None
    git("add", "train.py")
    git("commit", "-m", "first")
    clean = git_state(None)
    assert (clean["branch"], clean["changed"], clean["untracked"]) == ("trunk", False, [])
    assert len(clean["commit"]) == 40
    assert uncommitted(clean) is None

    Path("train.py").write_text("def train():\n    return 2\n")
    Path("notes.txt").write_text("for me")
    state = git_state(None)
    assert (state["commit"], state["changed"], state["untracked"]) == (clean["commit"], True, ["notes.txt"])
    patch = uncommitted(state)
    git("checkout", "train.py")
    Path("it.patch").write_bytes(patch)
    git("apply", "it.patch")
    assert Path("train.py").read_text() == "def train():\n    return 2\n"

    Path("train.py").write_text("x" * (2 << 20))
    assert uncommitted(git_state(None)) is None  # too large to be kept


def test_the_repository_is_that_of_the_function_wherever_the_program_runs(monkeypatch):
    import importlib.util

    Path("code").mkdir()
    Path("elsewhere").mkdir()
    Path("code/model.py").write_text("def train():\n    return 1\n")
    monkeypatch.chdir("code")
    git("init")
    monkeypatch.chdir("../elsewhere")
    spec = importlib.util.spec_from_file_location("model", "../code/model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert git_state(None) is None
    assert Path(git_state(module.train)["root"]).name == "code"


def test_the_repository_of_a_partial_is_that_of_the_function_in_it(monkeypatch):
    git("init")
    Path("model.py").write_text("def train(lr):\n    return lr\n")
    monkeypatch.syspath_prepend(".")
    train = __import__("model").train
    assert git_state(partial(partial(train, lr=1), lr=2))["root"] == str(Path.cwd())


def test_a_hook_of_another_repository_does_not_change_which_one_is_told(monkeypatch, tmp_path):
    Path("mine").mkdir()
    Path("other").mkdir()
    for name in ("mine", "other"):
        monkeypatch.chdir(tmp_path / name)
        git("init")
        git("commit", "--allow-empty", "-m", name)
    monkeypatch.chdir(tmp_path / "mine")
    mine = git_state(None)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert git_state(None) == mine


@pytest.mark.parametrize("setting", ["diff.noprefix", "diff.mnemonicPrefix", "diff.relative", "color.ui"])
def test_the_patch_can_be_applied_whatever_is_configured_for_reading(setting):
    git("init")
    Path("train.py").write_text("one\n")
    git("add", "train.py")
    git("commit", "-m", "first")
    git("config", setting, "always" if setting == "color.ui" else "true")
    Path("train.py").write_text("two\n")
    patch = uncommitted(git_state(None))
    assert patch.startswith(b"diff --git a/train.py b/train.py\n")


def test_of_a_repository_too_large_to_be_looked_through_the_commit_is_known(monkeypatch, tmp_path):
    from maggy import environment

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    real, slow = environment._git, ("status", "diff")
    monkeypatch.setattr(environment, "_git", lambda at, *given: None if given[0] in slow else real(at, *given))
    state = git_state(None)
    assert (len(state["commit"]), state["changed"], state["root"]) == (40, None, str(tmp_path))
    assert uncommitted(state) is None
