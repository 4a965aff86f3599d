"""Pictures of the dashboard for the documentation: `python tests/browser/pictures.py`, with the browser's environment.

They are of a real search, which takes a minute.
"""

from __future__ import annotations

import math
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import CHROMIUM, FLAGS

from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig
from maggy.dashboard import Dashboard

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def train(learning_rate, units, dropout, activation, reporter):
    import time

    print(f"{units} units, {activation}")
    off = (math.log10(learning_rate) + 2.5) ** 2
    best = 0.965 - 0.15 * off - abs(units - 96) / 500 - 0.1 * dropout + (0.015 if activation == "relu" else 0)
    for epoch in range(30):
        accuracy = best * (1 - math.exp(-(epoch + 1) / 6)) + 0.006 * math.sin(epoch * units)
        reporter.broadcast(accuracy, epoch)
        print(f"epoch {epoch:2}  accuracy {accuracy:.4f}")
        time.sleep(0.02)
    return accuracy


def search(root: Path, number: int, optimizer: str, trials: int) -> None:
    space = Searchspace(
        learning_rate=("DOUBLE", [1e-4, 1e-1], {"log": True}),
        units=("INTEGER", [16, 256]),
        dropout=("DOUBLE", [0.0, 0.5]),
        activation=("CATEGORICAL", ["relu", "tanh", "gelu"]),
    )
    config = HyperparameterOptConfig(
        trials,
        optimizer,
        space,
        name="digits",
        optimization_key="accuracy",
        es_policy="median",
        es_min=5,
        seed=number,
        num_workers=2,
        experiment_dir=root / "digits" / str(number),
    )
    lagom(train, config, engine="local", verbose=0)


def take(page: Page, link: str) -> None:
    page.goto(link)
    page.locator(".badge.complete").first.wait_for()
    page.locator(".badge.complete").nth(1).wait_for()
    page.screenshot(path=IMAGES / "dashboard-list.png")
    page.get_by_text("digits/1").locator("xpath=..").get_by_role("link").click()
    page.locator(".badge.complete").wait_for()
    page.locator("[data-plot=timeline] .main-svg").first.wait_for()
    address = page.url
    page.set_viewport_size({"width": 1200, "height": 880})
    page.screenshot(path=IMAGES / "dashboard-light.png")
    page.goto(f"{address}/trial/9")
    page.get_by_text("epoch 0").first.wait_for()
    page.locator(".main-svg").first.wait_for()
    page.screenshot(path=IMAGES / "dashboard-trial.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/trials?sort=metric&order=desc")
    page.locator("th[aria-sort=descending]").wait_for()
    page.screenshot(path=IMAGES / "dashboard-dark.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        search(Path(folder), 1, "tpe", 60)
        search(Path(folder), 2, "randomsearch", 30)
        dashboard = Dashboard(folder)
        serving = threading.Thread(target=dashboard.run)
        serving.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, headless=False, args=[*FLAGS, "--hide-scrollbars"]
            )
            take(browser.new_page(viewport={"width": 1200, "height": 720}, color_scheme="light"), dashboard.link)
            browser.close()
        dashboard.stop()
        serving.join()
