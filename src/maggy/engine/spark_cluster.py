"""Which Spark there is, and how many workers it can hold."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggy.engine.cores import available_cores
from maggy.engine.gpus import gpu_amount, room
from maggy.engine.java import provide_java
from maggy.errors import ConfigError, EngineError, MaggyError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

# Oldest and newest Java, by major version of Spark. Hadoop as shipped with Spark 3 calls what later versions took away.
_JAVA = {3: (8, 21), 4: (17, None)}

_COLD_S = 15.0  # a session is that young while its executors may still be on their way
_QUIET_S = 1.0  # no executor has joined for so long: no more are expected
_UNBOUNDED_EXECUTORS = 16  # taken as the maximum where dynamic allocation has none


def spark_is_active() -> bool:
    """Whether this process has a Spark session already, in any thread. Imports Spark only where that is so."""
    if "pyspark.sql" not in sys.modules:  # and no session without it
        return False
    from pyspark import SparkContext

    return SparkContext._active_spark_context is not None or connect_is_active()


def is_connect(session: object) -> bool:
    """Whether this is a session of Spark Connect, which has no context."""
    return type(session).__module__.startswith("pyspark.sql.connect")


def connect_is_active() -> bool:
    """Whether this process uses Spark Connect where it does not say otherwise."""
    if "pyspark.sql" not in sys.modules:
        return False
    from pyspark.sql.utils import is_remote

    return is_remote()


def find_connect_session(session: SparkSession | None) -> Any:
    """A session of Spark Connect: this one, else the active one. Raises EngineError where there is none, or it is
    stopped."""
    found: Any = session
    if found is None:
        from pyspark.sql.connect.session import SparkSession as ConnectSession

        found = ConnectSession.getActiveSession() or ConnectSession._default_session  # active is a matter of threads
    if found is None or found.is_stopped:
        raise EngineError("the session of Spark Connect is stopped, or there is none yet; start another one.")
    return found


def find_context(session: SparkSession | None, cores: int | None) -> SparkContext:
    """The context of `session`, else the active one, else that of a new cluster on this machine.

    cores  of the new cluster; None for all that this process may use

    Raises EngineError without pyspark, and for a session that has stopped or is about to; JavaNotFoundError without
    Java.
    """
    if session is not None:
        try:
            context = session.sparkContext
        except AttributeError as error:
            raise EngineError(f"SparkEngine takes a SparkSession, not {type(session).__name__}") from error
        if is_stopped(context):
            raise EngineError("the Spark session given to SparkEngine is stopped; start another one.")
        return context
    if importlib.util.find_spec("pyspark") is None:
        raise EngineError("engine 'spark' needs pyspark: pip install 'maggy[spark]'")
    from pyspark import SparkContext

    active = SparkContext._active_spark_context
    if active is not None and is_stopped(active):
        raise EngineError("the active Spark session is stopping; wait for its stop() to return, and try again.")
    return active or _start_context(cores)


def is_stopped(context: SparkContext) -> bool:
    """Whether a context can run no more jobs: it is not up yet, was stopped, or its JVM is dead."""
    try:
        return bool(context._jsc.sc().isStopped())
    except Exception:  # Python's side forgets the JVM's when it stops, and gets to know it late when it starts
        return True


@contextmanager
def stop_is_an_engine_error(context: SparkContext) -> Iterator[None]:
    """Raises EngineError in place of what Spark says when its context stops under a call."""
    try:
        yield
    except MaggyError:
        raise
    except Exception as error:
        if not is_stopped(context):
            raise
        raise EngineError("the Spark session was stopped meanwhile; start another one.") from error


def provide_java_for_spark() -> Path:
    """The `java` that the installed Spark is going to start; see `provide_java`."""
    from pyspark import __version__

    return provide_java(*_JAVA.get(int(__version__.partition(".")[0]), (17, None)))


def _start_context(cores: int | None) -> SparkContext:
    from pyspark import SparkConf, SparkContext

    if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:  # no Java runs yet
        provide_java_for_spark()
    SparkContext._ensure_initialized()
    conf = SparkConf()  # with what spark-submit, PYSPARK_SUBMIT_ARGS or spark-defaults.conf say
    conf.set("spark.ui.showConsoleProgress", "false")  # it would draw over ours until the last worker has left
    if conf.get("spark.master", "local[*]") == "local[*]":  # also what spark-submit says where nobody chose
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        # Four failures, as on a cluster: with the usual one a single killed worker ends the job of all.
        conf.setMaster(f"local[{cores or available_cores()},4]").setAppName("maggy")
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1").setIfMissing("spark.driver.host", "127.0.0.1")
        conf.setIfMissing("spark.scheduler.mode", "FAIR")  # for trials that run jobs of their own
        conf.setIfMissing("spark.log.level", "ERROR").setIfMissing("spark.ui.enabled", "false")
    return SparkContext.getOrCreate(conf)


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """What one worker takes of an executor."""

    cpus: int
    gpus: float

    def __str__(self) -> str:
        return f"{self.cpus} core{'s' if self.cpus > 1 else ''}" + (f" and {self.gpus:g} GPU" if self.gpus else "")


class SparkCluster:
    """The offer of one Spark context. Reads Spark's settings, changes none."""

    def __init__(self, context: SparkContext) -> None:
        self.context = context
        self.master = context.master or ""
        self.pool = context.getLocalProperty("spark.scheduler.pool")  # Spark remembers it by thread: the user's is here
        self._settings = dict(context.getConf().getAll())
        self.is_local = re.fullmatch(r"local(\[.*\])?", self.master) is not None
        self.is_dynamic = self.setting("spark.dynamicAllocation.enabled") == "true"
        self._default_size = TaskSize(
            cpus=int(self.setting("spark.task.cpus", "1")),
            gpus=float(self.setting("spark.task.resource.gpu.amount", "0")),
        )
        refuse_impatience(self.setting)

    def setting(self, key: str, default: str = "") -> str:
        """A setting of the context; `default` where nobody has set it."""
        return self._settings.get(key, default)

    def task_size(self, resources: Mapping[str, float]) -> TaskSize:
        """What a worker with these resources takes; the session's own task size for what is not named."""
        if unknown := sorted(set(resources) - {"cpu", "gpu"}):
            raise ConfigError(
                f"resources_per_worker: Spark knows 'cpu' and 'gpu', and not {', '.join(map(repr, unknown))}"
            )
        size = TaskSize(
            cpus=math.ceil(resources.get("cpu", self._default_size.cpus)),
            gpus=gpu_amount(resources, self._default_size.gpus),
        )
        if self.is_local and size.gpus:
            raise EngineError(
                f"a Spark master {self.master!r} cannot assign GPUs to its tasks. Use engine='local', or a "
                "cluster whose executors have spark.executor.resource.gpu.amount."
            )
        return size

    def profile(self, size: TaskSize) -> ResourceProfile | None:
        """Spark's profile for tasks of that size; None where the session's own size will do.

        Raises EngineError where the executors cannot have such tasks.
        """
        if self.is_local or size == self._default_size:  # a local master knows no profiles: it gets fewer tasks instead
            return None
        from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

        task = TaskResourceRequests().cpus(size.cpus)
        if size.gpus:
            task.resource("gpu", size.gpus)
        try:
            profile = ResourceProfileBuilder().require(task).build
            self.context.parallelize(range(1), 1).withResources(profile)  # makes it known to Spark
        except Exception as error:
            raise EngineError(
                f"Spark refuses workers of {size}: {java_message(error)}. Start the session with executors for it "
                "(spark.executor.cores, spark.executor.resource.gpu.amount), or change resources_per_worker."
            ) from error
        return profile

    def slots(self, size: TaskSize) -> int:
        """How many tasks of that size fit; see `Engine.slots`."""
        if self.is_local:
            cores = (self.live_slots(None) or available_cores()) * self._default_size.cpus
            if cores < size.cpus:
                raise self._too_large(size)
            return cores // size.cpus
        fit = self._slots_per_executor(size)
        if fit == 0:
            raise self._too_large(size)
        profile = self.profile(size)
        if self.is_dynamic:
            executors = int(self.setting("spark.dynamicAllocation.maxExecutors", str(_UNBOUNDED_EXECUTORS)))
            return max(executors * (fit or 1), self.live_slots(profile) or 0)
        joined = self._wait_for_executors()
        slots = self.live_slots(profile)
        if slots == 0 and joined:
            raise self._too_large(size)
        return slots or (self._expected_executors() or 1) * (fit or 1)  # tasks wait for executors that join later

    def describe(self) -> str:
        """One line for people."""
        live = self.live_slots(None)
        if live is None:
            return f"Spark at {self.master}, which does not say what it can run"
        memory = self.setting("spark.executor.memory", "1g")
        executors = "in the driver's JVM" if self.is_local else f"{self._executors()} executors with {memory} each"
        growth = (
            f"at most {self.setting('spark.dynamicAllocation.maxExecutors', 'any number of')} executors"
            if self.is_dynamic
            else "off"
        )
        return (
            f"Spark {self.context.version} at {self.master}: {executors}; slots: {live} of "
            f"{self._default_size}; dynamic allocation: {growth}; workers run {self.context.pythonExec}"
        )

    def _too_large(self, size: TaskSize) -> EngineError:
        return EngineError(
            f"a worker needs {size}, and no executor is that large: {self.describe()}. Ask for less in "
            "resources_per_worker, or start the session with larger executors."
        )

    def _slots_per_executor(self, size: TaskSize) -> int | None:
        """From the settings; None where they do not say how large an executor is."""
        if local_cluster := self._local_cluster():
            cores = local_cluster[1]
        elif text := self.setting("spark.executor.cores"):
            cores = int(text)
        elif self.master.startswith("spark://"):  # there an executor takes all that a machine has
            return None
        else:
            cores = 1
        fit = cores // size.cpus
        if size.gpus and (gpus := self.setting("spark.executor.resource.gpu.amount")):
            fit = min(fit, room(int(gpus), size.gpus))
        return fit

    def _expected_executors(self) -> int | None:
        """From the settings; None where it depends on the cluster."""
        if local_cluster := self._local_cluster():
            return local_cluster[0]
        instances = self.setting("spark.executor.instances")
        return int(instances) if instances else None

    def _local_cluster(self) -> tuple[int, int] | None:
        """Executors and cores of each, where the master is local-cluster[executors,cores,memory]."""
        match = re.match(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)", self.master)
        return (int(match[1]), int(match[2])) if match else None

    def _wait_for_executors(self) -> int | None:
        """How many executors there are, once those of a session that just started had time to join.

        Spark has no event for it outside of its JVM; a few looks, further and further apart, have to do.
        """
        executors = self._executors()
        expected = self._expected_executors()
        joined_at = time.time()
        pause_s = 0.05
        while executors is not None and time.time() < self.context.startTime / 1000 + _COLD_S:
            if executors >= expected if expected else executors and time.time() > joined_at + _QUIET_S:
                break
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)
            before, executors = executors, self._executors()
            if executors != before:
                joined_at = time.time()
        return executors

    def _executors(self) -> int | None:
        """How many there are now, without the driver; None where Spark keeps that to itself."""
        try:
            return len(self._scala().statusTracker().getExecutorInfos()) - 1
        except Exception:
            return None

    def live_slots(self, profile: ResourceProfile | None) -> int | None:
        """How many tasks the executors of this moment take; None where Spark keeps that to itself."""
        try:
            scala = self._scala()
            java_profile: Any = profile and profile._java_resource_profile
            return int(
                scala.maxNumConcurrentTasks(java_profile or scala.resourceProfileManager().defaultResourceProfile())
            )
        except Exception:
            # The call is not part of Spark's public API: some platforms forbid it. Or the context is stopped.
            return None

    def _scala(self) -> Any:
        return self.context._jsc.sc()


def refuse_impatience(setting: Callable[[str, str], str | None]) -> None:
    """Raises EngineError where Spark takes a worker of Maggy's for a stuck one.

    setting  the value of a setting, with a default
    """
    idle_timeout = re.match(r"\d+", setting("spark.python.worker.idleTimeoutSeconds", "") or "")
    kills = setting("spark.python.worker.killOnIdleTimeout", "") == "true"
    if idle_timeout and int(idle_timeout[0]) and kills:
        raise EngineError(
            "this Spark session kills Python workers that send it nothing for "
            f"{idle_timeout[0]} s, and Maggy's workers never do. Start it with "
            "spark.python.worker.killOnIdleTimeout=false, or with spark.python.worker.idleTimeoutSeconds=0."
        )


def java_message(error: BaseException) -> str:
    """What an error from Spark says, without the frames of Java that it says it from."""
    lines = str(error).partition("\nDriver stacktrace:")[0].splitlines()
    told = [line for line in lines if not re.match(r"\s+at |\s*\.\.\. \d+ more|An error occurred while calling", line)]
    return re.sub(r"^: ?[\w.]+: ", "", "\n".join(told).strip()).rstrip(".")
