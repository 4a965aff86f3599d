"""What the components of a study are worth: effects with intervals, over repeats that are paired by their seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import fsum, isfinite, sqrt
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Literal

from maggy.ablation.components import BASE, Contrast, Design, Variant
from maggy.errors import ConfigError
from maggy.trial import Direction

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Kind = Literal["left out", "added", "interaction"]
"""Whether an effect is that of leaving something out, that of adding it, or what two of them have beyond their sum."""

_ROUNDING = 1e-12  # a difference that is smaller than this share of the metrics is what floating point leaves


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The variant that the others are compared with: the base, or nothing.

    mean       of its metric over the repeats that have a result; None if none has
    low, high  confidence interval of the mean; None with fewer than two results, or without scipy
    values     the metric of each of these repeats
    """

    name: str
    mean: float | None
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What changes without a component, or with it.

    name        the component, or the two, "a x b"
    kind        "left out", "added" or "interaction"
    formula     the comparison, e.g. "without fare - base"
    effect      mean of the differences, in the unit and with the sign of the metric; None without any pair
    low, high   confidence interval of the mean; None with fewer than two pairs, or without scipy
    values      the difference in each repeat that has a result of all variants that are compared
    importance  the effect, positive where the component is of use: where leaving it out makes the metric worse, or
                adding it better. Of an interaction: positive where leaving out both is worse than the sum of the two
    note        what is missing; "" if nothing is
    """

    name: str
    kind: Kind
    formula: str
    effect: float | None
    low: float | None
    high: float | None
    values: tuple[float, ...]
    importance: float | None
    note: str

    @property
    def pairs(self) -> int:
        """How many repeats have a result of all variants that are compared."""
        return len(self.values)

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval, and all of it lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> str:
        """What the interval says, in a few words; "" without an interval."""
        if self.importance is None or self.low is None:
            return ""
        if not self.excludes_zero:
            return "no difference" if self.low == self.high else "not clear"
        useful = self.importance > 0
        if self.kind == "left out":
            return "worse without it" if useful else "better without it"
        if self.kind == "added":
            return "better with it" if useful else "worse with it"
        return "worse than their sum" if useful else "better than their sum"


class Effects(Mapping[str, Effect]):
    """The effects of a study by name, ranked.

    What is of most use comes first, and what has no result last. Interactions follow, the largest first, whatever its
    sign. Where each effect is that of a further step (`Cumulative`), they stay in that order. `print` shows a table, as
    does a notebook.

    design        which variants were trained, and how they are compared
    metrics       by variant and repeat, the final metric of each trial that returned. The repeats of all variants with
                  the same number are pairs
    direction     whether "max" or "min" is better
    missing       by variant and repeat, why there is no metric, in words that can follow the variant's name: "failed",
                  "was lost", "was stopped early"
    metric        what it is called
    confidence    probability that an interval covers the truth: for each interval, or, if `simultaneous`, for all of
                  them at once (Bonferroni), which makes them wider
    simultaneous  without it, one of 20 intervals of 95 % misses

    reference  how the variant did that the others are compared with; None if there is no variant
    in_steps   whether there are effects that are differences to another variant than that
    repeats    how many repeats were begun
    notes      what has to be known to read the effects, one sentence each

    An interval is that of Student's t over the paired differences. Raises ConfigError for a confidence that is none.
    """

    def __init__(
        self,
        design: Design,
        metrics: Mapping[str, Mapping[int, float]],
        *,
        direction: Direction = "max",
        missing: Mapping[str, Mapping[int, str]] | None = None,
        metric: str = "metric",
        confidence: float = 0.95,
        simultaneous: bool = False,
    ) -> None:
        if not 0 < confidence < 1:
            raise ConfigError(f"confidence must lie between 0 and 1, e.g. 0.95, got {confidence!r}")
        self._design, self._given, self._missing = design, metrics, missing or {}
        self._metrics = {
            variant: {repeat: float(value) for repeat, value in sorted(of.items()) if isfinite(value)}
            for variant, of in metrics.items()
        }
        self._begun = {repeat for told in (metrics, self._missing) for of in told.values() for repeat in of}
        self.direction, self.metric, self.confidence, self.simultaneous = direction, metric, confidence, simultaneous
        self.repeats = len(self._begun)

        compared = [(contrast, self._differences(contrast)) for contrast in design.contrasts]
        self._intervals = sum(len(values) > 1 for _, values in compared)
        each = 1 - (1 - confidence) / max(self._intervals, 1) if simultaneous else confidence
        self.reference = self._reference()
        self.in_steps = self.reference is not None and any(
            self.reference.name not in contrast.weights for contrast in design.contrasts
        )
        effects = [self._effect(contrast, values, each) for contrast, values in compared]
        self._effects = {effect.name: effect for effect in (effects if self.in_steps else sorted(effects, key=_rank))}
        self.notes = tuple(self._notes())

    def __getitem__(self, name: str) -> Effect:
        return self._effects[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._effects)

    def __len__(self) -> int:
        return len(self._effects)

    def __str__(self) -> str:
        from maggy.ablation.effect_table import as_text

        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from maggy.ablation.effect_table import as_html

        return as_html(self)

    def with_confidence(self, confidence: float = 0.95, *, simultaneous: bool = False) -> Effects:
        """The same effects with other intervals.

        confidence, simultaneous  as for the class
        """
        return Effects(
            self._design,
            self._given,
            direction=self.direction,
            missing=self._missing,
            metric=self.metric,
            confidence=confidence,
            simultaneous=simultaneous,
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain values, which `json.dumps` takes."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "confidence": self.confidence,
            "simultaneous": self.simultaneous,
            "repeats": self.repeats,
            "reference": None if self.reference is None else _plain(self.reference),
            "effects": [{**_plain(effect), "pairs": effect.pairs} for effect in self.values()],
            "notes": list(self.notes),
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row for each effect, ranked. Needs pandas; what there is not is missing (NaN)."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("Effects.to_pandas needs pandas: pip install pandas") from error

        columns = ["name", "kind", "effect", "low", "high", "importance", "pairs", "verdict", "formula", "note"]
        numbers = ["effect", "low", "high", "importance"]
        rows = [[getattr(effect, column) for column in columns] for effect in self.values()]
        return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))

    def plot(self) -> go.Figure:
        """The effects with their intervals, ranked from top to bottom. Needs plotly.

        `effects.plot().write_html("effects.html")` writes a page that can be looked at without a network.
        """
        from maggy.ablation.effect_plot import forest

        return forest(self)

    def _differences(self, contrast: Contrast) -> tuple[float, ...]:
        of = {variant: self._metrics.get(variant, {}) for variant in contrast.weights}
        paired = sorted(set.intersection(*(set(found) for found in of.values())))
        return tuple(
            _sum([weight * of[variant][repeat] for variant, weight in contrast.weights.items()]) for repeat in paired
        )

    def _effect(self, contrast: Contrast, values: tuple[float, ...], confidence: float) -> Effect:
        low, high = _interval(values, confidence)
        kind = _kind(contrast, self._design.variants)
        effect = mean(values) if values else None
        useful = 1 if (kind == "added") == (self.direction == "max") else -1
        return Effect(
            name=contrast.name,
            kind=kind,
            formula=_formula(contrast),
            effect=effect,
            low=low,
            high=high,
            values=values,
            importance=None if effect is None else useful * effect + 0.0,  # no -0.0
            note="; ".join(self._gaps(contrast)) or ("" if values else "no results"),
        )

    def _gaps(self, contrast: Contrast) -> Iterator[str]:
        for variant in contrast.weights:
            reasons = self._missing.get(variant, {})
            lacking = sorted(self._begun - set(self._metrics.get(variant, {})))
            for reason, count in Counter(reasons.get(repeat, "has no result") for repeat in lacking).items():
                yield f"{variant!r} {reason} in {count} of {self.repeats} repeats"

    def _reference(self) -> Reference | None:
        names = [variant.name for variant in self._design.variants]
        if not names:
            return None
        name = BASE if BASE in names else names[0]
        values = tuple(self._metrics.get(name, {}).values())
        low, high = _interval(values, self.confidence)
        return Reference(name=name, mean=mean(values) if values else None, low=low, high=high, values=values)

    def _notes(self) -> Iterator[str]:
        if self.repeats == 1:
            yield "There is one repeat, so there are no intervals: a difference may be chance."
        if self._intervals and all(effect.low is None for effect in self.values()):
            yield "There are no intervals without scipy: pip install maggy[ablation]"
        repeated = [set(of.values()) for of in self._metrics.values() if len(of) > 1]
        if repeated and all(len(different) == 1 for different in repeated):
            yield "The repeats are identical: does the training use its seed?"
        missed = self._intervals * (1 - self.confidence)
        if missed >= 1 and not self.simultaneous:
            yield (
                f"Of {self._intervals} intervals about {missed:.0f} will miss the truth; those of "
                f"with_confidence({self.confidence:g}, simultaneous=True) hold all at once."
            )


def _kind(contrast: Contrast, variants: Sequence[Variant]) -> Kind:
    if len(contrast.weights) > 2:
        return "interaction"
    left_out = {variant.name: len(variant.without) for variant in variants}
    more = sum(weight * left_out.get(variant, 0) for variant, weight in contrast.weights.items())
    return "added" if more < 0 else "left out"


def _formula(contrast: Contrast) -> str:
    terms = list[str]()
    for variant, weight in contrast.weights.items():
        sign = "-" if weight < 0 else "+" if terms else ""
        terms += [sign, variant if abs(weight) == 1 else f"{abs(weight):g} {variant}"]
    return " ".join(filter(None, terms))


def _sum(terms: Sequence[float]) -> float:
    total = fsum(terms)
    return 0.0 if abs(total) <= _ROUNDING * max(map(abs, terms)) else total


def _interval(values: Sequence[float], confidence: float) -> tuple[float, float] | tuple[None, None]:
    if len(values) < 2:
        return None, None
    try:
        from scipy.special import stdtrit  # the quantiles of Student's t, without the weight of scipy.stats
    except ImportError:
        return None, None
    half = float(stdtrit(len(values) - 1, (1 + confidence) / 2)) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def _rank(effect: Effect) -> tuple[bool, bool, float]:
    interaction = effect.kind == "interaction"
    if effect.importance is None:
        return interaction, True, 0.0
    return interaction, False, -abs(effect.importance) if interaction else -effect.importance


def _plain(found: Effect | Reference) -> dict[str, Any]:
    return {**asdict(found), "values": list(found.values)}
