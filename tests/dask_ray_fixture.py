"""A Dask and a Ray cluster on this machine, one of each for the whole test run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from distributed import Client

CPUS = 2


@pytest.fixture(scope="session")
def dask_client() -> Iterator[Client]:
    """A client of two Dask workers with one thread each."""
    import logging

    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,  # killed workers are what the tests are about
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A Ray session on one node with two CPUs."""
    import ray

    tests = str(Path(__file__).parent)
    with (
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder,  # paths of sockets have to be short
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")])))
        ray.init(
            address="local",
            num_cpus=CPUS,
            include_dashboard=False,
            object_store_memory=100 << 20,
            logging_level="ERROR",
            log_to_driver=False,
            _temp_dir=folder,
        )
        yield
        ray.shutdown()
