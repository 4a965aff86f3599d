"""Cores, memory, GPUs, ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from maggy.cli.doctor.finding import Findings
from maggy.engine.cores import available_cores
from maggy.engine.gpus import available_gpus
from maggy.environment import packages

_CGROUP = Path("/sys/fs/cgroup")


def look_at_cores(findings: Findings) -> None:
    """What the local engine shares out, and what a container really gives."""
    cores = available_cores()
    quota = _cpu_quota()
    memory = _memory_bytes()
    room = f", {memory / 2**30:.3g} GiB of memory" if memory else ""
    if quota is not None and quota < cores:
        findings.add(
            "cores",
            "warning",
            f"{cores}, of which this container may use {quota:g}{room}",
            f"give --workers {max(1, int(quota))}, or --resources, so that workers do not slow each other down",
        )
    else:
        findings.add("cores", "ok", f"{cores}{room}")


def _cpu_quota() -> float | None:
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return int(quota) / int(period)
    return None


def _memory_bytes() -> int | None:
    with suppress(OSError, ValueError):
        return int((_CGROUP / "memory.max").read_text())
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def look_at_gpus(findings: Findings, *, load: bool) -> None:
    """GPUs, as the driver's tools and the libraries see them.

    load  whether torch is imported to ask it
    """
    seen = available_gpus()
    names = _nvidia_names()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None and not seen:
        findings.add("GPUs", "ok", "none")
    elif names is None:
        findings.add("GPUs", "warning", f"{len(seen)}, and nvidia-smi does not answer", "is the driver installed?")
    elif not seen:
        hidden = "hidden by CUDA_VISIBLE_DEVICES" if visible is not None else "which this process does not see"
        advice = "unset CUDA_VISIBLE_DEVICES" if visible is not None else "start the container with its GPUs"
        findings.add("GPUs", "warning", f"{len(names)} ({', '.join(names)}), {hidden}", advice)
    else:
        findings.add("GPUs", "ok", f"{len(seen)} of {', '.join(names)}")
    torch = packages().get("torch")
    if names and torch and torch.endswith("+cpu"):
        findings.add("", "warning", f"torch {torch} was built without CUDA", "install the build for your CUDA version")
    if load and torch:
        with findings.looking("", "wrong", "reinstall torch"):
            import torch as library

            works = library.cuda.is_available()
            findings.add(
                "",
                "ok" if works or not names else "wrong",
                f"torch {torch} sees {library.cuda.device_count()} GPUs",
                "install the build for your CUDA version",
            )


def _nvidia_names() -> list[str] | None:
    """The names of the GPUs; None without nvidia-smi, or if it finds none."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.split("\n")[:-1] or None


def look_at_ports(findings: Findings) -> None:
    """Whether workers reach a driver here: at the loopback, and at the address that others would be told."""
    with findings.looking("ports", "wrong", "a firewall or a sandbox forbids connections within this machine"):
        _connect("127.0.0.1")
        findings.add("ports", "ok", "workers on this machine reach the driver at 127.0.0.1")
    name = socket.gethostname()
    advice = (
        "for workers on other machines, say an address of this one: SparkEngine(driver_host=...), or "
        "spark.driver.host for Spark; on this machine nothing is needed"
    )
    try:
        address = socket.gethostbyname(name)
        _connect(address)
    except OSError as error:
        findings.add("", "warning", f"the host name {name} does not lead here: {error}", advice)
        return
    if address.startswith("127."):
        findings.add("", "ok", f"the host name {name} is {address}: {advice}")
    else:
        findings.add("", "ok", f"others would be told {address} ({name})")


def _connect(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        server.settimeout(5)
        with socket.create_connection(server.getsockname()[:2], timeout=5) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"maggy")
                if accepted.recv(5) != b"maggy":
                    raise OSError(f"what was sent to {address} did not arrive")
