"""Parameters of one candidate, some of which may still have to be chosen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from maggy.errors import SearchspaceError
from maggy.searchspace import FuncParam, Parameter, Space


class TuningParametersTemplate(Mapping[str, Any]):
    """One template: values, and expressions where something is still to be chosen.

    It reads like a dict of what was given; `simple_value` is the configuration once nothing is left to choose.

    Source: Fugue-Tune's class of this name.

    Raises SearchspaceError for what cannot be searched, and for a union of several templates.
    """

    def __init__(self, params: Mapping[str, Any] | Space) -> None:
        self._space = params if isinstance(params, Space) else Space(dict(params))
        if len(self._space.branches) != 1:
            raise SearchspaceError(f"one template is needed here, and this is a union: {self._space!r}")
        self._root = self._space.branches[0].template.root

    @property
    def space(self) -> Space:
        """The same as a space."""
        return self._space

    @property
    def empty(self) -> bool:
        """Whether nothing is left to choose."""
        return not self._space.parameters

    @property
    def has_grid(self) -> bool:
        """Whether there is a `Grid`."""
        return self._space.has_grid

    @property
    def has_stochastic(self) -> bool:
        """Whether there is anything to choose beside grids."""
        return self._space.has_stochastic

    @property
    def params(self) -> list[Parameter]:
        """What is left to choose, each once."""
        return list(self._space.parameters.values())

    @property
    def params_dict(self) -> dict[str, Parameter]:
        """What is left to choose, as p0, p1, ..."""
        return {f"p{index}": parameter for index, parameter in enumerate(self.params)}

    @property
    def simple_value(self) -> dict[str, Any]:
        """The configuration. Raises SearchspaceError where something is left to choose."""
        if not self.empty:
            raise SearchspaceError(
                f"there is something left to choose: {', '.join(self._space.parameters)}. Sample the space, or search "
                "it with a local_optimizer"
            )
        return self._space.nested({})

    def fill(self, values: Iterable[Any]) -> dict[str, Any]:
        """The configuration with these values, in the order of `params`."""
        return self._space.nested(dict(zip(self._space.parameters, values, strict=True)))

    def fill_dict(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration with these values, by the names of `params_dict`."""
        return self.fill([values[name] for name in self.params_dict])

    def product_grid(self) -> Iterator[TuningParametersTemplate]:
        """One template for each combination of the grids."""
        return map(TuningParametersTemplate, self._space.cells())

    def sample(self, n: int, seed: int | None = None) -> Iterator[TuningParametersTemplate]:
        """`n` templates with values for everything but grids."""
        return (TuningParametersTemplate(each) for each in self._space.sample(n, seed).split())

    def concat(self, other: Mapping[str, Any]) -> TuningParametersTemplate:
        """The keys of both. Raises SearchspaceError where they share one."""
        return TuningParametersTemplate(self._space * to_template(other).space)

    def encode(self) -> str:
        """The template as JSON; `decode` reads it back. Raises SearchspaceError for functions."""
        return self._space.json()

    @classmethod
    def decode(cls, text: str) -> TuningParametersTemplate:
        """Read what `encode` has written."""
        return cls(Space.from_json(text))

    def __getitem__(self, key: str) -> Any:
        return self._filled[key] if self.empty else self._root[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._filled if self.empty else self._root)

    def __len__(self) -> int:
        return len(self._filled if self.empty else self._root)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TuningParametersTemplate):
            return self._space == other._space
        if isinstance(other, Mapping):
            return self == to_template(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._root)

    @property
    def _filled(self) -> dict[str, Any]:
        return self._space.nested({})

    @cached_property
    def fingerprint(self) -> str:
        """A text that is the same for the same template, wherever and whenever it is made."""
        return json.dumps(self._space.to_dict(), sort_keys=True, default=_named)

    def describe(self) -> dict[str, Any]:
        """The values that are known already, in plain types; what is left to choose stands as text."""
        if self.empty:
            return self._filled

        def shown(node: Any) -> Any:
            if isinstance(node, dict):
                return {key: shown(child) for key, child in node.items()}
            if isinstance(node, list):
                return [shown(child) for child in node]
            return repr(node) if isinstance(node, Parameter | FuncParam) else node

        described: dict[str, Any] = shown(self._root)
        return described


def to_template(params: Mapping[str, Any] | Space) -> TuningParametersTemplate:
    """A template from a dict, a space of one template, or a template. Raises SearchspaceError for anything else."""
    if isinstance(params, TuningParametersTemplate):
        return params
    if isinstance(params, str):
        return TuningParametersTemplate.decode(params)
    return TuningParametersTemplate(params)


def _named(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
