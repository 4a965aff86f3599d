"""The dashboard, served in this process."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60


class Served:
    """A dashboard in a thread, and a client of it."""

    def __init__(self, root: Path, **options: Any) -> None:
        from maggy.dashboard import Dashboard

        self.dashboard = Dashboard(str(root), **options)
        self.link, self.port, self.token = self.dashboard.link, self.dashboard.port, self.dashboard.token
        self._thread = threading.Thread(target=self.dashboard.run)
        self._thread.start()

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers of an answer; with the token, unless `Authorization` says otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        sent = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = None if body is None else json.dumps(body)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, {name: value for name, value in sent.items() if value})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        kind = answer.getheader("content-type") or ""
        value = json.loads(text) if kind.startswith("application/json") and text else text.decode(errors="replace")
        return answer.status, value, {name.lower(): value for name, value in answer.getheaders()}

    def get(self, path: str) -> Any:
        status, value, _ = self.ask(f"/api/{path}")
        assert status == 200, value
        return value

    def wait(self, path: str, until: Callable[[Any], bool]) -> Any:
        """Ask until the answer is as it should be."""
        pause = threading.Event()
        for _ in range(int(PATIENCE_S / 0.05)):
            if until(value := self.get(path)):
                return value
            pause.wait(0.05)
        raise AssertionError(f"{path} still says {value}")

    def only(self) -> str:
        """The id of the only experiment."""
        (experiment,) = self.get("experiments")["experiments"]
        return experiment["id"]

    def close(self) -> None:
        self.dashboard.stop()
        self._thread.join()


@pytest.fixture
def served() -> Iterator[Callable[..., Served]]:
    """Serves a folder; as often as one likes."""
    running: list[Served] = []

    def serve(root: Path, **options: Any) -> Served:
        running.append(Served(root, **options))
        return running[-1]

    yield serve
    for each in running:
        each.close()
