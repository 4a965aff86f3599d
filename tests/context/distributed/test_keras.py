"""Keras on two workers, on whichever backend `KERAS_BACKEND` names, and what TensorFlow and JAX do without it."""

from __future__ import annotations

import os
import sys

import pytest
from context.distributed import keras_stories as stories
from context.distributed.processes import run_gang

from maggy import Reporter
from maggy.config import Distribution
from maggy.context.distributed import Alone, needs_fresh_process, opened
from maggy.context.task import Task
from maggy.errors import ConfigError

pytestmark = [pytest.mark.keras, pytest.mark.distributed, pytest.mark.timeout(300)]

BACKEND = os.environ["KERAS_BACKEND"]


@pytest.fixture(scope="module")
def alone():
    return run_gang(stories.fits, 1)[0]


@pytest.fixture(scope="module")
def ranks():
    return run_gang(stories.fits, 2)


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    return run_gang(stories.differs, 2, str(tmp_path_factory.mktemp("saved")))


# --- the same as on one worker


@pytest.mark.parametrize("kind", ["sequential", "functional", "masked", "subclassed"])
def test_the_history_of_fit_is_that_of_one_worker(alone, ranks, kind):
    for rank in ranks:
        assert rank[kind]["history"].keys() == alone[kind]["history"].keys()
        for name, values in alone[kind]["history"].items():
            assert rank[kind]["history"][name] == pytest.approx(values, abs=1e-6, rel=1e-5), name


@pytest.mark.parametrize("kind", ["sequential", "functional", "masked", "subclassed"])
def test_all_ranks_end_with_the_same_weights(ranks, kind):
    assert ranks[0][kind]["weights"] == ranks[1][kind]["weights"]


def test_a_callback_sees_and_reports_numbers_over_all_ranks(ranks):
    for rank in ranks:
        assert rank["sequential"]["reported"] == rank["sequential"]["history"]["val_auc"]


def test_evaluate_and_predict_are_over_the_whole_data(alone, ranks):
    for rank in ranks:
        assert rank["sequential"]["evaluated"] == pytest.approx(alone["sequential"]["evaluated"], abs=1e-6)
        for row, expected in zip(rank["sequential"]["predicted"], alone["sequential"]["predicted"], strict=True):
            assert row == pytest.approx(expected, abs=1e-5)


def test_a_model_looks_like_the_users_own(alone, ranks):
    for rank in ranks:
        assert rank["sequential"]["config"] == "Sequential"
        assert rank["sequential"]["optimizer"] == "Adam"
        assert rank["sequential"]["names"] == alone["sequential"]["names"]
        assert rank["sequential"]["alike"]
        assert rank["subclassed"]["alike"] == (True, "Net", True, 4)


# --- where ranks differ


def test_a_rank_that_wants_to_stop_stops_all_of_them_after_the_same_epoch(unlike):
    assert [len(rank["history"]["loss"]) for rank in unlike] == [3, 3]


def test_ranks_that_began_with_other_weights_and_have_seen_other_items_end_alike(unlike):
    first, second = unlike
    assert first["weights"] == second["weights"]
    assert first["history"] == second["history"]


def test_what_is_dropped_out_is_not_the_same_on_all_ranks(unlike):
    if BACKEND == "jax":
        pytest.skip("to JAX it is one computation on one batch")
    assert unlike[0]["seeds"] != unlike[1]["seeds"]


def test_ranks_that_shuffle_by_themselves_learn_all_the_same(unlike):
    assert unlike[0]["shuffled"] == unlike[1]["shuffled"]
    assert unlike[0]["learned"] > 0.95


def test_a_model_that_one_rank_saves_is_loaded_as_the_users_own(unlike):
    assert unlike[0]["loaded"] == unlike[0]["shuffled"]
    assert unlike[0]["kinds"] == (True, True)


def test_one_rank_on_a_host_writes_files(unlike):
    assert [rank["saved"] for rank in unlike] == [True, False]


def test_random_numbers_follow_from_the_seed(unlike):
    assert unlike[0]["drawn"] == unlike[1]["drawn"]


def test_what_is_set_for_a_trial_is_put_back_also_when_it_is_stopped(unlike):
    for rank in unlike:
        assert (rank["before"], rank["within"], rank["after"]) == ("float32", "mixed_bfloat16", "float32")
        assert rank["left"] == (False, None)


def test_a_process_of_pytorch_trains_again_after_a_stop(unlike):
    if BACKEND != "torch":
        pytest.skip("other runtimes begin once in a process")
    assert unlike[0]["once more"] == unlike[1]["once more"]


# --- loops of one's own


def test_a_loop_of_tensorflows_own_is_that_of_one_worker():
    if BACKEND != "tensorflow":
        pytest.skip("needs TensorFlow")
    alone = stories.strategic(Alone())

    for rank in run_gang(stories.strategic, 2):
        for losses in rank["losses"]:
            assert losses == pytest.approx(alone["losses"][0], abs=1e-6)
        assert rank["set up"] and not rank["left"]


def test_a_loop_of_jaxs_own_is_that_of_one_worker():
    if BACKEND != "jax":
        pytest.skip("needs JAX")
    losses, weights, devices, _, _ = stories.maps(Alone())

    for rank in run_gang(stories.maps, 2):
        assert rank[0] == pytest.approx(losses, abs=1e-6)
        assert [row[0] for row in rank[1]] == pytest.approx([row[0] for row in weights], abs=1e-6)
        assert rank[2:] == (2 * devices, True, 0.5)


# --- what goes wrong


@pytest.mark.parametrize("dies", [True, False])
def test_an_error_that_comes_of_another_ranks_end_or_absence_is_told_from_others(dies):
    (name, text, is_peers), nothing = run_gang(stories.is_left, 2, dies, may_die=dies)
    assert nothing is None
    assert is_peers, f"{name}: {text}"


def test_a_runtime_that_computes_already_cannot_join_the_others():
    if BACKEND == "torch":
        pytest.skip("PyTorch can at any time")
    for said in run_gang(stories.comes_late, 2):
        assert "computes already in this process" in said
        assert "Let nothing of" in said


def test_a_framework_that_is_missing_is_named_with_what_to_install(monkeypatch):
    for framework in ("keras", "jax"):
        monkeypatch.setitem(sys.modules, framework, None)
        context = opened(Distribution(framework=framework), Alone(), seed=0, takes_context=False)
        with pytest.raises(ImportError, match="needs it: pip install"):
            context.__enter__()


def test_a_jax_that_would_wait_for_ever_is_refused(monkeypatch):
    if BACKEND != "jax":
        pytest.skip("needs JAX")
    import jax

    class Two(Alone):
        size = 2

    monkeypatch.setattr(jax, "__version_info__", (0, 8, 1))
    context = opened(Distribution(framework="jax"), Two(), seed=0, takes_context=False)
    with pytest.raises(ConfigError, match=r"pip install 'jax>=0\.9'"):
        context.__enter__()


def test_data_is_processed_before_the_function_gets_it():
    double = Distribution(framework="keras", process_data=lambda data: [2 * number for number in data])
    task = Task(
        function=lambda dataset: sum(dataset),
        optimization_key="Metric",
        fixed={"dataset": [1, 2]},
        distribution=double,
    )
    assert task.run({}, Reporter()) == (6.0, None)


@pytest.mark.parametrize(
    ("framework", "backend", "fresh"),
    [
        ("torch", None, False),
        ("keras", "torch", False),
        ("keras", "tensorflow", True),
        ("keras", "jax", True),
        ("keras", None, True),
        ("jax", None, True),
    ],
)
def test_which_runtimes_need_a_process_for_each_trial(framework, backend, fresh):
    assert needs_fresh_process(Distribution(framework=framework), backend) == fresh


def test_a_worker_alone_needs_no_process_of_its_own():
    assert not needs_fresh_process(None, None)
