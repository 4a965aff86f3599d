"""Python, Maggy and the libraries, Java and Spark."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import requires
from importlib.util import find_spec

from maggy.cli.doctor.finding import Findings
from maggy.environment import packages

_OPTIONAL = {  # a library: the extra that brings it
    "pyspark": "spark",
    "dask": "dask",
    "ray": "ray",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "keras": "jax",
    "optuna": "search",
    "scikit-learn": "sklearn",
    "pandas": "tune",
    "pyarrow": "tune",
    "plotly": "monitors",
    "mlflow": "mlflow",
    "wandb": "wandb",
}


def look_at_python(findings: Findings) -> None:
    """The interpreter."""
    level, advice = ("ok", "") if sys.version_info >= (3, 11) else ("wrong", "install Python 3.11 or later")
    findings.add("Python", level, f"{platform.python_version()}, {sys.executable}", advice)  # type: ignore[arg-type]


def look_at_maggy(findings: Findings) -> None:
    """Maggy, what it cannot do without, and what it works with if it is there."""
    from maggy import __version__

    there = packages()
    needed = [_name(each) for each in requires("maggy") or () if "extra ==" not in each]
    missing = [name for name in needed if name not in there]
    says = f"{__version__}, with {', '.join(f'{name} {there[name]}' for name in needed if name in there)}"
    if missing:
        findings.add("Maggy", "wrong", f"{', '.join(missing)} cannot be found", "pip install --force-reinstall maggy")
    else:
        findings.add("Maggy", "ok", says)
    known = {**dict.fromkeys(("mlflow-skinny", "tensorflow-cpu")), **_OPTIONAL}
    have = [f"{name} {there[name]}" for name in sorted(known) if name in there]
    findings.add("libraries", "ok", ", ".join(have) or "none")
    lacking = [name for name in _OPTIONAL if name not in there and f"{name}-cpu" not in there]
    lacking = [name for name in lacking if f"{name}-skinny" not in there]
    if lacking:
        extras = ",".join(sorted({_OPTIONAL[name] for name in lacking}))
        findings.add("", "ok", f"not installed, for whoever wants them: {', '.join(lacking)} (maggy[{extras}])")


def _name(requirement: str) -> str:
    for at, letter in enumerate(requirement):
        if not (letter.isalnum() or letter in "-_."):
            return requirement[:at]
    return requirement


def look_at_spark(findings: Findings, *, start: bool) -> None:
    """The Java that Spark would start.

    start  whether a session is started, and two workers in it
    """
    if find_spec("pyspark") is None:
        level = "wrong" if start else "ok"
        findings.add("Spark", level, "pyspark is not installed", "pip install 'maggy[spark,java]'")  # type: ignore[arg-type]
        return
    from maggy.engine.java import java_version
    from maggy.engine.spark_cluster import provide_java_for_spark
    from maggy.errors import JavaNotFoundError

    version = packages().get("pyspark", "of an unknown version")
    try:
        java = provide_java_for_spark()
    except JavaNotFoundError as error:
        findings.add(
            "Java",
            "wrong",
            str(error).splitlines()[0],
            "pip install 'maggy[java]', or install a JDK and set JAVA_HOME; engine='local' needs none",
        )
        return
    findings.add("Java", "ok", f"{java_version(java)} at {java}, right for pyspark {version}")
    if not start:
        findings.add("Spark", "ok", f"pyspark {version}; not started: maggy doctor --spark starts it")
        return
    with findings.looking("Spark", "wrong", "look at the lines that Spark has printed above"):
        findings.add("Spark", "ok", _run_on_spark())


def _run_on_spark() -> str:
    """Two trials on two workers of a session that is started for it; says how it went."""
    import tempfile
    import time

    from maggy import Searchspace, lagom
    from maggy.config import HyperparameterOptConfig
    from maggy.engine.spark import SparkEngine

    def square(x: float) -> float:
        return x * x

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        config = HyperparameterOptConfig(
            2, "randomsearch", Searchspace(x=("DOUBLE", [0, 1])), num_workers=2, experiment_dir=f"{folder}/spark"
        )
        engine = SparkEngine()
        result = lagom(square, config, engine=engine, verbose=0)
        says = f"{result['num_trials']} of 2 trials on 2 workers, in {time.monotonic() - start:.1f} s"
        if result["num_trials"] < 2:
            raise RuntimeError(says)
        return says
