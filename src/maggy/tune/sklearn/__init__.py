"""Models with the interface of scikit-learn, chosen and tuned in one search.

>>> space = sk_space(RandomForestRegressor, n_estimators=Grid(50, 100)) + sk_space(Ridge, alpha=Rand(0, 10))
>>> best = suggest_sk_models_by_cv(space, train_df, scoring="r2", local_optimizer="hyperopt:20")[0]
"""

from maggy.tune.sklearn.objective import SKCVObjective, SKObjective
from maggy.tune.sklearn.spaces import sk_space
from maggy.tune.sklearn.stacking import suggest_sk_stacking_model
from maggy.tune.sklearn.suggest import suggest_sk_models, suggest_sk_models_by_cv

__all__ = [
    "SKCVObjective",
    "SKObjective",
    "sk_space",
    "suggest_sk_models",
    "suggest_sk_models_by_cv",
    "suggest_sk_stacking_model",
]
