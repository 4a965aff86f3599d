"""`import maggy` is light: whatever is heavy is loaded when it is needed."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("cloudpickle", "fsspec", "msgspec", "numpy", "rich", "zmq"),
    *("dask", "jax", "keras", "lightgbm", "lightning", "pandas", "pyarrow", "pyspark", "ray", "sklearn", "tensorflow"),
    *("torch", "transformers", "xgboost"),
}


def loaded_by(code):
    """The top-level packages that a fresh interpreter has loaded after some code."""
    code += "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_importing_maggy_loads_nothing_heavy():
    assert not loaded_by("import maggy") & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "from maggy import Searchspace, Trial, Result; Searchspace(lr=('DOUBLE', [0, 1]))",
        "from maggy.config import BaseConfig, HyperparameterOptConfig; BaseConfig()",
        "from maggy.optimizer import AbstractOptimizer, RandomSearch; from maggy.earlystop import AbstractEarlyStop",
        "from maggy.ablation import FeastStore, ParquetStore; ParquetStore('.'), FeastStore(entity_df='a.parquet')",
    ],
)
def test_what_an_experiment_is_described_with_loads_nothing_heavy_either(code):
    assert not loaded_by(code) & HEAVY


def test_the_door_loads_no_framework():
    frameworks = HEAVY - {"cloudpickle", "fsspec", "msgspec", "numpy", "rich", "zmq"}
    assert not loaded_by("from maggy import lagom, Reporter") & frameworks


def test_callbacks_load_a_framework_only_when_one_of_its_own_is_used():
    frameworks = HEAVY - {"cloudpickle", "fsspec", "msgspec", "numpy", "rich", "zmq"}
    assert not loaded_by("from maggy import callbacks; from maggy.callbacks import report") & frameworks
    assert loaded_by("from maggy.callbacks import XGBoostReporter") & {"keras", "torch", "xgboost"} == {"xgboost"}


def test_every_public_name_is_there_and_listed():
    import maggy

    for name in [*maggy.__all__, "__version__"]:
        assert getattr(maggy, name) is not None
        assert name in dir(maggy)
    with pytest.raises(AttributeError, match="module 'maggy' has no attribute 'lagoom'"):
        maggy.lagoom  # noqa: B018
