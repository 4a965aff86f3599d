"""One branch of a space: a template, and what is forbidden in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maggy.errors import SearchspaceError
from maggy.searchspace.expressions import Grid
from maggy.searchspace.parameters import INJECTED_NAMES, several
from maggy.searchspace.template import Flat, Template, Test

if TYPE_CHECKING:
    import numpy as np

Clause = tuple[tuple[str, tuple[Any, ...]], ...]
"""Names and values of each; forbidden is what matches all of them."""

Predicate = Callable[[dict[str, Any]], object]
"""Says whether a configuration is forbidden."""

MOST_REJECTIONS = 10_000


def clause_of(values: Mapping[str, object]) -> Clause:
    """A forbidden combination from one value, or a list of values, for each name."""
    return tuple((name, several(value)) for name, value in values.items())


@dataclass(frozen=True)
class Branch:
    """A template, and what is forbidden in it.

    clauses     forbidden combinations of values
    predicates  functions that say of a configuration whether it is forbidden
    """

    template: Template
    clauses: tuple[Clause, ...] = ()
    predicates: tuple[Predicate, ...] = ()

    def draw(self, rng: np.random.Generator, fixed: Mapping[str, Any]) -> Flat:
        """Values at random that are not forbidden; `fixed` has some of them by name.

        Raises SearchspaceError where 10,000 draws in a row are forbidden.
        """
        for _ in range(MOST_REJECTIONS):
            flat = self.template.draw(rng, fixed)
            if not self.forbids(flat):
                return flat
        raise _nothing_left()

    def forbids(self, flat: Flat) -> bool:
        """Whether this combination is forbidden."""
        return self._matches(flat) or (
            bool(self.predicates) and any(forbidden(self.template.fill(flat)) for forbidden in self.predicates)
        )

    def forbidding(self, clauses: Iterable[Clause], predicates: Iterable[Predicate]) -> Branch:
        """The branch with more that is forbidden."""
        return Branch(self.template, (*self.clauses, *clauses), (*self.predicates, *predicates))

    def check(self) -> None:
        """Raises SearchspaceError where a condition or a forbidden combination cannot be understood."""
        self.template.compile()
        _ = self._tests

    def objection(self, params: Mapping[str, Any]) -> str | None:
        """Why a configuration does not lie in the branch; None if it does. What `lagom` adds to it is ignored."""
        template = self.template
        template.check_visible()
        params = {key: value for key, value in params.items() if key in template.root or key not in INJECTED_NAMES}
        try:
            flat = template.flat(params)
        except SearchspaceError as error:
            return str(error)
        for name, value in flat.items():
            if value not in template.parameters[name]:
                return f"{name}={value!r} lies outside of {template.parameters[name]!r}"
        if template.fill(flat) != params:
            return "it has other keys or constants"
        return "it is forbidden" if self.forbids(flat) else None

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration in which constants and computed values were left out, with these.

        Raises SearchspaceError where it does not lie in the branch.
        """
        params = self.template.fill(self.template.flat(given))
        for key in given:
            if key not in params or params[key] != given[key]:
                raise SearchspaceError(f"{key!r} is {params[key]!r} there" if key in params else f"no {key!r} is there")
        if objection := self.objection(params):
            raise SearchspaceError(objection)
        return params

    def product(self, other: Branch) -> Branch:
        """The keys of both. Raises SearchspaceError where they share one."""
        ours, theirs = self.template.root, other.template.root
        if shared := ours.keys() & theirs.keys():
            raise SearchspaceError(f"both sides of a product have {sorted(shared)}; rename one, or leave it out of one")
        both = Branch(Template({**ours, **theirs}), self.clauses, self.predicates)
        return both.forbidding(other.clauses, other.predicates)

    def cells(self) -> Iterator[Branch]:
        """One branch for each combination of the grids that is not forbidden, the last grid changing fastest."""
        for name, parameter in self.template.parameters.items():
            if isinstance(parameter, Grid):
                for value in parameter.grid:
                    yield from replace(self, template=self.template.assign({name: value})).cells()
                return
        if not self._ruled_out():
            yield self

    def sample(self, rng: np.random.Generator) -> Branch:
        """The branch with values at random, except for the grids.

        Values are drawn for all that may exist; what does not exist in a cell is left out there.
        """
        for _ in range(MOST_REJECTIONS):
            values = {name: p.draw(rng) for name, p in self.template.parameters.items() if not isinstance(p, Grid)}
            sampled = replace(self, template=self.template.assign(values))
            if not sampled._ruled_out():
                return sampled
        raise _nothing_left()

    def has(self, grid: bool) -> bool:
        """Whether there are grids, or anything else to choose."""
        return any(isinstance(parameter, Grid) is grid for parameter in self.template.parameters.values())

    def _ruled_out(self) -> bool:
        """Whether everything in it is forbidden, as far as its constants can tell."""
        return self._matches({}) if self.template.parameters else self.forbids({})

    def _matches(self, flat: Flat) -> bool:
        template = self.template
        return any(all(template.has_one_of(name, allowed, flat) for name, allowed in tests) for tests in self._tests)

    @cached_property
    def _tests(self) -> list[list[Test]]:
        who = "the forbidden combination"
        return [[self.template.test(name, values, who) for name, values in clause] for clause in self.clauses]


def _nothing_left() -> SearchspaceError:
    return SearchspaceError(
        f"{MOST_REJECTIONS} draws in a row were forbidden: what forbid() leaves is nothing, or too little to find; "
        "narrow the hyperparameters instead"
    )
