"""How `maggy show` prints what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggy.cli.output import date, print_pairs, print_table, show, sparkline, time_span

_SHORT = ("maggy", "python", "torch", "keras", "tensorflow", "jax", "scikit-learn", "xgboost", "lightgbm", "pyspark")


def print_experiment(facts: Mapping[str, Any]) -> None:
    """An experiment and its trials."""
    config, trials = facts["config"], facts["trials"]
    is_search = "direction" in config
    best = facts["best"]
    objectives = ", ".join(f"{each['key']} ({each['direction']})" for each in facts["objectives"])
    counts = [f"{trials['ended']} of {trials['of']} ended"]
    counts += [f"{number} {what}" for what, number in trials.items() if what not in ("of", "ended") and number]
    left = facts["time_left_s"]
    print_pairs(
        [
            (facts["name"], facts["description"] or facts["kind"]),
            ("state", facts["state"] + (f", {facts['drivers']} drivers" if facts["drivers"] > 1 else "")),
            ("trials", ", ".join(counts)),
            ("best" if is_search else "result", None if best is None else _best(best, is_search)),
            ("", None if best is None else _params(best["params"])),
            ("started", date(facts["started"])),
            ("took", time_span(facts["took_s"])),
            ("left", None if left is None else f"{time_span(left[0])} ({time_span(left[1])} to {time_span(left[2])})"),
            ("workers", _workers(facts)),
            ("last", facts["last_reason"]),
            ("", ""),
            ("function", facts["function"]),
            ("script", facts["script"]),
            ("git", _git(facts["git"])),
            ("metric", objectives if is_search else None),
            ("optimizer", config.get("optimizer")),
            ("stopping", config.get("es_policy")),
            *(("space", line) for line in _space(config.get("searchspace"))),
            ("hparams", _params(config["hparams"]) if config.get("hparams") else None),
            ("data", ", ".join(f"{name}: {_data(each)}" for name, each in (facts["data"] or {}).items())),
            ("seed", facts["seed"]),
            ("engine", _engine(facts, config)),
            ("versions", ", ".join(f"{name} {each}" for name, each in facts["versions"].items() if name in _SHORT)),
            ("folder", facts["folder"]),
        ]
    )
    if facts["listed"] and is_search:
        print()
        print_table(
            ("trial", "state", "metric", "took", "params"),
            [
                (each["trial"], each["state"], each["metric"], time_span(each["took_s"]), _params(each["params"]))
                for each in facts["listed"]
            ],
        )


def print_trial(facts: Mapping[str, Any]) -> None:
    """Everything about a trial."""
    values = facts["curve"]["values"]
    outputs = facts["outputs"] or {}
    place = [f"{name} {facts[name]}" for name in ("budget", "rung", "bracket") if facts[name] is not None]
    print_pairs(
        [
            (f"trial {facts['trial']}", facts["state"]),
            ("metric", facts["metric"]),
            ("best", facts["best_metric"] if facts["best_metric"] != facts["metric"] else None),
            ("outputs", ", ".join(f"{name}={show(value)}" for name, value in outputs.items()) if outputs else None),
            *(("params", f"{name} = {value!r}") for name, value in facts["params"].items()),
            ("place", ", ".join(place)),
            *(("rungs", f"budget {each['budget']:g}: {show(each['metric'])}") for each in facts["rungs"]),
            ("origin", facts["origin"]),
            ("parent", None if facts["parent"] is None else f"trial {facts['parent']}"),
            ("took", time_span(facts["took_s"])),
            ("curve", f"{sparkline(values)}  {show(values[0])} to {show(values[-1])}, {len(values)} points")
            if values
            else ("curve", None),
            *(("run", _run(each)) for each in facts["runs"]),
            ("reason", facts["reason"]),
            *(("note", note) for note in facts["notes"]),
            *(("decided", f"{date(each['t'])} {each['text']}") for each in facts["decisions"]),
            ("state in", None if facts["checkpoint"] is None else facts["checkpoint"]["url"]),
            ("error", None if facts["traceback"] else facts["error"]),
        ]
    )
    for title, text in (("traceback", facts["traceback"]), ("log", "\n".join(facts["log"]))):
        if text:
            print(f"\n{title}\n" + "\n".join(f"  {line}" for line in text.rstrip().splitlines()))


def _best(best: Mapping[str, Any], is_search: bool) -> str:
    return show(best["metric"]) + (f" in trial {best['trial']}" if is_search else "")


def _params(params: Mapping[str, Any]) -> str:
    from maggy.tracking.words import show_params

    return show_params(dict(params))


def _workers(facts: Mapping[str, Any]) -> str:
    there = f"{facts['workers']['now']} now" if facts["state"] == "running" else f"{facts['workers']['ever']}"
    busy = facts["utilisation"]
    return there if busy is None else f"{there}, busy for {busy:.0%} of their time"


def _engine(facts: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    parts = [facts["engine"], f"{facts['seats']} worker{'s' * (facts['seats'] != 1)}"]
    if config.get("resources_per_worker"):
        parts.append(
            f"each with {', '.join(f'{much:g} {what}' for what, much in config['resources_per_worker'].items())}"
        )
    if (gang := config.get("workers_per_trial") or 1) > 1:
        parts.append(f"{gang} for each trial")
    return ", ".join(parts)


def _git(git: Mapping[str, Any] | None) -> str | None:
    if git is None:
        return None
    said = f"{(git['commit'] or 'no commit')[:12]} ({git['branch'] or 'detached'})"
    if git["changed"] is None:
        return f"{(git['commit'] or 'no commit')[:12]}, too large to look for changes"
    return said + (", with changes that are not committed" if git["changed"] else "")


def _space(space: Any) -> list[str]:
    """A line for each hyperparameter; of a union, for each of its templates."""
    if not isinstance(space, Mapping):
        return [] if space is None else [str(space)]
    if "branches" not in space:
        return [f"{name} {_parameter(each)}" for name, each in space.items()]
    templates = [branch["template"] for branch in space["branches"]]
    return [", ".join(f"{name} {_parameter(each)}" for name, each in template.items()) for template in templates]


def _parameter(said: Any) -> str:
    """A hyperparameter from the JSON of a space, in either form."""
    if isinstance(said, Mapping) and "_expr_" in said:
        options = {name: each for name, each in said.items() if name not in ("_expr_", "values")}
        said = [said["_expr_"], said.get("values", ""), *([options] if options else [])]
    if isinstance(said, list) and said and isinstance(said[0], str):
        return " ".join(map(str, (said[0].lower(), *said[1:])))
    return str(said)


def _data(told: Any) -> str:
    if isinstance(told, Mapping) and "sha256" in told:
        return f"{told['files']} files, {told['bytes'] / 1e6:.3g} MB, {told['sha256']}"
    return str(told)


def _run(run: Mapping[str, Any]) -> str:
    took = "running" if run["took_s"] is None else time_span(run["took_s"])
    host = f" on {run['host']}" if run["host"] else ""
    return f"attempt {run['attempt']}, worker {run['worker']}{host}, {date(run['start'])}, {took}"
