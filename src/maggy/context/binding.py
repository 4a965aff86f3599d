"""Which argument of the training function gets what, decided by name before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType
from typing import Any

from maggy.errors import SignatureError, did_you_mean

SYNONYMS = {
    "module": "model",
    "model_function": "model",
    "dataset_function": "dataset",  # always something to call, see `Binding`
    "resource": "budget",
}
"""Names of older versions of Maggy for what is now called otherwise."""

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def check(
    function: Callable[..., Any],
    *,
    hyperparameters: Collection[str],
    others: Collection[str],
    optional: Collection[str] = (),
) -> None:
    """Show that `function` can be called, and that no hyperparameter is ignored.

    hyperparameters  names of them; each has to be taken by name, through `hparams` or through **kwargs
    others           further names that can be provided, e.g. "reporter"
    optional         hyperparameters that not every configuration has

    Raises SignatureError.
    """
    from maggy.config import FIXED_ARGUMENTS  # a worker, which checks nothing, is spared what comes with it

    name = getattr(function, "__name__", repr(function))
    if not callable(function):
        raise SignatureError(f"the training function has to be callable, got {type(function).__name__}")
    arguments = _arguments(function)
    offered = {*hyperparameters, *others}
    offered |= {old for old, new in SYNONYMS.items() if new in offered}
    catches_all = any(argument.kind is argument.VAR_KEYWORD for argument in arguments)
    for argument in arguments:
        needed = argument.default is argument.empty
        if argument.kind is argument.POSITIONAL_ONLY and (needed or argument.name in offered):
            raise SignatureError(
                f"{name}() takes {argument.name!r} by position only; arguments are given by name, so remove the '/'"
            )
        if argument.kind in _BY_NAME and needed and argument.name not in offered:
            hint = did_you_mean(argument.name, offered, n=1)
            meant = SYNONYMS.get(argument.name, argument.name)
            advice = "Rename the argument, give it a default, or a value as a hyperparameter."
            if meant in FIXED_ARGUMENTS:
                advice = f"Give the config {meant}=, or the argument a default."
            raise SignatureError(
                f"{name}() asks for {argument.name!r}, which nobody provides.{hint} "
                f"Provided here: {', '.join(sorted(offered))}. {advice}"
            )
        if argument.kind in _BY_NAME and needed and argument.name in optional:
            raise SignatureError(
                f"{name}() asks for {argument.name!r}, which some configurations do not have: it exists only under a "
                f"condition, or in a part of the search space. Give the argument a default."
            )
    taken = {argument.name for argument in arguments if argument.kind in _BY_NAME}
    ignored = [parameter for parameter in hyperparameters if parameter not in taken]
    if ignored and "hparams" not in taken and not catches_all:
        s = "s" if len(ignored) > 1 else ""
        raise SignatureError(
            f"{name}() never gets the hyperparameter{s} {', '.join(map(repr, ignored))}: add the argument{s}, or take "
            f"all of them as the dict 'hparams'"
        )


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a training function asks for something, e.g. a `budget`: as an argument, or as an entry of the
    hyperparameters it takes as a dict, which then stands as text in its code."""
    if not callable(function):
        return False
    names = {name, *(old for old, new in SYNONYMS.items() if new == name)}
    arguments = _arguments(function)
    if any(argument.name in names for argument in arguments if argument.kind in _BY_NAME):
        return True
    takes_dict = any(argument.name == "hparams" or argument.kind is argument.VAR_KEYWORD for argument in arguments)
    code = getattr(inspect.unwrap(function), "__code__", None)
    return takes_dict and code is not None and not names.isdisjoint(_texts_in(code))


def _texts_in(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts_in(constant)


class Binding:
    """Fills the arguments of one function by name; its signature is read once.

    meanings  what its arguments mean, in today's words
    needed    those of them that have no default
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        arguments = _arguments(function)
        self._taken = [argument.name for argument in arguments if argument.kind in _BY_NAME]
        self._catches_all = any(argument.kind is argument.VAR_KEYWORD for argument in arguments)
        self.meanings = {SYNONYMS.get(name, name) for name in self._taken}
        self.needed = {
            SYNONYMS.get(argument.name, argument.name) for argument in arguments if argument.default is argument.empty
        }

    def arguments(self, hparams: Mapping[str, Any], others: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """The keyword arguments for one call: what the function names, and every hyperparameter if it has **kwargs.

        others  what else there is, each called once if the function names it
        """
        made: dict[str, Any] = {}
        bound: dict[str, Any] = {}
        for name in self._taken:
            meant = SYNONYMS.get(name, name)
            if name in hparams:
                bound[name] = hparams[name]
            elif name == "hparams":
                bound[name] = dict(hparams)
            elif meant in hparams:
                bound[name] = hparams[meant]
            elif meant in others:
                if meant not in made:
                    made[meant] = others[meant]()
                bound[name] = as_function(made[meant]) if name == "dataset_function" else made[meant]
        return {**hparams, **bound} if self._catches_all else bound


def as_function(data: Any) -> Callable[..., Any]:
    """What makes the data: itself where it is a function, else one that returns it."""
    if callable(data):
        function: Callable[..., Any] = data
        return function

    def dataset_function(*args: Any, **kwargs: Any) -> Any:
        """The data that the config has."""
        if args or kwargs:
            raise TypeError(
                f"the dataset of the config is {type(data).__name__}, which takes no arguments; call "
                f"dataset_function(), or give a function that takes them: dataset=, or study.set_dataset_generator()"
            )
        return data

    return dataset_function


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise SignatureError(f"the arguments of {function!r} cannot be read: {error}; wrap it in a def") from error
