"""Keras models through the front door of Fugue-Tune, on whatever backend there is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maggy.errors import ConfigError
from maggy.tune import Grid, RandInt, Space, Trial, TrialReport, validate_iterative_objective
from maggy.tune.iterative import CheckpointFolder
from maggy.tune.keras import (
    KerasObjective,
    KerasTrainingSpec,
    keras_space,
    suggest_keras_models_by_continuous_asha,
    suggest_keras_models_by_hyperband,
    suggest_keras_models_by_sha,
)

pytestmark = [
    pytest.mark.keras,
    # of Keras on PyTorch, when it saves weights
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows() -> tuple[np.ndarray, np.ndarray]:
    """A parabola with noise."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(48, 2)).astype("float32")
    y = (x[:, 0] ** 2 - x[:, 1] + rng.normal(0, 0.01, 48)).astype("float32")
    return x, y


class Parabola(KerasTrainingSpec):
    """Two dense layers, with chance in all places: first weights, dropout, the order of the rows."""

    def get_model(self):
        import keras

        return keras.Sequential(
            [
                keras.Input((2,)),
                keras.layers.Dense(self.params["l1"], activation="relu"),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(self.params.simple_value.get("l2", 4), activation="relu"),
                keras.layers.Dense(1),
            ]
        )

    def get_compile_params(self):
        return {"loss": "mse", "optimizer": "adam", "metrics": ["mae"]}

    def get_fit_params(self):
        x, y = rows()
        return [x[:32], y[:32]], {"batch_size": 8, "validation_data": (x[32:], y[32:])}

    def get_fit_metric(self, history):
        return history.history["val_mae"][-1]

    def generate_sort_metric(self, metric):
        return metric


class Unbuilt(Parabola):
    """The same without an input: the first rows say how large it is."""

    def get_model(self):
        import keras

        return keras.Sequential([keras.layers.Dense(self.params["l1"], activation="tanh"), keras.layers.Dense(1)])


class Negative(Parabola):
    """One whose metric is better where it is larger, which says when it is done."""

    ended: list[int]

    def get_fit_metric(self, history):
        return -super().get_fit_metric(history)

    def generate_sort_metric(self, metric):
        return -metric

    def finalize(self):
        self.ended.append(self.params["l1"])


def reports_of(spec: type[KerasTrainingSpec], budgets: list[int], *, continuous: bool) -> list[TrialReport]:
    trial = Trial.of({**keras_space(spec, l1=6).branches[0].template.root})
    reports: list[TrialReport] = []
    validate_iterative_objective(objective_of(spec), trial, budgets, reports.extend, continuous=continuous)
    return reports


def objective_of(spec: type[KerasTrainingSpec]) -> KerasObjective:
    return KerasObjective({f"{spec.__module__}.{spec.__qualname__}": spec})


# --- the local check


def test_a_spec_is_checked_from_end_to_end_where_it_is_written():
    Negative.ended = []
    spec = Negative({"l1": 3})
    metric = spec.compute_sort_metric(epochs=1, verbose=0)
    assert 0 < metric < 5
    assert Negative.ended == [3]
    assert spec.model.count_params() == 3 * 3 + 4 * 4 + 5


def test_arguments_of_compile_and_of_fit_can_be_replaced_and_callbacks_added():
    import keras

    class Counting(Parabola):
        def get_fit_params(self):
            args, named = super().get_fit_params()
            return args, {**named, "callbacks": [count("spec")]}

    def count(whose: str) -> keras.callbacks.Callback:
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((whose, epoch)))

    seen: list[tuple[str, int]] = []
    spec = Counting({"l1": 2})
    spec.compile_model(metrics=["mse"])
    history = spec.fit(epochs=2, verbose=0, callbacks=count("check"))
    assert set(history.history) == {"loss", "mse", "val_loss", "val_mse"}
    assert seen == [("spec", 0), ("check", 0), ("spec", 1), ("check", 1)]


def test_what_is_no_spec_makes_no_space():
    with pytest.raises(ConfigError, match="KerasTrainingSpec"):
        keras_space(dict, l1=2)
    with pytest.raises(ConfigError, match="keras_space"):
        suggest_keras_models_by_sha(Space(l1=2), [(1, 1)])


# --- checkpoints


@pytest.mark.parametrize("spec", [Parabola, Unbuilt])
def test_training_from_checkpoints_is_what_it_would_have_been_without_a_pause(spec):
    paused = reports_of(spec, [1, 2, 1, 3], continuous=False)
    at_once = reports_of(spec, [1, 2, 1, 3], continuous=True)

    assert [report.metric for report in paused] == pytest.approx([report.metric for report in at_once], rel=1e-6)
    assert [report.cost for report in paused] == [1, 2, 1, 3]
    assert [report.rung for report in paused] == [0, 1, 2, 3]
    assert len({report.metric for report in paused}) == 4


def test_a_checkpoint_has_the_weights_and_the_state_of_the_optimizer(tmp_path):
    from fsspec.implementations.local import LocalFileSystem

    folder = CheckpointFolder(path=str(tmp_path), fs=LocalFileSystem())
    first, second = Parabola({"l1": 5}), Parabola({"l1": 5})
    first.compile_model()
    first.fit(epochs=2, verbose=0)
    first.save_checkpoint(folder, first.model)
    second.load_checkpoint(folder, second.compile_model())

    assert [path.name for path in tmp_path.iterdir()] == ["model.weights.h5"]
    for saved, loaded in (
        (first.model.weights, second.model.weights),
        (first.model.optimizer.variables, second.model.optimizer.variables),
    ):
        assert len(saved) == len(loaded) > 3
        for one, other in zip(saved, loaded, strict=True):
            np.testing.assert_array_equal(np.asarray(one.numpy()), np.asarray(other.numpy()))
    assert int(second.model.optimizer.iterations.numpy()) == 8


def test_a_trial_is_the_same_again_and_leaves_the_global_streams_alone():
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    first, second = (reports_of(Parabola, [2], continuous=True)[0].metric for _ in range(2))

    assert first == pytest.approx(second, rel=1e-6)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_budgets_below_one_epoch_are_refused():
    with pytest.raises(ConfigError, match="number of epochs"):
        reports_of(Parabola, [0.2], continuous=True)


def test_a_spec_may_keep_its_checkpoints_in_a_way_of_its_own(tmp_path):
    class Own(Parabola):
        def save_checkpoint(self, fs, model):
            with fs.open("weights.npz", "wb") as file:
                np.savez(file, *model.get_weights())

        def load_checkpoint(self, fs, model):
            with fs.open("weights.npz", "rb") as file:
                model.set_weights(list(np.load(file).values()))

    objective = objective_of(Own)
    trial = Trial.of(keras_space(Own, l1=3))
    reports: list[TrialReport] = []
    validate_iterative_objective(objective, trial, [1, 1], reports.extend, checkpoint_path=str(tmp_path))
    saved = Path(tmp_path, trial.trial_id)
    assert {path.name for path in saved.rglob("*") if path.is_file()} == {"weights.npz", "epoch"}
    assert sorted(path.read_text() for path in saved.rglob("epoch")) == ["1", "2"]


# --- searches


def search(how: Any, space: Space, plan: Any, **settings: Any) -> list[TrialReport]:
    found: list[TrialReport] = how(space, plan, top_n=0, verbose=0, **settings)
    return found


def test_successive_halving_trains_the_best_for_longer_from_where_they_were():
    space = keras_space(Parabola, l1=Grid(1, 2, 6, 12), l2=RandInt(4, 8)).sample(1, seed=0)
    reports = search(suggest_keras_models_by_sha, space, [(1, 2), (2, 1), (3, 1)])

    [best] = reports
    assert (best.rung, best.cost) == (2, 3)
    assert best.params.simple_value["__space__model"].endswith(".Parabola")
    trial = Trial.of(best.trial.params)
    by_hand: list[TrialReport] = []
    validate_iterative_objective(objective_of(Parabola), trial, [1, 2, 3], by_hand.extend, continuous=True)
    assert best.metric == pytest.approx(by_hand[-1].metric, rel=1e-5)


def test_processes_train_what_this_thread_trains():
    space = keras_space(Parabola, l1=Grid(2, 6))
    here = search(suggest_keras_models_by_sha, space, [(1, 2), (2, 2)])
    there = search(suggest_keras_models_by_sha, space, [(1, 2), (2, 2)], execution_engine="local", num_workers=2)

    assert [report.trial_id for report in there] == [report.trial_id for report in here]
    assert [report.metric for report in there] == pytest.approx([report.metric for report in here], rel=1e-4)


def test_larger_is_better_where_the_spec_says_so():
    Negative.ended = []
    reports = search(suggest_keras_models_by_sha, keras_space(Negative, l1=Grid(1, 4, 8)), [(2, 3), (4, 3)])

    assert all(report.metric < 0 for report in reports)
    assert reports[0].metric == max(report.metric for report in reports)
    assert sorted(Negative.ended) == [1, 1, 4, 4, 8, 8]


def test_hyperband_divides_the_candidates_among_plans():
    space = keras_space(Parabola, l1=RandInt(1, 12)).sample(6, seed=0)
    reports = search(suggest_keras_models_by_hyperband, space, [[(1, 2), (2, 1)], [(3, 2)]])

    assert {(report.rung, report.cost) for report in reports} == {(1, 2), (0, 3)}


def test_continuous_asha_trains_on_without_checkpoints_in_between():
    space = keras_space(Parabola, l1=Grid(1, 2, 4, 8)) + keras_space(Unbuilt, l1=Grid(3, 5))
    reports = search(suggest_keras_models_by_continuous_asha, space, [(1, 3), (2, 2), (3, 1)])

    rungs = [report.rung for report in reports]
    assert 2 in rungs
    assert all(report.cost == report.rung + 1 for report in reports)
    assert {report.params.simple_value["__space__model"].rpartition(".")[2] for report in reports} <= {
        "Parabola",
        "Unbuilt",
    }


def test_a_spec_that_exists_here_alone_reaches_the_workers_with_its_table():
    pandas = pytest.importorskip("pandas")

    class Tabled(Parabola):
        def get_fit_params(self):
            df = self.dfs["df"]
            x, y = df[["a", "b"]].to_numpy("float32"), df["y"].to_numpy("float32")
            return [x, y], {"validation_split": 0.25, "batch_size": 8}

    x, y = rows()
    df = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y, "half": ["u", "v"] * 24})
    reports = search(
        suggest_keras_models_by_sha,
        keras_space(Tabled, l1=Grid(3, 6)),
        [(1, 1), (2, 1)],
        train_df=df,
        partition_keys=["half"],
        execution_engine="local",
    )
    assert sorted(report.trial.keys[0] for report in reports) == ["u", "v"]
