"""A real browser, for whatever a person looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))  # Debian's; see `make chromium`
FLAGS = [
    "--headless",
    "--no-sandbox",  # the tests may run as root, in a container; they open nothing but our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Chromium with a fresh profile; its windows are 1280 by 800."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM.exists(), f"there is no {CHROMIUM}; `make chromium` installs it"
    os.environ.setdefault("BROWSER_PATH", str(CHROMIUM))  # where kaleido looks, which saves plots as images
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            headless=False,  # it would bring flags of its own; ours say so
            args=FLAGS,
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(20_000)
        yield context
        context.close()


@pytest.fixture
def page(chromium: BrowserContext) -> Iterator[Page]:
    """An empty page. A test fails if a script of the page does, or if it asks for something outside this machine."""
    page = chromium.new_page()
    trouble: list[Any] = []
    page.on("pageerror", lambda error: trouble.append(error))
    page.on("request", lambda request: _is_outside(request.url) and trouble.append(request.url))
    yield page
    page.close()
    chromium.clear_cookies()
    assert not trouble


def _is_outside(url: str) -> bool:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost", "::1")
