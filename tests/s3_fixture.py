"""An S3 store over HTTP, one server for the whole test run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import fsspec
import pytest

_SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


@pytest.fixture
def s3(s3_server, monkeypatch) -> str:
    """The URL of an empty bucket; this process and those that it starts know the way."""
    settings = {
        "key": "somebody",
        "secret": "something",
        "client_kwargs": {"endpoint_url": s3_server},
        "config_kwargs": {"retries": {"max_attempts": 1}},
    }
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    monkeypatch.setenv("FSSPEC_S3", json.dumps(settings))
    fs = fsspec.filesystem("s3")
    if fs.exists("bucket"):
        fs.rm("bucket", recursive=True)
    fs.mkdir("bucket")
    return "s3://bucket"
