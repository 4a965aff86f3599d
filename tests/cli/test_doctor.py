"""`maggy doctor`: what works here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.cli import main


def findings(capsys, *arguments, status=0):
    assert main(["doctor", *arguments, "--json"]) == status
    told = json.loads(capsys.readouterr().out)
    named = {}
    for finding in told["findings"]:
        named.setdefault(finding["what"] or "more", []).append(finding)
    return told, named


@pytest.mark.spark  # it looks for Java
def test_a_machine_that_passes_these_tests_is_healthy_and_nothing_is_left_behind(capsys):
    told, named = findings(capsys, "runs/here")
    assert told["wrong"] == 0
    for what in ("Python", "Maggy", "libraries", "cores", "GPUs", "ports", "folder", "locks", "disk", "clock", "Java"):
        assert named[what][0]["level"] in ("ok", "warning"), named[what]
    assert "pyzmq" in named["Maggy"][0]["says"]
    assert not Path("runs").exists()
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "Python     ok " in said


def test_a_folder_that_cannot_be_written_is_wrong_and_there_is_advice(capsys):
    Path("file").touch()
    told, named = findings(capsys, "file/below", status=1)
    assert told["wrong"] == 1
    assert named["folder"][0]["level"] == "wrong"
    assert "name another folder" in named["folder"][0]["advice"]


def test_a_store_is_tried_out_and_left_as_it_was(capsys):
    import fsspec

    _, named = findings(capsys, "memory://doctor")
    assert "can be written" in named["folder"][0]["says"]
    assert named["locks"][0]["level"] == "ok"
    assert fsspec.filesystem("memory").find("/doctor") == []


def test_java_that_cannot_work_is_wrong(capsys, monkeypatch):
    pytest.importorskip("pyspark")
    monkeypatch.setenv("JAVA_HOME", str(Path("nowhere").absolute()))
    _, named = findings(capsys, status=1)
    assert "JAVA_HOME is" in named["Java"][0]["says"]
    assert "engine='local' needs none" in named["Java"][0]["advice"]


def test_a_container_with_less_than_its_cores_is_a_warning(capsys, monkeypatch, tmp_path):
    from maggy.engine.cores import available_cores

    Path(tmp_path, "cpu.max").write_text("50000 100000\n")
    Path(tmp_path, "memory.max").write_text(f"{3 << 30}\n")
    monkeypatch.setattr("maggy.cli.doctor.machine._CGROUP", tmp_path)
    _, named = findings(capsys)
    assert named["cores"][0]["level"] == "warning"
    assert named["cores"][0]["says"] == f"{available_cores()}, of which this container may use 0.5, 3 GiB of memory"


@pytest.mark.parametrize(
    ("visible", "level", "says"),
    [("0,1", "ok", "2 of H100, H100"), ("", "warning", "2 (H100, H100), hidden by CUDA_VISIBLE_DEVICES")],
)
def test_gpus_are_those_that_the_driver_names_and_this_process_sees(visible, level, says, capsys, monkeypatch):
    """Their driver's tool answers as on a machine that has two."""
    Path("bin").mkdir()
    tool = Path("bin/nvidia-smi")
    tool.write_text("#!/bin/sh\necho H100\necho H100\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent.absolute()}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    _, named = findings(capsys)
    assert (named["GPUs"][0]["level"], named["GPUs"][0]["says"]) == (level, says)


@pytest.mark.sessions
def test_spark_is_really_started_and_two_workers_in_it():
    command = [sys.executable, "-m", "maggy", "doctor", "--spark", "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (spark,) = (each for each in json.loads(answer.stdout)["findings"] if each["what"] == "Spark")
    assert spark["says"].startswith("2 of 2 trials on 2 workers")
