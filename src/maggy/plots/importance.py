"""Which hyperparameters the metric depends on."""

from __future__ import annotations

from dataclasses import dataclass
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

_MOST_TRIALS = 3000  # a forest learns from
_FOLDS, _TREES, _REPEATS = 4, 100, 5


@dataclass(frozen=True)
class Importance:
    """How much of what a model can predict of the metric is lost without a hyperparameter.

    share   from 0 to 1; the shares of all add up to 1, unless the model predicts nothing
    spread  standard deviation of the share, over parts of the trials
    """

    share: float
    spread: float


@dataclass(frozen=True)
class Importances:
    """What the model says.

    of         by hyperparameter, the most important first
    explained  which part of the differences in rank the model predicts for trials that it has not seen, 0 to 1
    trials     how many it was fitted to
    """

    of: dict[str, Importance]
    explained: float
    trials: int


def importances(chronicle: Chronicle, *, objective: str | None = None, seed: int = 0) -> Importances:
    """How much the metric depends on each hyperparameter: permutation importance of a random forest.

    objective  which one; None: the first
    seed       of the forest: with the same one the numbers are the same

    The forest predicts the rank of a trial, so that few that diverged do not decide, and is asked about trials that it
    was not fitted to. Where a hyperparameter is absent, it knows that it is. Needs scikit-learn.

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
    ranks: Any = np.argsort(np.argsort(metrics)) / len(found)
    drops, scores = [], []
    for number, (learned, asked) in enumerate(KFold(_FOLDS, shuffle=True, random_state=seed).split(rows)):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed + number)
        forest.fit(rows[learned], ranks[learned])
        scores.append(forest.score(rows[asked], ranks[asked]))
        lost = permutation_importance(forest, rows[asked], ranks[asked], n_repeats=_REPEATS, random_state=seed + number)
        drops.append(np.maximum(lost.importances_mean, 0.0))
    mean, spread = np.mean(drops, axis=0), np.std(drops, axis=0)
    total = float(mean.sum()) or 1.0
    numbers = {
        column.name: Importance(float(mean[place]) / total, float(spread[place]) / total)
        for place, column in enumerate(shown)
    }
    ranked = dict(sorted(numbers.items(), key=lambda pair: -pair[1].share))
    return Importances(ranked, max(0.0, float(np.mean(scores))), len(found))


def importance(chronicle: Chronicle, *, objective: str | None = None, seed: int = 0) -> go.Figure:
    """How much the metric depends on each hyperparameter, see `importances`."""
    figure = new_figure()
    told = importances(chronicle, objective=objective, seed=seed)
    names = list(told.of)
    figure.add_bar(
        name="importance",
        orientation="h",
        x=[each.share for each in told.of.values()],
        y=list(range(len(names))),
        error_x={"type": "data", "array": [each.spread for each in told.of.values()], "thickness": 1},
        marker={"color": BLUE},
        hovertext=[
            f"{label(name)}: {each.share:.0%}, give or take {each.spread:.0%}" for name, each in told.of.items()
        ],
        hoverinfo="text",
    )
    figure.update_layout(
        height=150 + 30 * max(4, len(names)),
        xaxis={"title": {"text": "share of what can be predicted"}, "tickformat": ".0%", "rangemode": "tozero"},
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
