"""Errors carry their facts as fields, and can be caught as what Python calls them."""

import pickle

import pytest

from maggy import errors


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.SearchspaceError, ValueError),
        (errors.SignatureError, TypeError),
        (errors.FunctionNotPicklableError, TypeError),
        (errors.FunctionTooLargeError, ValueError),
        (errors.ExperimentDirError, OSError),
        (errors.ReturnTypeError, TypeError),
        (errors.ReturnKeyError, KeyError),
        (errors.MetricKeyError, KeyError),
        (errors.MetricTypeError, TypeError),
        (errors.MetricValueError, ValueError),
        (errors.BroadcastMetricTypeError, errors.MetricTypeError),
        (errors.BroadcastMetricValueError, errors.MetricValueError),
        (errors.BroadcastStepTypeError, TypeError),
        (errors.BroadcastStepValueError, ValueError),
        (errors.CheckpointError, RuntimeError),
        (errors.NoWorkersError, errors.EngineError),
        (errors.FencedError, errors.JournalError),
    ],
)
def test_an_error_can_be_caught_by_its_general_name(error, builtin):
    assert issubclass(error, builtin)
    assert issubclass(error, errors.MaggyError)


def test_an_unknown_name_lists_the_known_ones_and_guesses():
    error = errors.UnknownNameError("optimizer", "RandomSerch", ["randomsearch", "gridsearch"])
    assert str(error) == (
        "unknown optimizer 'RandomSerch'. Did you mean 'randomsearch'? Known: 'randomsearch', 'gridsearch'."
    )
    assert (error.kind, error.name, error.known) == ("optimizer", "RandomSerch", ("randomsearch", "gridsearch"))
    assert "Did you mean" not in str(errors.UnknownNameError("optimizer", 42, ["randomsearch"]))


def test_a_missing_key_is_said_in_plain_words():
    assert str(errors.ReturnKeyError("a dict without 'acc'")) == "a dict without 'acc'"


def test_a_stop_carries_its_metric():
    stop = errors.EarlyStopException(0.5)
    assert stop.metric == 0.5
    assert pickle.loads(pickle.dumps(stop)).metric == 0.5  # it may cross a process pool of the user's
