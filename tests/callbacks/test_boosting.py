"""XGBoost and LightGBM."""

from __future__ import annotations

import pytest
from callbacks.helpers import log, points, search_with_a_stop, table

from maggy import Reporter
from maggy.callbacks import LightGBMReporter, XGBoostReporter
from maggy.errors import MetricKeyError


def xgboost(callback, rounds=3, **settings):
    """The model after training, and how many rounds it has."""
    from xgboost import XGBClassifier

    x, y = table()
    settings = {"eval_metric": ["logloss", "auc"], **settings}
    model = XGBClassifier(n_estimators=rounds, max_depth=2, n_jobs=1, callbacks=[callback], **settings)
    model.fit(x, y, eval_set=[(x, y), (x[:32], y[:32])], verbose=False)
    return model, model.get_booster().num_boosted_rounds()


def lightgbm(callback, rounds=3, evaluated=True):
    """The model after training, and how many rounds it has."""
    import lightgbm as lgb

    x, y = table()
    data = lgb.Dataset(x, y)
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "min_data": 1}
    sets = [data, lgb.Dataset(x[:32], y[:32], reference=data)] if evaluated else []
    settings |= {"verbose": -1, "num_leaves": 4}
    model = lgb.train(settings, data, rounds, valid_sets=sets, valid_names=["train", "valid"], callbacks=[callback])
    return model, model.best_iteration  # the last, after a stop


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_stop_ends_training_after_a_round_and_the_function_goes_on_with_its_model(library):
    def train(length):
        from callbacks import test_boosting

        from maggy.callbacks import LightGBMReporter, XGBoostReporter

        callback = {"xgboost": XGBoostReporter, "lightgbm": LightGBMReporter}[library]()
        _, rounds = getattr(test_boosting, library)(callback, length)
        print("rounds", rounds)
        return 0.0

    _, stopped, result = search_with_a_stop(train)

    assert log(result, stopped)[-1] == f"rounds {stopped.num_points}"
    assert [step for step, _ in points(result, stopped)] == list(range(stopped.num_points))


def test_xgboosts_metric_is_the_last_unless_one_is_named(capsys):
    for metric, data, name in [
        (None, "validation_1", "auc"),
        ("validation_0-logloss", "validation_0", "logloss"),
    ]:
        model, _ = xgboost(XGBoostReporter(metric=metric))
        expected = model.evals_result()[data][name]
        assert capsys.readouterr().out == "".join(f"step {n}: {value:g}\n" for n, value in enumerate(expected))


def test_lightgbms_metric_is_the_last_unless_one_is_named(capsys):
    model, _ = lightgbm(LightGBMReporter())
    assert capsys.readouterr().out.splitlines()[-1] == f"step 2: {model.best_score['valid']['auc']:g}"

    model, _ = lightgbm(LightGBMReporter(Reporter(), "train-binary_logloss"))
    assert capsys.readouterr().out.splitlines()[-1] == f"step 2: {model.best_score['train']['binary_logloss']:g}"


def test_a_metric_that_xgboost_does_not_measure_is_an_error_that_lists_what_there_is():
    with pytest.raises(MetricKeyError, match=r"'auc'\..* There are 'validation_0-logloss', 'validation_0-auc'"):
        xgboost(XGBoostReporter(metric="auc"))


def test_a_metric_that_lightgbm_does_not_measure_is_an_error_that_lists_what_there_is():
    with pytest.raises(MetricKeyError, match=r"'auc'\..* There are 'train-binary_logloss', 'train-auc'"):
        lightgbm(LightGBMReporter(metric="auc"))
    with pytest.raises(MetricKeyError, match=r"LightGBMReporter does not find any metric.* valid_sets"):
        lightgbm(LightGBMReporter(), evaluated=False)
