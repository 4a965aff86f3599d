"""A Spark cluster with executors in processes of their own, one for the whole test run."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SPARK_HOME of our own: executors write below it, and the installed package has to stay as it is."""
    import pyspark

    home = tmp_path_factory.mktemp("spark")
    for part in ("bin", "jars", "python", "sbin"):
        (home / part).symlink_to(Path(pyspark.__file__).parent / part)
    return home


@pytest.fixture(scope="session")
def spark(spark_home: Path) -> Iterator[SparkSession]:
    """A session on two executors of one core each."""
    from pyspark.sql import SparkSession

    from maggy.engine.spark_cluster import provide_java_for_spark

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(spark_home))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("JAVA_HOME", os.environ.get("JAVA_HOME", ""))  # put back what the next line may set
        provide_java_for_spark()
        settings = {
            "spark.app.name": "tests",
            "spark.driver.extraJavaOptions": SMALL_JVM,
            "spark.executor.extraJavaOptions": SMALL_JVM,
            "spark.executor.memory": "512m",
            "spark.scheduler.mode": "FAIR",
            "spark.log.level": "OFF",  # killed tasks and lost executors are what the tests are about
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        builder = SparkSession.builder.master("local-cluster[2,1,1024]")
        for key, value in settings.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="session")
def connect_url(spark: SparkSession) -> str:
    """Where that same cluster serves Spark Connect."""
    pytest.importorskip("grpc")
    context = spark.sparkContext
    if not list(Path(os.environ["SPARK_HOME"], "jars").glob("spark-connect_*.jar")):
        pytest.skip("this pyspark comes without the server of Spark Connect")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = context._jsc.sc().conf()
    settings.set("spark.connect.grpc.binding.address", "127.0.0.1")
    settings.set("spark.connect.grpc.binding.port", str(port))
    context._jvm.org.apache.spark.sql.connect.service.SparkConnectService.start(context._jsc.sc())
    return f"sc://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def connect(connect_url: str) -> Iterator[SparkSession]:
    """A session of Spark Connect on that cluster, in the same process."""
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    session = ConnectSession.builder.remote(connect_url).create()
    yield session
    session.stop()


@pytest.fixture
def standalone(spark_home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a standalone master with two workers of one core, which count as two hosts."""
    environment = os.environ | {
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": SMALL_JVM,
        "SPARK_WORKER_DIR": str(tmp_path),
    }
    with ExitStack() as stack:

        def start(kind: str, *arguments: str) -> subprocess.Popen[str]:
            command = [spark_home / "bin" / "spark-class", f"org.apache.spark.deploy.{kind}", *arguments]
            daemon = stack.enter_context(
                subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
            stack.callback(daemon.terminate)
            return daemon

        master = start("master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        url = next(found[0] for line in master.stderr if (found := re.search(r"spark://\S+", line)))
        for host in ("127.0.0.1", "127.0.0.2"):
            start("worker.Worker", "--host", host, "--port", "0", "--webui-port", "0", "-c", "1", "-m", "600m", url)
        yield url
