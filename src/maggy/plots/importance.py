"""Which hyperparameters the metric depends on."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import TYPE_CHECKING, Any

from maggy.chronicle import Chronicle
from maggy.errors import PlotError
from maggy.plots.columns import columns
from maggy.plots.look import BLUE, entitle, label, new_figure
from maggy.plots.metrics import objective_of, results
from maggy.plots.thin import thinned

if TYPE_CHECKING:
    import plotly.graph_objects as go

FEWEST = 12
"""With fewer trials that have a result, nothing is said about importance."""

_MOST_TRIALS = 2000  # a forest learns from
_FOLDS, _TREES, _REPEATS = 4, 60, 5


class Importances(dict[str, float]):
    """How much of what can be predicted of the metric is lost without each hyperparameter, the most important first.

    The shares add up to 1, unless nothing can be predicted.

    spread     by name: standard deviation of the share, over parts of the trials
    explained  which part of the differences in rank the model predicts for trials that it has not seen, 0 to 1
    trials     how many it knows
    """

    def __init__(self, shares: Mapping[str, float], spread: Mapping[str, float], explained: float, trials: int) -> None:
        super().__init__(shares)
        self.spread, self.explained, self.trials = dict(spread), explained, trials


def importances(chronicle: Chronicle, *, objective: str | None = None, seed: int = 0) -> Importances:
    """How much the metric depends on each hyperparameter: permutation importance of a random forest.

    objective  which one; None: the first
    seed       of the forest: with the same one the numbers are the same

    The forest predicts the rank of a trial, the same for equals, so that few that diverged do not decide, and is asked
    about trials that it was not fitted to. Where a hyperparameter is absent, it knows that it is. Needs scikit-learn.

    Raises PlotError with too few trials, or without scikit-learn.

    L. Breiman, "Random forests", Machine Learning 45, 2001.
    """
    chosen = objective_of(chronicle, objective)
    found = results(chronicle, chosen)
    if len(found) < FEWEST:
        raise PlotError(f"importance needs {FEWEST} trials with a result, and there are {len(found)}")
    found = [found[place] for place in thinned(len(found), _MOST_TRIALS)]
    shown = columns(chronicle, [trial for trial, _ in found], None)
    try:
        import numpy as np
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise PlotError("importance needs scikit-learn: pip install 'maggy[plots]'") from error

    rows: Any = np.array([[nan if p is None else p for p in column.places()] for column in shown], dtype=float).T
    metrics = np.array([value for _, value in found])
    ordered = np.sort(metrics)
    ranks: Any = (np.searchsorted(ordered, metrics) + np.searchsorted(ordered, metrics, "right") - 1) / 2 / len(found)
    leaf = max(2, len(found) // 200)
    drops, scores = [], []
    for number, (learned, asked) in enumerate(KFold(_FOLDS, shuffle=True, random_state=seed).split(rows)):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=leaf, random_state=seed + number)
        forest.fit(rows[learned], ranks[learned])
        scores.append(forest.score(rows[asked], ranks[asked]))
        lost = permutation_importance(forest, rows[asked], ranks[asked], n_repeats=_REPEATS, random_state=seed + number)
        drops.append(np.maximum(lost.importances_mean, 0.0))
    mean, spread = np.mean(drops, axis=0), np.std(drops, axis=0)
    total = float(mean.sum()) or 1.0
    order = sorted(range(len(shown)), key=lambda place: -mean[place])
    return Importances(
        {shown[place].name: float(mean[place]) / total for place in order},
        {shown[place].name: float(spread[place]) / total for place in order},
        max(0.0, float(np.mean(scores))) if ordered[0] < ordered[-1] else 0.0,  # nothing differs
        len(found),
    )


def importance(chronicle: Chronicle, *, objective: str | None = None, seed: int = 0) -> go.Figure:
    """How much the metric depends on each hyperparameter, see `importances`."""
    figure = new_figure()
    told = importances(chronicle, objective=objective, seed=seed)
    names = list(told)
    figure.add_bar(
        name="importance",
        orientation="h",
        x=list(told.values()),
        y=list(range(len(names))),
        error_x={"type": "data", "array": [told.spread[name] for name in names], "thickness": 1},
        marker={"color": BLUE},
        hovertext=[f"{label(name)}: {told[name]:.0%}, give or take {told.spread[name]:.0%}" for name in names],
        hoverinfo="text",
    )
    furthest = 1.05 * min(1.0, max(told[name] + told.spread[name] for name in names) or 1.0)
    figure.update_layout(
        height=150 + 30 * max(4, len(names)),
        xaxis={"title": {"text": "share of what can be predicted"}, "tickformat": ".0%", "range": [0, furthest]},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [label(name) for name in names],
            "range": [len(names) - 0.5, -0.5],
        },
        showlegend=False,
    )
    weak = "" if told.explained >= 0.1 else "too little to trust the bars"
    said = f"a model of {told.trials:,} trials predicts {told.explained:.0%} of the differences"
    return entitle(figure, f"Importance for {objective_of(chronicle, objective).key}", said, weak)
