"""Which columns a trial leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from maggy.ablation.components import Features, stands_for
from maggy.context.data.outline import Outline
from maggy.errors import AblationError, did_you_mean

_SHOWN = 20

Key = str | int


@dataclass(frozen=True)
class Cut:
    """Columns to leave out, each with the component that it belongs to.

    fills  what stands in the place of a column, by its name or position; None: it is gone. "mean *" stands for all
           columns that begin so, except the label
    names  of the components, for errors
    label  the column that stays in any case
    """

    fills: Mapping[Key, float | None]
    names: Mapping[Key, str]
    label: str | None = None

    @classmethod
    def of(cls, features: Sequence[Features], label: str | None) -> Self:
        """What these components have in common. Raises AblationError for the label, or for no column."""
        fills: dict[Key, float | None] = {}
        names: dict[Key, str] = {}
        for component in features:
            if not component.columns:
                raise AblationError(f"{component.name!r} names no columns, so nothing would change", component.name)
            for key in component.columns:
                if label is not None and str(key) == str(label):
                    raise AblationError(f"{key!r} is the label: a training without it is none", component.name)
                fills[key], names[key] = component.fill, component.name
        return cls(fills, names, None if label is None else str(label))

    @property
    def component(self) -> str:
        """All components, in words."""
        return ", ".join(dict.fromkeys(self.names.values()))

    @property
    def has_fill(self) -> bool:
        return any(fill is not None for fill in self.fills.values())

    def positions(self, outline: Outline, what: str) -> dict[int, float | None]:
        """Where the columns are, with what stands in their place.

        what  the data, in words

        Raises AblationError if there is no such column, or none would be left.
        """
        assert outline.width is not None
        known: dict[str, list[int]] = {}
        for position, column in enumerate(outline.columns or ()):
            known.setdefault(column, []).append(position)
        at = {each: fill for key, fill in self.fills.items() for each in self._positions(key, outline, known, what)}
        columns = outline.columns or ()
        left = [each for each in range(outline.width) if at.get(each, 0.0) is not None]
        if all(each < len(columns) and columns[each] == self.label for each in left):
            raise self.error(f"{what} would be left without any column but the label")
        return at

    def _positions(self, key: Key, outline: Outline, known: Mapping[str, list[int]], what: str) -> list[int]:
        columns, width = outline.columns, outline.width
        assert width is not None
        if columns is None:
            if isinstance(key, str):
                raise self.error(
                    f"{what} has no names of columns, so {key!r} is none: name positions from 0 to {width - 1}", key
                )
            if not 0 <= key < width:
                raise self.error(f"{what} has no column {key}: positions go from 0 to {width - 1}", key)
            return [key]
        found = known.get(str(key), [])
        if len(found) == 1:
            return found
        if found:
            raise self.error(f"{what} has several columns {key!r}", key)
        begin_so = [at for at, column in enumerate(columns) if stands_for(key, column) and column != self.label]
        if begin_so:
            return begin_so
        hint = did_you_mean(key, columns)
        shown = ", ".join(map(repr, columns[:_SHOWN])) + ", ..." * (len(columns) > _SHOWN)
        raise self.error(f"{what} has no column {key!r}.{hint} Its columns: {shown}", key)

    def error(self, message: str, key: Key | None = None) -> AblationError:
        """An error about one of the columns, or about all."""
        return AblationError(message, self.component if key is None else self.names[key])

    def unchanged(self, what: str) -> AblationError:
        """The error for data that stay as they are."""
        columns = ", ".join(map(repr, self.fills))
        return self.error(
            f"leaving out {columns} changes nothing in {what}: it has no columns, or they hold the fill already"
        )

    def stranger(self, data: Any, what: str) -> AblationError:
        """The error for data of a kind that columns cannot be left out of."""
        return self.error(
            f"{what} is {type(data).__name__}, which has no columns that are known. Give a table, an array of two "
            f"axes, a data set of a framework, or a function that makes the data and takes ablated_features="
        )

    def misfit(self, what: str, fill: float, kind: Any) -> AblationError:
        """The error for a value that a column cannot hold."""
        return self.error(f"{what} holds {kind}, so fill={fill!r} cannot stand in its place; leave fill= out")
