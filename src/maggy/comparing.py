"""What differs between two experiments, as their folders tell it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from maggy.chronicle import Chronicle
from maggy.provenance import pairs, source_differences
from maggy.trial import Trial

_ITS_OWN = frozenset({"description", "experiment_dir", "searchspace", "seed"})
"""Fields of a config that differ anyway, or are compared elsewhere."""

_OF_GIT = ("commit", "branch", "changed")


def compare(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """What differs, by section and name; empty if nothing does. When they ran, and how long it took, is not compared.

    Each value is a pair, what the first has and what the second has, None for nothing; those of "code" are unified
    diffs as text. Sections: "what" (kind, function, seed), "code", "git", "versions", "config", "space", "engine",
    "data", "result" (trials by number: hyperparameters, state, metric).

    Raises ExperimentDirError or JournalError.
    """
    ours, theirs = Chronicle.of(first), Chronicle.of(second)
    a, b = ours.about.raw, theirs.about.raw
    sections = {
        "what": _differing(*({name: raw[name] for name in ("kind", "function", "seed")} for raw in (a, b))),
        "code": source_differences(a, b),
        "git": _differing(*({name: (raw.get("git") or {}).get(name) for name in _OF_GIT} for raw in (a, b))),
        "versions": _differing(*_versions(a, b)),
        "config": _differing(
            *({key: value for key, value in raw["config"].items() if key not in _ITS_OWN} for raw in (a, b))
        ),
        "space": _differing(*map(_space, (a, b))),
        "engine": _differing(*({name: raw[name] for name in ("engine", "seats")} for raw in (a, b))),
        "data": _differing(*(raw.get("data") or {} for raw in (a, b))),
        "result": dict(_results(ours, theirs)),
    }
    return {section: found for section, found in sections.items() if found}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [before, after] for name, before, after in pairs(a, b) if before != after}


def _versions(*descriptions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of every package, or of those that matter most, where one experiment is so old that it does not list all."""
    all_told = all(raw.get("packages") for raw in descriptions)
    known = set.intersection(*(set(raw["versions"]) for raw in descriptions))
    for raw in descriptions:
        told = raw["versions"]
        yield {**raw["packages"], **told} if all_told else {name: told[name] for name in known}


def _space(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    space = raw["config"].get("searchspace")
    return space if isinstance(space, Mapping) else {"space": space}


def _results(ours: Chronicle, theirs: Chronicle) -> Iterator[tuple[str, Any]]:
    for number in sorted({*ours.trials, *theirs.trials}):
        pair = [_told(each.trials.get(number)) for each in (ours, theirs)]
        if pair[0] != pair[1]:
            yield f"trial {number}", pair


def _told(trial: Trial | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    metric = trial.final_metric
    shown = None if metric is None else repr(metric)  # NaN is equal to itself here
    return {"params": trial.params, "budget": trial.budget, "state": str(trial.state), "metric": shown}
