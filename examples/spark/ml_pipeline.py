"""Tuning a pipeline of Spark ML: trials run beside the session, several at once, and train on its executors."""

import os
import sys

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import PolynomialExpansion, VectorAssembler
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.engine.spark import SparkEngine
from maggy.engine.spark_cluster import provide_java_for_spark

provide_java_for_spark()
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
spark = (
    SparkSession.builder.master("local[2,4]")
    .config("spark.scheduler.mode", "FAIR")  # trials share the executors
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)

# Points in a square; those in a ring around its middle are of one class, but for some noise.
points = spark.range(1000, numPartitions=2).select((2 * sql.rand(1) - 1).alias("x"), (2 * sql.rand(2) - 1).alias("y"))
radius = sql.sqrt(sql.col("x") ** 2 + sql.col("y") ** 2) + 0.1 * sql.randn(3)
points = points.withColumn("label", radius.between(0.4, 0.8).cast("double"))
train_set, test_set = (part.cache() for part in points.randomSplit([0.7, 0.3], seed=4))


def train(degree, log10_reg, elastic, train_set, test_set):
    """Fits a pipeline; returns the area under its ROC curve."""
    stages = [
        VectorAssembler(inputCols=["x", "y"], outputCol="point"),
        PolynomialExpansion(degree=degree, inputCol="point", outputCol="features"),
        LogisticRegression(maxIter=10, regParam=10**log10_reg, elasticNetParam=elastic),
    ]
    model = Pipeline(stages=stages).fit(train_set)
    area = BinaryClassificationEvaluator().evaluate(model.transform(test_set))
    print(f"degree {degree}: {model.stages[-1].numFeatures} features, area {area:.3f}")
    return area


config = HyperparameterOptConfig(
    name="ml_pipeline",
    num_trials=4,
    optimizer="randomsearch",
    searchspace=Searchspace(degree=("DISCRETE", [1, 2, 4]), log10_reg=("DOUBLE", [-4, -1]), elastic=("DOUBLE", [0, 1])),
    train_set=train_set,
    test_set=test_set,
    direction="max",
    seed=5,
)
result = lagom(train, config, engine=SparkEngine(spark, where="driver", slots=3), verbose=0)

print(f"{len(result.trials)} trials, the best area under the curve is {result['best_val']:.3f}")
print(f"best configuration: {result['best_config']}")
spark.stop()
