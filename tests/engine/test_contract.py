"""The engines pass the contract suite, each on real processes of its own."""

from __future__ import annotations

import os
import signal

import pytest
from reliability.processes import parent

from maggy.engine.inline import InlineEngine
from maggy.engine.local import LocalEngine
from maggy.testing import EngineContract, WorkersContract


def kill(pid):
    os.kill(pid, signal.SIGKILL)


class TestInline(EngineContract):
    def make(self):
        return InlineEngine()


class TestLocal(WorkersContract):
    def make(self):
        return LocalEngine()


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
class TestSpark(WorkersContract):
    def make(self):
        from maggy.engine.spark import SparkEngine

        return SparkEngine()  # finds the active session

    def kill_host(self, visitor):
        kill(parent(parent(visitor.holder)))  # the executor is the parent of the daemon that forks its tasks


@pytest.mark.engines
@pytest.mark.usefixtures("dask_client")
class TestDask(WorkersContract):
    def make(self):
        from maggy.engine.dask import DaskEngine

        return DaskEngine()  # finds the client

    def kill_host(self, visitor):
        kill(visitor.holder)


@pytest.mark.engines
@pytest.mark.usefixtures("ray_session")
class TestRay(WorkersContract):
    def make(self):
        from maggy.engine.ray import RayEngine

        return RayEngine()  # finds the session

    def kill_host(self, visitor):
        kill(visitor.holder)
