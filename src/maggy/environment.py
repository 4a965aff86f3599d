"""Where an experiment was run from: the packages, the machine, and the git repository of its code."""

from __future__ import annotations

import inspect
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

_PATCH_LIMIT_BYTES = 1 << 20
_UNTRACKED_LIMIT = 100
_GIT_TIMEOUT_S = 2
_AS_A_PATCH = (
    *("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--submodule=short"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
"""What `git apply` needs, whatever the user has configured for reading."""

_ELSEWHERE = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})
"""Variables that name another repository than that of the folder; a hook of git has them."""

_NOTABLE = (
    *("catboost", "dask", "jax", "keras", "lightgbm", "lightning", "numpy", "optuna", "pandas", "pyarrow", "pyspark"),
    *("ray", "scikit-learn", "scipy", "tensorflow", "tensorflow-cpu", "torch", "transformers", "xgboost"),
)
"""Packages whose version a reader looks for first."""


def packages() -> Mapping[str, str]:
    """The version of every installed package, by name.

    Taken from the names of their folders, which is a hundred times as quick as reading what is in them.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = [entry.name for entry in Path(folder or ".").iterdir()]
        except OSError:
            continue
        for name in names:
            if match := re.fullmatch(r"(.+?)-(\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info", name):
                found.setdefault(re.sub(r"[-_.]+", "-", match[1]).lower(), match[2])
    return dict(sorted(found.items()))


def versions(installed: Mapping[str, str]) -> dict[str, str]:
    """The versions of Python, Maggy, and of what matters most of what is installed.

    installed  what `packages` has told
    """
    import maggy

    own = installed.get("maggy") or maggy.__version__  # which loads what reads packages
    notable = {name: installed[name] for name in _NOTABLE if name in installed}
    return {"maggy": own, "python": platform.python_version(), **notable}


def machine() -> dict[str, Any]:
    """The machine of the driver."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def git_state(function: Callable[..., Any] | object) -> dict[str, Any] | None:
    """The repository that a function's source lies in, else the present folder; None without git.

    commit     the one that is checked out; None before the first
    branch     None if there is none
    changed    whether tracked files differ from the commit; None, and no branch, if looking takes longer than 2 s
    untracked  files that git neither tracks nor ignores, the first hundred
    root       the repository's folder
    """
    folder = _folder_of(function)
    root = _git(folder, "rev-parse", "--show-toplevel")
    if root is None:
        return None
    status = _git(folder, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal")
    if status is None:  # too large a repository to be looked through while somebody waits
        commit = _git(folder, "rev-parse", "--verify", "HEAD")
        return {
            "commit": None if commit is None else commit.decode().strip(),
            "branch": None,
            "changed": None,
            "untracked": [],
            "root": root.decode(errors="replace").strip(),
        }
    lines = status.decode(errors="replace").split("\0")
    heads = dict(line.removeprefix("# branch.").split(" ", 1) for line in lines if line.startswith("# branch."))
    untracked = [line[2:] for line in lines if line.startswith("? ")]
    return {
        "commit": None if heads.get("oid") == "(initial)" else heads.get("oid"),
        "branch": None if heads.get("head") == "(detached)" else heads.get("head"),
        "changed": any(line[:2] in ("1 ", "2 ", "u ") for line in lines),
        "untracked": untracked[:_UNTRACKED_LIMIT],
        "root": root.decode(errors="replace").strip(),
    }


def uncommitted(state: Mapping[str, Any] | None) -> bytes | None:
    """The patch that leads from the commit to what is run, for `git apply`; None without changes, or if it is too
    large to be kept (1 MiB).

    state  what `git_state` has told
    """
    if state is None or not state["changed"] or state["commit"] is None:
        return None
    patch = _git(Path(state["root"]), "diff", "HEAD", *_AS_A_PATCH)
    return patch if patch and len(patch) <= _PATCH_LIMIT_BYTES else None


def _folder_of(function: Any) -> Path:
    while isinstance(function, partial):
        function = function.func
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # an object that is called
        file = getattr(inspect.getmodule(type(function)), "__file__", None)
    path = Path(file or "")
    return path.absolute().parent if path.is_file() else Path.cwd()


def _git(folder: Path, *arguments: str) -> bytes | None:
    quiet = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    quiet["GIT_OPTIONAL_LOCKS"] = "0"  # nobody's index is touched
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=folder, env=quiet, capture_output=True, timeout=_GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
