"""Speculation, which clones a long task on another host: two workers on the addresses 127.0.0.1 and 127.0.0.2."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.soak]

SCRIPT = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.engine.spark import SparkEngine
from maggy.engine.spark_cluster import provide_java_for_spark

provide_java_for_spark()
builder = SparkSession.builder.master(sys.argv[1])
for key, value in json.loads(sys.argv[2]).items():
    builder = builder.config(key, value)
session = builder.getOrCreate()
folder = sys.argv[3]

def train(x, reporter):
    import time, uuid
    from pathlib import Path
    Path(folder, f"run-{x}-{uuid.uuid4().hex}").touch()
    for step in range(20):
        time.sleep(0.05)
        reporter.broadcast(x, step)
    return x

space = Searchspace(x=("INTEGER", [1, 8]))
config = HyperparameterOptConfig(8, "gridsearch", space, es_policy="none", num_workers=1)
result = lagom(train, config, engine=SparkEngine(session), verbose=0)
joined = [line for line in Path(result.experiment_dir, "journal/00000000-00000000.jsonl").read_text().splitlines()
          if "WorkerJoined" in line]
print(json.dumps({"metrics": result["metric_list"], "joined": len(joined),
                  "attempts": [trial.attempt for trial in result.trials]}), flush=True)
session.stop()
"""


def test_a_twin_by_speculation_is_parked_and_no_trial_runs_twice(standalone, spark_home, tmp_path):
    environment = {"SPARK_HOME": str(spark_home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    settings = {
        "spark.cores.max": "2",
        "spark.executor.memory": "512m",
        "spark.log.level": "OFF",
        "spark.ui.enabled": "false",
        "spark.speculation": "true",
        "spark.speculation.interval": "100ms",
        "spark.speculation.task.duration.threshold": "1s",  # so that even a single task gets a twin
    }
    folder = tmp_path / "runs"
    folder.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, standalone, json.dumps(settings), str(folder)],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["joined"] == 2  # the worker and its twin, of which one has worked
    assert report["metrics"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert report["attempts"] == [0] * 8
    assert len(list(folder.glob("run-*"))) == 8
