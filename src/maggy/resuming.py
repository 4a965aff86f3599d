"""An experiment that was begun before: continued, or replayed to check it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from maggy import context
from maggy.assembly import make_advisor
from maggy.brain import Brain, Rules
from maggy.chronicle import About
from maggy.config import LagomConfig
from maggy.driver import Decider, Keeper, Replay, replay
from maggy.errors import ConfigError, ExperimentDirError, ResumeError
from maggy.journal import ExperimentFolder, read
from maggy.journal.folder import to_json
from maggy.provenance import differences


@dataclass(frozen=True)
class Begun:
    """An experiment as its folder describes it.

    url    of the folder
    about  what experiment.json says
    """

    url: str
    about: Mapping[str, Any]

    @classmethod
    def read(cls, url: str | os.PathLike[str]) -> Begun:
        """Look into a folder. Raises ExperimentDirError if it holds no experiment."""
        folder = ExperimentFolder.open(url)
        try:
            about = msgspec.json.decode(folder.read("experiment.json"))
            return cls(folder.url, About.of(folder.url, about).raw)
        except (msgspec.MsgspecError, FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise ExperimentDirError(
                f"experiment_dir {folder.url!r} holds an experiment that was killed before it began, or is damaged "
                f"(experiment.json: {error}); start it anew in another folder"
            ) from error

    @property
    def seed(self) -> int:
        return int(self.about["seed"])

    def recipe(self) -> context.Recipe:
        """What it was begun with.

        Raises ResumeError where that could not be kept, or cannot be loaded here.
        """
        advice = f"Resume it from the program: lagom(train_fn, config, resume={self.url!r})"
        why = self.about.get("no_recipe")
        try:
            packed = b"" if why else ExperimentFolder.open(self.url).read("recipe.pkl")
        except FileNotFoundError:
            why = "recipe.pkl is missing"
        if why:
            raise ResumeError(f"{self.url} does not hold the function and config it was begun with: {why}. {advice}")
        try:
            return context.unpack_recipe(packed)
        except Exception as error:  # unpickling imports the user's modules
            raise ResumeError(
                f"the function and config in {self.url} cannot be loaded here ({type(error).__name__}: {error}). "
                f"Install what they import, or: {advice}"
            ) from error

    def refuse_another_folder(self, config: LagomConfig) -> None:
        """Raises ConfigError if a config names another folder than the one that is resumed."""
        if config.experiment_dir is None:
            return
        other = ExperimentFolder(config.experiment_dir)
        if other.url != self.url and (other.is_remote or other.local.resolve() != Path(self.url).resolve()):
            raise ConfigError(
                f"the config has experiment_dir={os.fspath(config.experiment_dir)!r}, and resume= names {self.url!r}; "
                f"leave one of them out"
            )

    def refuse_changes(self, given: Mapping[str, Any], *, force: bool) -> None:
        """Raises ResumeError, which shows what has changed, if what is given differs from what was begun.

        force  only refuse what can never be resumed: another kind of experiment
        """
        changed = differences(self.about, msgspec.json.decode(to_json(given)))
        if "kind" in changed:
            raise ResumeError(
                f"{self.url} holds an experiment of another kind ({changed['kind']}), which cannot go on as this one",
                changed,
            )
        if changed and not force:
            listed = "\n".join(f"  {name}: {text}" for name, text in changed.items())
            raise ResumeError(
                f"what is to be resumed is not what was begun in {self.url}:\n{listed}\n"
                f"Undo the change; or resume all the same with force=True (maggy resume --force), which keeps the "
                f"trials that have ended and uses what is given now for the others.",
                changed,
            )


def replay_experiment(
    url: str | os.PathLike[str], config: LagomConfig | None = None, *, until: int | None = None
) -> tuple[Replay, Decider]:
    """Make every decision of an experiment again from its journal, and compare.

    config  None: the one it was begun with, from its folder
    until   how many records to read; None: all

    Returns what came of it, and the state at the end. Raises ExperimentDirError, ResumeError or JournalError.
    """
    begun = Begun.read(url)
    settings = begun.recipe().thaw() if config is None else config
    advisor = make_advisor(
        settings,
        begun.seed,
        warn=lambda line: None,
        takes_budget=bool(begun.about.get("takes_budget")),
        takes_seed=bool(begun.about.get("takes_seed")),
    )
    advisor.draws.checks = True
    keeper = Keeper(begun.url.rstrip("/"), settings.checkpoint_quota_bytes, advisor.book.loss)
    decider = Decider(Brain(Rules()), advisor, keeper)
    return replay(decider, islice(read(ExperimentFolder.open(url)), until)), decider
