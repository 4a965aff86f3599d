"""The callbacks of Keras, on whichever backend `KERAS_BACKEND` names."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from callbacks.helpers import LONG, log, points, search_with_a_stop, table

from maggy import KerasBatchEnd, KerasEpochEnd, Reporter, lagom
from maggy.config import BaseConfig
from maggy.errors import ConfigError, EarlyStopException, ExperimentFailedError, MetricKeyError

pytestmark = pytest.mark.keras


def network(**compiled):
    """A classifier that is compiled; the Keras of whoever calls."""
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], **compiled)
    return model


def fit(model, *callbacks, **settings):
    x, y = table()
    settings = {"epochs": 3, "batch_size": 16, "verbose": 0, "validation_data": (x, y), **settings}
    return model.fit(x, y, callbacks=list(callbacks), **settings)


def reported(capsys):
    """What a reporter by hand has printed: steps and values."""
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    return [(int(step.rstrip(":")), float(value)) for _, step, value in lines]


# --- in a search


def test_a_stop_ends_fit_at_the_end_of_an_epoch_and_the_function_goes_on_with_its_history():
    def train(length, reporter):
        from callbacks.helpers import table
        from callbacks.test_keras import network

        from maggy import KerasEpochEnd

        x, y = table(rows=8)
        callback = KerasEpochEnd(reporter, "loss")
        history = network().fit(x, y, epochs=length, batch_size=8, verbose=0, callbacks=[callback]).history["loss"]
        print(*history)
        return min(history)

    finished, stopped, result = search_with_a_stop(train, engine="local")

    history = [float(loss) for loss in log(result, stopped)[-1].split()]
    assert points(result, stopped) == list(enumerate(history))
    assert stopped.final_metric == history[-1]  # what it reported last, as of every trial that is stopped
    assert finished.final_metric == min(loss for _, loss in points(result, finished))


def test_a_stop_leaves_fit_in_the_middle_of_an_epoch_if_batches_are_reported():
    def train(length):
        from callbacks.helpers import table
        from callbacks.test_keras import network

        from maggy import KerasBatchEnd

        x, y = table(rows=length)
        try:
            history = network().fit(x, y, batch_size=1, verbose=0, callbacks=[KerasBatchEnd()])
        finally:
            print("left fit")
        return history.history["loss"][-1]

    _, stopped, result = search_with_a_stop(train, engine="local")

    assert log(result, stopped) == ["left fit"]
    assert [step for step, _ in points(result, stopped)] == list(range(stopped.num_points))
    assert stopped.num_points < LONG


def test_without_a_reporter_it_is_that_of_the_running_trial_in_each_trial_that_uses_the_callback():
    callback = KerasEpochEnd(metric="accuracy")
    fit(network(), callback)  # by hand first, as one does

    def train(length):
        from callbacks.test_keras import fit, network

        return fit(network(), callback, epochs=length).history["accuracy"][-1]

    _, stopped, result = search_with_a_stop(train)

    assert points(result, stopped)[0][0] == 0


def test_a_callback_that_was_used_by_hand_leaves_its_model_behind():
    callback = KerasEpochEnd()
    model = network()
    fit(model, callback)

    assert callback.model is model
    assert pickle.loads(pickle.dumps(callback)).model is None


# --- by hand


def test_by_hand_it_prints(capsys):
    history = fit(network(), KerasEpochEnd())

    steps, losses = zip(*reported(capsys), strict=True)
    assert steps == (0, 1, 2)
    assert losses == pytest.approx([float(loss) for loss in history.history["val_loss"]], rel=1e-5)


def test_the_reporter_may_be_given_by_position_and_by_name(capsys):
    for callback in (KerasBatchEnd(Reporter(), "accuracy"), KerasBatchEnd(metric="accuracy", reporter=Reporter())):
        fit(network(), callback)
        assert [step for step, _ in reported(capsys)] == list(range(12))


@pytest.mark.parametrize("callback", [KerasBatchEnd, KerasEpochEnd])
def test_a_metric_that_keras_does_not_measure_is_an_error_that_lists_what_there_is(callback):
    with pytest.raises(MetricKeyError) as caught:
        fit(network(), callback(metric="acuracy"))

    message = str(caught.value)
    assert message.startswith(f"{callback.__name__} does not find the metric 'acuracy'. Did you mean 'accuracy'?")
    assert "There are 'accuracy', 'loss'" in message


def test_validation_that_is_forgotten_is_named():
    with pytest.raises(MetricKeyError, match=r"There are 'accuracy', 'loss'.*in which `fit` validates"):
        fit(network(), KerasEpochEnd(), validation_data=None)


def test_a_metric_in_the_place_of_the_reporter_is_an_error():
    with pytest.raises(ConfigError, match=r"KerasEpochEnd was given str 'val_loss' as reporter.* metric="):
        KerasEpochEnd("val_loss")


def test_a_failure_of_the_callback_fails_the_trial():
    def train():
        from callbacks.test_keras import fit, network

        fit(network(), KerasEpochEnd(metric="auc"))
        return 0.0

    with pytest.raises(ExperimentFailedError, match="KerasEpochEnd does not find the metric 'auc'"):
        lagom(train, BaseConfig(name="keras"), engine="inline", verbose=0)


# --- steps


def test_batches_are_counted_over_all_epochs_and_all_calls_of_fit(capsys):
    callback, model = KerasBatchEnd(Reporter()), network()

    fit(model, callback, epochs=2)
    fit(model, callback, epochs=1, batch_size=32)

    assert [step for step, _ in reported(capsys)] == list(range(8 + 2))


def test_epochs_go_on_counting_when_fit_is_called_again_whether_the_callback_is_the_same_or_new(capsys):
    reporter, model = Reporter(), network()

    fit(model, same := KerasEpochEnd(reporter), epochs=2)
    fit(model, same, epochs=2)
    fit(model, KerasEpochEnd(reporter), epochs=2)
    fit(model, KerasEpochEnd(reporter), epochs=8, initial_epoch=6)

    assert [step for step, _ in reported(capsys)] == list(range(8))


def test_batches_are_counted_right_where_keras_calls_back_after_several(capsys):
    import keras

    if keras.backend.backend() == "torch":
        pytest.skip("Keras on torch calls back after each batch")
    fit(network(steps_per_execution=2), KerasBatchEnd(Reporter()), epochs=2)

    assert [step for step, _ in reported(capsys)] == [1, 3, 5, 7]


def test_a_model_is_as_good_as_ever_after_a_stop_in_the_middle_of_an_epoch():
    model, reporter = network(), Reporter()
    reporter.stop_now()
    with pytest.raises(EarlyStopException):
        fit(model, KerasBatchEnd(reporter))

    assert np.isfinite(model.evaluate(*table(), verbose=0)).all()
    assert len(fit(model).history["loss"]) == 3
