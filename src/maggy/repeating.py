"""An experiment once more: from what its folder keeps, with the same seed, into a new folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from maggy import context, environment
from maggy.ablation import AblationStudy
from maggy.assembly import find_engine, objectives_of
from maggy.chronicle import Chronicle
from maggy.config import DATA_ARGUMENTS, FIXED_ARGUMENTS, BaseConfig, GangConfig, HyperparameterOptConfig, LagomConfig
from maggy.errors import ConfigError
from maggy.experiment import run_described
from maggy.journal import ExperimentFolder
from maggy.provenance import OF_THE_CODE, PATCH
from maggy.result import Result
from maggy.resuming import Begun
from maggy.seeds import seed_of
from maggy.tracking.tracker import Tracker
from maggy.trial import Trial, TrialState


def repeat(
    path: str | os.PathLike[str],
    trial: int | None = None,
    *,
    engine: str | Any | None = None,
    experiment_dir: str | os.PathLike[str] | None = None,
    track: str | Tracker | Sequence[str | Tracker] | None = None,
    verbose: int = 1,
) -> Result:
    """Run an experiment again, or one trial of a search: the function, the config, the data and the seed that its
    folder keeps, in a new folder.

    path            the experiment's folder, a path or a URL
    trial           None: all of it; else the configuration of this trial, with its budget and its seed, as a single run
    engine          as in `lagom`; None: the one that it was begun with
    experiment_dir  the new folder; None: ./maggy-runs/<name>/<n>
    track, verbose  as in `lagom`. What differs now, of the packages and the machine, is said, unless verbose is 0

    The code is that of the experiment, whatever has become of its files; packages are those that are installed now.
    A function that depends on nothing but its arguments gives the same results; with several workers, decisions that
    depend on who finishes first may differ.

    Raises what `lagom` raises; ResumeError where the folder does not hold what it was begun with; ConfigError for a
    trial that cannot be repeated alone.
    """
    begun = Begun.read(path)
    again = Repetition.of(begun) if trial is None else Repetition.of_trial(begun, trial)
    if verbose:
        for line in [*again.notes, *changes_since(begun.about)]:
            print(line, file=sys.stderr)
    config = replace(again.config, experiment_dir=experiment_dir)
    known = {name: begun.about[name] for name in again.known if name in begun.about}
    result = run_described(again.function, config, find_engine(engine or again.engine), known, verbose, track)
    with suppress(FileNotFoundError):
        ExperimentFolder(result.experiment_dir).place.put(PATCH, ExperimentFolder(begun.url).read(PATCH))
    return result


@dataclass(frozen=True)
class Repetition:
    """What is run again.

    known  what the description of the experiment says that holds for it as it is
    notes  why the result may differ, in one line each
    """

    function: Callable[..., Any]
    config: LagomConfig
    engine: str
    known: frozenset[str]
    notes: Sequence[str] = ()

    @classmethod
    def of(cls, begun: Begun) -> Repetition:
        """A whole experiment."""
        recipe = begun.recipe()
        config = recipe.thaw()
        about = f"repeats {begun.url}"
        config = replace(config, seed=begun.seed, description=about, **_data(begun, config))
        return cls(recipe.function, config, recipe.engine, OF_THE_CODE | {"policies"})

    @classmethod
    def of_trial(cls, begun: Begun, number: int) -> Repetition:
        """The configuration of one trial, as a single run."""
        whole = cls.of(begun)
        config = whole.config
        if isinstance(config, BaseConfig) and number == 0:
            return whole
        trial = Chronicle.of(begun.url).trials.get(number)
        if trial is None:
            raise ConfigError(f"{begun.url} has no trial {number}")
        if not isinstance(config, HyperparameterOptConfig):
            raise ConfigError(
                f"{begun.url} holds no search but a {type(config).__name__}: its trials are repeated all together only"
            )
        if isinstance(config, GangConfig) and config.workers_per_trial > 1:
            raise ConfigError(
                f"trial {number} ran on {config.workers_per_trial} workers together and cannot be repeated alone: "
                f"repeat all of it"
            )
        hparams = dict(trial.params)
        if begun.about.get("takes_budget") and trial.budget is not None:
            hparams["budget"] = trial.budget
        if begun.about.get("takes_seed"):
            hparams.setdefault("seed", seed_of(begun.seed, "trial", number))
        single = BaseConfig(
            name=config.name,
            description=f"repeats trial {number} of {begun.url}",
            hparams=hparams,
            optimization_key=objectives_of(config)[0].key,
            seed=begun.seed,
            resources_per_worker=config.resources_per_worker,
            **{name: getattr(config, name) for name in FIXED_ARGUMENTS},
        )
        return cls(whole.function, single, whole.engine, OF_THE_CODE, _notes(trial))


def changes_since(about: Mapping[str, Any]) -> list[str]:
    """What differs now from when an experiment was begun, and may change its results, in one line each."""
    lines = []
    before = {**(about.get("packages") or {}), **about["versions"]}
    installed = environment.packages()
    now = {**installed, **environment.versions(installed)}
    changed = [f"{name} {was} -> {now.get(name, 'none')}" for name, was in before.items() if now.get(name) != was]
    if changed:
        more = f" and {len(changed) - 10} more" if len(changed) > 10 else ""
        lines.append(f"packages differ: {', '.join(changed[:10])}{more}")
    was, here = (about.get("machine") or {}).get("processor"), environment.machine()["processor"]
    if was not in (None, here):
        lines.append(f"another kind of processor: {was} -> {here}")
    return lines


def _notes(trial: Trial) -> list[str]:
    notes = []
    if trial.state is TrialState.STOPPED:
        notes.append(f"trial {trial.trial_id} was stopped early; this run goes on to its end")
    if trial.parent is not None:
        notes.append(f"trial {trial.trial_id} began with the checkpoint of trial {trial.parent}; this run begins anew")
    return notes


def _data(begun: Begun, config: Any) -> dict[str, Any]:
    """The data of a config that lie in the old experiment's folder, opened: they are written to the new one."""
    opened = {
        name: _opened(begun, value) for name in DATA_ARGUMENTS if (value := getattr(config, name, None)) is not None
    }
    if isinstance(study := getattr(config, "ablation_study", None), AblationStudy):
        switches = study.components.of(DATA_ARGUMENTS)
        opened["ablation_study"] = study.with_values({each.name: _opened(begun, each.off) for each in switches})
    return opened


def _opened(begun: Begun, value: Any) -> Any:
    moved = context.within(value, begun.url)
    return context.resolve(moved) if context.lies_in(begun.url, moved) else moved
