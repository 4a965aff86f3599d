"""Loops of `partial_fit`, and gradient boosting."""

from __future__ import annotations

import pytest
from callbacks.helpers import log, points, search_with_a_stop, table
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import SGDClassifier

from maggy import Reporter
from maggy.callbacks import GradientBoostingReporter, PartialFitReporter
from maggy.errors import MetricKeyError


def test_a_stop_ends_a_loop_of_partial_fit_and_the_function_goes_on_with_its_model():
    def train(length):
        from callbacks.helpers import table
        from sklearn.linear_model import SGDClassifier

        from maggy.callbacks import PartialFitReporter

        x, y = table()
        model, report = SGDClassifier(loss="log_loss", random_state=0), PartialFitReporter(metric="neg_log_loss")
        for _ in range(length):
            model.partial_fit(x, y, classes=[0, 1])
            if report(model, x, y):
                break
        print("updates", model.t_)
        return 0.0

    _, stopped, result = search_with_a_stop(train)

    assert log(result, stopped) == [f"updates {64.0 * stopped.num_points + 1}"]
    assert [step for step, _ in points(result, stopped)] == list(range(stopped.num_points))


def test_without_a_scorer_the_models_own_score_is_reported(capsys):
    x, y = table()
    model = SGDClassifier(random_state=0)
    report = PartialFitReporter()
    for step in range(2):
        assert not report(model.partial_fit(x, y, classes=[0, 1]), x, y)
        assert capsys.readouterr().out == f"step {step}: {model.score(x, y):g}\n"


def test_a_scorer_that_does_not_exist_is_an_error_that_lists_what_there_is():
    with pytest.raises(MetricKeyError, match=r"'acuracy'\. Did you mean 'accuracy'\? There are .* more\."):
        PartialFitReporter(metric="acuracy")


def test_a_stop_ends_gradient_boosting_after_a_stage_and_the_function_goes_on_with_its_model():
    def train(length):
        from callbacks.helpers import table
        from sklearn.ensemble import GradientBoostingClassifier

        from maggy.callbacks import GradientBoostingReporter

        model = GradientBoostingClassifier(n_estimators=length, max_depth=1)
        model.fit(*table(), monitor=GradientBoostingReporter())
        print(*model.train_score_)
        return model.train_score_[-1]

    _, stopped, result = search_with_a_stop(train)

    losses = [float(loss) for loss in log(result, stopped)[-1].split()]
    assert points(result, stopped) == list(enumerate(losses))


def test_gradient_boosting_also_reports_what_each_stage_has_left_out(capsys):
    model = GradientBoostingClassifier(n_estimators=3, max_depth=1, subsample=0.5)
    model.fit(*table(), monitor=GradientBoostingReporter(Reporter(), "oob_scores_"))

    assert capsys.readouterr().out == "".join(f"step {n}: {loss:g}\n" for n, loss in enumerate(model.oob_scores_))


def test_what_gradient_boosting_does_not_measure_is_an_error_that_says_how_it_would():
    with pytest.raises(MetricKeyError, match=r"There are 'train_score_'\. .*subsample < 1"):
        GradientBoostingClassifier().fit(*table(), monitor=GradientBoostingReporter(metric="oob_scores_"))
