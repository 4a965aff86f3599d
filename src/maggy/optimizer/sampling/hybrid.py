"""Hybrid search: grid and random cells at the first level, a sampler over the rest of each at the second."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from maggy.errors import ConfigError
from maggy.optimizer.history import Fact, History
from maggy.optimizer.sampler import Sampler
from maggy.optimizer.sampling.model import whole
from maggy.searchspace import Space
from maggy.searchspace.expressions import Grid
from maggy.searchspace.space import BRANCH
from maggy.trial import Params

if TYPE_CHECKING:
    import numpy as np

Share = Literal["promise", "even"]

MOST_CELLS = 10_000


class HybridSearch(Sampler):
    """Searches each cell of a space with a sampler of its own, and shares the trials out between the cells.

    sampler  of each cell, by name or as an object
    share    "promise", or "even" for equally many trials in each cell
    least    how many trials each cell gets before its promise counts

    A cell is one combination of the grids, in one branch of a union; see `Space.cells`. So in
    `grid * some.sample(n) * rest` the cells are grid points and samples, and `rest` is searched in each. A cell with
    nothing left to choose is tried once. A trial that runs counts for its cell.

    By promise, each draw goes to a cell chosen by bootstrapped Thompson sampling: of each cell's losses, and one of any
    cell's, as many are picked with replacement as there are, and the cell with the lowest mean of the best quarter of
    these wins. So a cell is chosen as often as it plausibly is the best, and the loss from elsewhere keeps a cell that
    began badly in the game. A failed trial counts as bad as the worst. Where trials have budgets, losses at the budget
    that has most of them are compared.

    Source: Eckles and Kaptein, arXiv 1410.4009; Osband and Van Roy, arXiv 1507.00300 for the loss from elsewhere.
    """

    fits_models: ClassVar[bool] = True
    origin: ClassVar[str] = "hybrid"

    def __init__(self, sampler: str | Sampler = "tpe", share: Share = "promise", least: int = 3) -> None:
        super().__init__()
        from maggy.optimizer.names import sampler_named

        if share not in get_args(Share):
            raise ConfigError(f"share has to be 'promise' or 'even', got {share!r}")
        self._prototype = sampler_named(sampler)
        self._share, self._least = share, whole("least", least, 1)

    def begin(self, space: Space, objectives: int = 1, seed: int = 0) -> int | None:
        cells = list(islice(space.cells(), MOST_CELLS + 1))
        if len(cells) > MOST_CELLS:
            raise ConfigError(
                f"hybrid search would have more than {MOST_CELLS} cells, and each gets {self._least} trials at first; "
                "write Choice for some of the grids"
            )
        self._space, self._seed = space, seed
        self._cells = [_Cell(cell) for cell in cells]
        self._levels = [name for name, parameter in space.parameters.items() if isinstance(parameter, Grid)]
        if BRANCH in space.parameters:
            self._levels.append(BRANCH)
        self._found: dict[str, int] = {}
        self._forget()
        return None if any(cell.space.parameters for cell in self._cells) else len(cells)

    def _forget(self) -> None:
        self._known = 0
        self._last: Fact | None = None
        self._place: dict[int, int] = {}
        for cell in self._cells:
            cell.forget()

    def draw(self, number: int, history: History, rng: np.random.Generator) -> Params | None:
        self._catch_up(history)
        left = [index for index, cell in enumerate(self._cells) if cell.space.parameters or not cell.tried]
        if not left:
            return None
        chosen = min(left, key=lambda index: self._cells[index].tried)
        if self._share == "promise" and self._cells[chosen].tried >= self._least:
            chosen = self._most_promising(history, left, rng)
        return self._draw_from(self._cells[chosen], rng)

    def _draw_from(self, cell: _Cell, rng: np.random.Generator) -> Params:
        if not cell.space.parameters:
            return cell.space.draw(rng)
        if cell.sampler is None:
            cell.sampler = deepcopy(self._prototype)
            cell.sampler.begin(cell.space, 1, self._seed)
        params = cell.sampler.draw(cell.tried, cell.history, rng) if cell.sampler.ready(cell.history) else None
        return cell.space.draw(rng) if params is None else params

    def _catch_up(self, history: History) -> None:
        if self._known > history.seen or (self._known and history.facts[self._known - 1] != self._last):
            self._forget()  # another history, e.g. one as it was earlier
        for fact in history.facts[self._known :]:
            if fact.params is not None:
                self._place[fact.trial] = self._cell_of(fact.params)
            self._cells[self._place[fact.trial]].learn(fact)
            self._last = fact
        self._known = history.seen
        for cell in self._cells:
            cell.history.forget_imagined()
        for trial, params in history.pending.items():
            if trial < 0:
                self._cells[self._cell_of(params)].history.imagine(params)

    def _cell_of(self, params: Params) -> int:
        """The first cell that the configuration lies in; looked for once for each combination of the grids."""
        flat = self._space.flat(params)
        key = json.dumps([flat.get(name) for name in self._levels])
        if key not in self._found:
            self._found[key] = next(index for index, cell in enumerate(self._cells) if cell.space.allows(params))
        return self._found[key]

    def _most_promising(self, history: History, left: list[int], rng: np.random.Generator) -> int:
        import numpy as np

        counts = Counter(each.budget for each in history.observations if each.loss is not None)
        if not counts:
            return left[int(rng.integers(len(left)))]
        usual = max(counts, key=lambda budget: counts[budget])
        compared = [each for each in history.observations if each.budget == usual]
        worst = max(each.loss for each in compared if each.loss is not None)
        losses: dict[int, list[float]] = {index: [] for index in left}
        for each in compared:
            losses.setdefault(self._place[each.trial], []).append(worst if each.loss is None else each.loss)
        everywhere = [loss for values in losses.values() for loss in values]

        def promise(index: int) -> float:
            pool = [*losses[index], everywhere[int(rng.integers(len(everywhere)))]]
            picked = np.sort(rng.choice(pool, size=len(pool)))
            return float(picked[: max(1, len(picked) // 4)].mean())

        return min(left, key=promise)


class _Cell:
    """One cell, and what is known of it."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.sampler: Sampler | None = None
        self.forget()

    def forget(self) -> None:
        """Know nothing again."""
        self.history = History(self.space)
        self._trials: set[int] = set()

    def learn(self, fact: Fact) -> None:
        """Take in a fact about a trial of this cell."""
        self.history.learn(fact)
        self._trials.add(fact.trial)

    @property
    def tried(self) -> int:
        """How many configurations were drawn here, those that no trial has begun with yet included."""
        return len(self._trials | self.history.pending.keys())
