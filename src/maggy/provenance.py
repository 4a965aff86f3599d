"""What experiment.json says: enough to know what was run, to run it again, and to notice that it has changed."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from numbers import Integral
from pathlib import Path
from types import FunctionType
from typing import Any

from maggy import context, environment
from maggy.arguments import KeepsArguments
from maggy.assembly import objectives_of
from maggy.config import DATA_ARGUMENTS, FIXED_ARGUMENTS, AblationConfig, DistributedConfig, LagomConfig
from maggy.context.data.kinds import is_a
from maggy.errors import SearchspaceError
from maggy.searchspace import Space

_MAY_CHANGE = frozenset(
    {
        "description",
        "error_limit",
        "experiment_dir",
        "hb_interval",
        "lost_limit",
        "min_workers",
        "name",
        "checkpoint_quota_bytes",
        "collective_timeout_s",
        "num_workers",
        "preempted_limit",
        "resources_per_worker",
        "seed",  # compared as the seed that was used
        "workers_timeout_s",
    }
)
"""Fields of a config that change where and how long something runs, and nothing about what.

Not `workers_per_trial`: trials of other sizes do not compare. One distributed training compares with nothing, and may
go on with as many workers as there are now.
"""

_POLICIES = ("optimizer", "es_policy", "ablator", "ablation_study")
WITH_SOURCES = (*_POLICIES, "distributed", "process_data", *FIXED_ARGUMENTS)
"""Fields of a config that may hold code of the user's."""


OF_THE_CODE = frozenset({"function", "sources", "code_hash", "git", "script"})
"""What a description says of the training function. An experiment that is resumed from its folder keeps it: who resumes
may stand anywhere."""

PATCH = "uncommitted.patch"
"""The file, beside experiment.json, that leads from the commit to what was run."""


def describe(
    config: LagomConfig,
    *,
    function: Callable[..., Any],
    engine: str,
    seats: int,
    num_trials: int,
    seed: int,
    engine_says: str = "",
) -> dict[str, Any]:
    """The facts about an experiment as JSON values; objects are named by their class.

    engine       its name
    engine_says  what it can offer, in its own words
    """
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    data = {name: values.pop(name) for name in DATA_ARGUMENTS if name in values}
    sources, policies = context.sources(function), context.sources(*_parts(config))
    design = None
    if isinstance(config, AblationConfig):
        from maggy.ablating import design_for  # loads what only a study needs

        design = design_for(config)
    installed = environment.packages()
    return {
        "kind": type(config).__name__,
        "config": {name: _plain(value) for name, value in values.items()}
        | {name: context.description(value) for name, value in data.items()},
        "objectives": [{"key": each.key, "direction": each.direction} for each in objectives_of(config)],
        "function": f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '?')}",
        "sources": sources,
        "policies": policies,
        "code_hash": hashlib.sha256(json.dumps([sources, policies], sort_keys=True).encode()).hexdigest()[:16],
        "engine": engine,
        "engine_says": engine_says,
        "seats": seats,
        "num_trials": num_trials,
        **({} if design is None else {"design": design.to_dict()}),
        "seed": seed,
        "started": time.time(),
        "script": _script(),
        "git": environment.git_state(function),
        "machine": environment.machine(),
        "versions": environment.versions(installed),
        "packages": installed,
    }


def _script() -> str:
    """The program, without its arguments, which may hold secrets."""
    if not sys.argv or not sys.argv[0]:  # a prompt
        return ""
    program = Path(sys.argv[0])
    is_maggy = program.name == "maggy" or program.parts[-2:] == ("maggy", "__main__.py")
    return "maggy" if is_maggy else str(program.absolute() if program.is_file() else program)


def fingerprints(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """What can be told of the data of an experiment, by the name of the argument; they are handles by then."""
    told = {name: context.fingerprint(value) for name, value in fixed.items() if name in DATA_ARGUMENTS}
    return {name: each for name, each in told.items() if each is not None}


def _parts(config: LagomConfig) -> Iterator[Any]:
    """What has a source in a config: its policies, and what makes the model and the data."""
    for name in _POLICIES:
        if not isinstance(policy := getattr(config, name, None), str | None):
            yield policy
    for name in FIXED_ARGUMENTS:
        yield from _factories(getattr(config, name, None))
    study: Any = getattr(config, "ablation_study", None)
    if is_a(study, "maggy", "AblationStudy"):
        yield from study.generators()
    if (distribution := getattr(config, "distribution", None)) and distribution.process_data is not None:
        yield distribution.process_data


def _factories(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _factories(item)
    elif isinstance(value, dict):
        yield from _factories(list(value.values()))
    elif context.is_factory(value):
        yield value


def differences(begun: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """What has changed between two descriptions and matters for the result, as text for people, by name."""
    found = {}
    for name in ("kind", "function", "seed"):
        if begun[name] != given[name]:
            found[name] = _arrow(begun[name], given[name])
    for name, before, after in pairs(begun["config"], given["config"]):
        if name not in _MAY_CHANGE and before != after:
            if isinstance(before, dict) and isinstance(after, dict):
                changed = [(key, *values) for key, *values in pairs(before, after) if values[0] != values[1]]
                found |= {f"{name}.{key}": _arrow(old, new) for key, old, new in changed}
            else:
                found[name] = _arrow(before, after)
    return found | source_differences(begun, given)


def source_differences(begun: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """What differs in the user's own code, by name, as a unified diff that is indented."""
    found = {}
    sources = [{**about["sources"], **about["policies"]} for about in (begun, given)]
    for name, before, after in pairs(*sources):
        if before != after:
            lines = difflib.unified_diff(
                (before or "").splitlines(), (after or "").splitlines(), "begun", "given", lineterm="", n=2
            )
            found[name] = "\n" + "\n".join(f"    {line}" for line in lines)
    return found


def pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What two dicts have under each name, None where one has nothing."""
    for name in dict.fromkeys([*before, *after]):
        yield name, before.get(name), after.get(name)


def _arrow(before: Any, after: Any) -> str:
    return f"{before!r} -> {after!r}"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Space):
        try:
            return json.loads(value.json())
        except SearchspaceError:  # it holds a function
            return repr(value)
    if is_a(value, "maggy", "AblationStudy"):
        told = value.to_dict()
        for each in value.list_all():
            if is_a(each, "maggy", "Switch") and each.argument in DATA_ARGUMENTS:
                told["components"][each.name]["off"] = context.description(each.off)
        return told
    if isinstance(value, DistributedConfig):  # what counts of it for a search
        return {name: _plain(each) for name, each in vars(value.distribution).items() if name != "timeout_s"}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    kind = value if isinstance(value, type | FunctionType) else type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, KeepsArguments):
        given = ", ".join(f"{argument}={_plain(each)!r}" for argument, each in value.arguments.items())
        return f"{name}({given})"
    return name
