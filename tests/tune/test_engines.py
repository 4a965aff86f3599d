"""The same search on every engine finds the same."""

from __future__ import annotations

import pandas as pd
import pytest
from tune.objectives import Descent

from maggy.errors import UnknownNameError
from maggy.tune import Choice, Grid, Rand, RandInt, Space, suggest_by_sha, suggest_for_noniterative_objective

ENGINES = [
    "native",
    "local",
    pytest.param("spark", marks=pytest.mark.spark),
    pytest.param("dask", marks=pytest.mark.engines),
    pytest.param("ray", marks=pytest.mark.engines),
]
FIXTURES = {"spark": "spark", "dask": "dask_client", "ray": "ray_session"}


@pytest.fixture(params=ENGINES)
def engine(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if request.param in FIXTURES:
        request.getfixturevalue(FIXTURES[request.param])
    return request.param


def loss(kind, depth=0, width=0.0, split="", rate=0.0):
    if kind == "tree":
        return abs(depth - 7) + abs(width - 0.25) + (split == "random")
    return abs(rate - 0.1) + 0.5 * depth


def hybrid():
    """Two models; grids, samples, and for each of these cells a model of what is left."""
    trees = Space(kind="tree", depth=Grid(6, 7)) * Space(width=Rand(0, 1), split=Choice("best", "random"))
    lines = Space(kind="line", depth=RandInt(1, 4)).sample(2, seed=3) * Space(rate=Rand(1e-3, 1, log=True))
    return trees + lines


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What this thread finds."""
    reports = suggest_for_noniterative_objective(
        loss,
        hybrid(),
        local_optimizer="tpe:12",
        top_n=0,
        verbose=0,
        experiment_dir=tmp_path_factory.mktemp("native") / "experiment",
    )
    return [(report.sort_metric, report.params.simple_value) for report in reports]


def test_a_hybrid_search_finds_the_same_for_a_seed_on_every_engine(engine, expected):
    reports = suggest_for_noniterative_objective(
        loss, hybrid(), local_optimizer="tpe:12", top_n=0, execution_engine=engine, num_workers=2, verbose=0
    )
    assert [(report.sort_metric, report.params.simple_value) for report in reports] == expected
    assert len(expected) == 4 and expected[0][1]["kind"] == "tree" and expected[0][1]["depth"] == 7


def test_halving_goes_on_from_checkpoints_on_every_engine(engine):
    [best] = suggest_by_sha(
        Descent(),
        Space(a=Grid(1, 3, 5, 7)),
        [(1, 2), (2, 1), (1, 1)],
        execution_engine=engine,
        num_workers=2,
        verbose=0,
    )
    assert (best.params["a"], best.metadata["step"]) == (3, 4)
    assert best.metadata["lives"] == ["begun", "loaded at 1", "loaded at 3"]


def test_the_rows_of_a_key_are_there_on_every_engine(engine):
    frame = pd.DataFrame({"k": [1, 2, 2, 3], "v": [1.0, 2.0, 3.0, 4.0]})
    reports = suggest_for_noniterative_objective(
        lambda df, a: abs(df["v"].sum() - a),
        Space(a=Grid(1, 5, 4)),
        df=frame,
        partition_keys=["k"],
        execution_engine=engine,
        num_workers=2,
        verbose=0,
    )
    assert {report.trial.keys[0]: report.params["a"] for report in reports} == {1: 1, 2: 5, 3: 4}


@pytest.mark.spark
def test_a_table_of_spark_is_written_by_executors_and_tuned_on_its_session(spark, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = spark.createDataFrame([("x", 1.0), ("y", 2.0), ("x", 3.0)], "k string, v double")

    def objective(df, a):
        return abs(df["v"].sum() - a), {"columns": sorted(df.columns)}

    reports = suggest_for_noniterative_objective(
        objective, Space(a=Grid(2, 4)), df=table, partition_keys=["k"], num_workers=2, verbose=0
    )
    assert {report.trial.keys[0]: report.params["a"] for report in reports} == {"x": 4, "y": 2}
    assert reports[0].metadata["columns"] == ["k", "v"]


def test_an_unknown_engine_is_said_with_those_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=r"spork.*spark"):
        suggest_for_noniterative_objective(lambda a: a, Space(a=1), execution_engine="spork")
