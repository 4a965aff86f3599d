"""A search space: one template or several, and their algebra."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import suppress
from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from maggy.errors import SearchspaceError
from maggy.searchspace.branch import Branch, clause_of
from maggy.searchspace.listed import Categorical
from maggy.searchspace.parameters import Parameter, plain_tree
from maggy.searchspace.template import Flat, Template

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BRANCH = "branch"
"""Name, among the flat ones, of the choice between the branches of a union."""


class Space:
    """What can be chosen: nested dicts and lists in which expressions and other parameters stand for values.

    >>> Space(model_name="mlp", lr=Rand(1e-5, 1e-1, log=True), layers=[Choice(32, 64), Choice(32, 64)])

    Each positional argument is a template of its own, as a dict, another space, or an iterable of these; several
    make a union. In a template a `Parameter`, or the seeds' form `("DOUBLE", [0, 1])`, is chosen; the same object in
    two places is one variable; a `FuncParam` is computed; other tuples become lists; everything else is constant.

    `a + b` is the union, `a * b` the product; the right side may be a dict. Iterating expands the grids.

    By name, hyperparameters are dotted: "optim.lr", "layers.0". In a union there is a choice "branch" first, and the
    names begin with "b0.", "b1." and so on.

    Two spaces are equal if they hold the same in the same order: the order decides what a seed draws.

    Raises SearchspaceError, a ValueError, for anything that cannot be searched.
    """

    __slots__ = ("_branches", "_joint", "_starts")

    def __init__(self, /, *templates: object, **params: object) -> None:
        if templates and params:
            raise SearchspaceError("a Space is made of keywords or of templates, not of both; write Space(...) * {...}")
        sources = templates or (params,)
        self._set(tuple(branch for source in sources for branch in _branches(source)))
        self._starts: tuple[dict[str, Any], ...] = ()
        if not self._branches:
            raise SearchspaceError("a Space needs at least one template")
        for branch in self._branches:
            branch.check()
        self._keep([start for source in sources for start in _starts(source)])

    def _set(self, branches: tuple[Branch, ...]) -> None:
        self._branches = branches
        self._joint: dict[str, Parameter] | None = None

    @classmethod
    def _of(cls, branches: Iterable[Branch], starts: Iterable[dict[str, Any]]) -> Space:
        space = Space()
        space._set(tuple(branches))
        for branch in space._branches:
            branch.check()
        space._keep(starts)
        return space

    def _keep(self, starts: Iterable[dict[str, Any]]) -> None:
        """Take over those starts that lie in this space, as far as they tell."""
        kept = []
        for start in starts:
            with suppress(SearchspaceError):  # a FuncParam may hide what they say
                if self.allows(start):
                    kept.append(deepcopy(start))
        self._starts = tuple(kept)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Its templates, each with what is forbidden in it."""
        return self._branches

    def split(self) -> list[Space]:
        """A space for each of its templates."""
        return [Space._of([branch], self._starts) for branch in self._branches]

    # What optimizers use

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What can be chosen, by dotted name, read-only; each after those that its conditions name."""
        if self._joint is None:
            if len(self._branches) == 1:
                self._joint = self._branches[0].template.parameters
            else:
                self._joint = {BRANCH: Categorical(range(len(self._branches)))}
                for index, branch in enumerate(self._branches):
                    self._joint |= {f"b{index}.{name}": p for name, p in branch.template.parameters.items()}
        return MappingProxyType(self._joint)

    @property
    def optional(self) -> frozenset[str]:
        """The keys of a configuration that may be absent."""
        absent = (key for b in self._branches for key in {*self.keys()} - {*b.template.root} | b.template.optional)
        return frozenset(absent)

    @property
    def is_free(self) -> bool:
        """Whether any values by name make a configuration: no conditions, nothing forbidden, and no union."""
        branch, *others = self._branches
        bound = any(parameter.conditions for parameter in branch.template.parameters.values())
        return not (others or bound or branch.clauses or branch.predicates)

    def keys(self) -> list[str]:
        """The keys of a configuration: the names that a training function sees."""
        return list(dict.fromkeys(key for branch in self._branches for key in branch.template.root))

    def is_active(self, name: str, flat: Mapping[str, Any]) -> bool:
        """Whether the hyperparameter exists under these values by name, as far as its branch and conditions tell."""
        if name not in self.parameters:
            raise SearchspaceError(f"the search space has no hyperparameter {name!r}, only {list(self.parameters)}")
        if len(self._branches) == 1:
            return self._branches[0].template.is_active(name, flat)
        if name == BRANCH:
            return True
        prefix, _, inner = name.partition(".")
        if prefix != f"b{flat.get(BRANCH)}":
            return False
        branch, values = self._split(flat)
        return branch.template.is_active(inner, values)

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """A configuration at random. In a union each branch is as likely as any other.

        Raises SearchspaceError where next to everything is forbidden.
        """
        return self.nested(self.draw_flat(rng))

    def draw_flat(self, rng: np.random.Generator, fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The values of a configuration at random, by name.

        fixed  values by name that are not drawn; those that do not exist in the configuration are ignored
        """
        fixed = fixed or {}
        if len(self._branches) == 1:
            return self._branches[0].draw(rng, fixed)
        index = fixed[BRANCH] if BRANCH in fixed else int(rng.integers(len(self._branches)))
        branch, inner = self._split({**fixed, BRANCH: index})
        return self._join(index, branch.draw(rng, inner))

    def nested(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration with these values by name. Values of what does not exist are ignored.

        Raises SearchspaceError where a value is missing.
        """
        branch, inner = self._split(flat)
        return branch.template.fill(inner)

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a configuration by name; the inverse of `nested`.

        What `lagom` adds to a configuration, e.g. a budget, is ignored. In a union the first branch counts that the
        configuration lies in.

        Raises SearchspaceError where a value is missing, or a configuration lies in no branch.
        """
        if len(self._branches) == 1:
            return self._branches[0].template.flat(params)
        for index, branch in enumerate(self._branches):
            if branch.objection(params) is None:
                return self._join(index, branch.template.flat(params))
        raise SearchspaceError(f"the configuration {dict(params)} lies in none of the {len(self._branches)} branches")

    def encode(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """The configuration as a point of the unit cube, with NaN where a hyperparameter does not exist."""
        import numpy as np

        flat = self.flat(params)
        units = [p.to_unit(flat[name]) if name in flat else math.nan for name, p in self.parameters.items()]
        return np.array(units, dtype=np.float64)

    def decode(self, vector: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
        """The configuration at a point of the unit cube; the inverse of `encode`, up to rounding.

        Coordinates are clipped into [0, 1]; NaN, where a hyperparameter does exist, is the middle.
        """
        self._check_length(vector)
        flat: Flat = {}
        for u, (name, parameter) in zip(vector, self.parameters.items(), strict=True):
            if self.is_active(name, flat):
                flat[name] = parameter.from_unit(0.5 if math.isnan(u) else min(max(float(u), 0.0), 1.0))
        return self.nested(flat)

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Whether the configuration lies in the space and is not forbidden."""
        return any(branch.objection(params) is None for branch in self._branches)

    # What users say beyond the hyperparameters

    def forbid(self, /, *predicates: Callable[[dict[str, Any]], object], **values: object) -> Self:
        """Forbid a combination of values, and return the space.

        values      by name, one or a list of them: `space.forbid(optimizer="sgd", batch=[16, 32])`. What matches all
                    of them is not drawn. A dotted name is given as `forbid(**{"optim.name": "sgd"})`.
        predicates  functions that say of a configuration whether it is forbidden; they cannot be written as JSON

        Raises SearchspaceError where a name or a value does not exist. In a union the branches without such a name are
        left as they are.
        """
        clauses = [clause_of(values)] if values else []
        holders = [branch for branch in self._branches if values.keys() <= branch.template.names]
        if not holders:
            known = ", ".join(repr(name) for branch in self._branches for name in sorted(branch.template.names))
            raise SearchspaceError(f"forbid() names {', '.join(map(repr, values))}, but there are only {known}")
        branches = [b.forbidding(clauses if b in holders else [], predicates) for b in self._branches]
        for branch in branches:
            branch.check()
        if refused := [start for start in self._starts if all(branch.objection(start) for branch in branches)]:
            raise SearchspaceError(f"this forbids a configuration to start with, {refused[0]}")
        self._set(tuple(branches))
        return self

    def start_with(self, *configurations: Mapping[str, Any]) -> Self:
        """Name configurations that are known to be good, to be tried first, and return the space.

        configurations  a value for each hyperparameter; constants and what is computed may be left out

        Raises SearchspaceError where one lies outside of the space.
        """
        self._starts += tuple(self._completed(plain_tree(given)) for given in configurations)
        return self

    @property
    def starts(self) -> tuple[dict[str, Any], ...]:
        """The configurations of `start_with`."""
        return deepcopy(self._starts)

    def _completed(self, given: dict[str, Any]) -> dict[str, Any]:
        problems = []
        for branch in self._branches:
            try:
                return branch.completed(given)
            except SearchspaceError as error:
                problems.append(str(error))
        raise SearchspaceError(f"the start {given} lies outside of the search space: {'; '.join(problems)}")

    # Algebra

    def __add__(self, other: object) -> Space:
        """The union: each branch of either."""
        return Space(self, other) if isinstance(other, Space | Mapping) else NotImplemented

    def __radd__(self, other: object) -> Space:
        if isinstance(other, Mapping):
            return Space(other, self)
        return self if other == 0 else NotImplemented  # sum([...]) begins with 0

    def __mul__(self, other: object) -> Space:
        """The product: each branch of one with each of the other. Raises SearchspaceError on a key that both have."""
        if not isinstance(other, Space | Mapping):
            return NotImplemented
        ours, theirs = _starts(self), _starts(other)
        return Space._of(
            [a.product(b) for a in self._branches for b in _branches(other)],
            [{**a, **b} for a in ours or ({},) for b in theirs or ({},)] if ours or theirs else (),
        )

    def __rmul__(self, other: object) -> Space:
        return Space(other) * self if isinstance(other, Mapping) else NotImplemented

    def sample(self, n: int, seed: int | None = None) -> Space:
        """A space in which each branch with random parts has become `n` of them, with values; grids stay grids."""
        import numpy as np

        if n < 1:
            raise SearchspaceError(f"sample() needs a number of at least 1, got {n}")
        rng = np.random.default_rng(seed)
        sampled = [
            branch.sample(rng) if branch.has(grid=False) else branch
            for branch in self._branches
            for _ in range(n if branch.has(grid=False) else 1)
        ]
        return Space._of(sampled, self._starts)

    def cells(self) -> Iterator[Space]:
        """One space for each combination of the grids, with the random parts left; the last grid changes fastest."""
        for branch in self._branches:
            for cell in branch.cells():
                yield Space._of([cell], self._starts)

    @property
    def has_grid(self) -> bool:
        """Whether there is a `Grid`."""
        return any(branch.has(grid=True) for branch in self._branches)

    @property
    def has_stochastic(self) -> bool:
        """Whether there is anything to choose beside grids."""
        return any(branch.has(grid=False) for branch in self._branches)

    # JSON

    def json(self) -> str:
        """The space as JSON; `from_json` reads it back. Raises SearchspaceError for functions."""
        return json.dumps(self.to_dict(), default=_refuse)

    @classmethod
    def from_json(cls, text: str) -> Space:
        """Read what `json` has written."""
        try:
            document = json.loads(text)
            parts = [(part["template"], part["forbid"]) for part in document["branches"]]
            starts = document["start_with"]
        except (ValueError, KeyError, TypeError):
            raise SearchspaceError(f"expected what Space.json() writes, got {text[:100]!r}") from None
        branches = [
            branch.forbidding([clause_of(clause) for clause in clauses], ())
            for template, clauses in parts
            for branch in _branches(template)
        ]
        return Space._of(branches, ()).start_with(*starts)

    def to_dict(self) -> dict[str, Any]:
        """The space as dicts and lists, with functions as they are."""
        return self._document()

    def _document(self) -> dict[str, Any]:
        return {
            "branches": [
                {
                    "template": branch.template.document(),
                    "forbid": [*({n: list(v) for n, v in c} for c in branch.clauses), *branch.predicates],
                }
                for branch in self._branches
            ],
            "start_with": list(self._starts),
        }

    # The rest

    def __iter__(self) -> Iterator[Any]:
        return self.cells()

    def __contains__(self, name: object) -> bool:
        return name in self.keys() or name in self.parameters

    def __len__(self) -> int:
        return len(self.keys())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        ours, theirs = (json.dumps(space._document(), default=id) for space in (self, other))
        return ours == theirs

    def __repr__(self) -> str:
        roots = [branch.template.root for branch in self._branches]
        inside = (
            [", ".join(f"{key}={node!r}" for key, node in roots[0].items())] if len(roots) == 1 else map(repr, roots)
        )
        return f"{type(self).__name__}({', '.join(inside)})"

    def _check_length(self, given: Sized) -> None:
        if len(given) != len(self.parameters):
            raise SearchspaceError(f"expected {len(self.parameters)} values, got {len(given)}")

    def _split(self, flat: Mapping[str, Any]) -> tuple[Branch, Flat]:
        """The branch that the values belong to, and their names within it."""
        if len(self._branches) == 1:
            return self._branches[0], dict(flat)
        index = flat.get(BRANCH)
        if not isinstance(index, int) or not 0 <= index < len(self._branches):
            raise SearchspaceError(f"'branch' has to be one of 0..{len(self._branches) - 1}, got {index!r}")
        prefix = f"b{index}."
        return self._branches[index], {n.removeprefix(prefix): v for n, v in flat.items() if n.startswith(prefix)}

    def _join(self, index: int, inner: Flat) -> Flat:
        return {BRANCH: index, **{f"b{index}.{name}": value for name, value in inner.items()}}


def _branches(source: object) -> Iterator[Branch]:
    """The branches that a template, a space or an iterable of these stands for; not checked yet."""
    if isinstance(source, Space):
        yield from source._branches
    elif isinstance(source, Mapping):
        yield Branch(Template.of(source))
    elif isinstance(source, Iterable) and not isinstance(source, str):
        for each in source:
            yield from _branches(each)
    else:
        raise SearchspaceError(f"a template is a dict, e.g. Space({{'lr': Rand(0, 1)}}), got {source!r}")


def _starts(source: object) -> tuple[dict[str, Any], ...]:
    return source._starts if isinstance(source, Space) else ()


def _refuse(function: object) -> Any:
    who = getattr(function, "__qualname__", repr(function))
    raise SearchspaceError(
        f"the search space holds the function {who}, which cannot be written as JSON: "
        "forbid combinations by name, and compute values inside the training function"
    )
