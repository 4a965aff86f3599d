"""The live view in JupyterLab, and the program that stands beside it in a terminal; both as a person sees them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import nbformat
import pytest

from maggy.chronicle import Chronicle
from maggy.errors import ExperimentDirError

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PATIENCE_S, PATIENCE_MS = 60, 60_000

TRAIN = dedent("""
    def train(learning_rate, layers, activation, reporter):
        \"\"\"Stands for a training that takes longer.\"\"\"
        import math, random, time
        rng = random.Random(f"{learning_rate} {layers}")
        off = abs(math.log10(learning_rate) + 2.5)
        good, pace = 0.97 - 0.05 * off - 0.02 * abs(layers - 3), 0.3 / (1 + off)
        accuracy = 0.1
        for epoch in range(20):
            accuracy += (good - accuracy) * pace + rng.gauss(0, 0.004)
            time.sleep(0.05)
            print(f"epoch {epoch}: accuracy {accuracy:.4f}")
            reporter.broadcast(accuracy, epoch)
        if rng.random() < 0.04:
            raise ValueError("the loss is NaN")
        return accuracy
""")
SEARCH = dedent("""
    from maggy import Searchspace, lagom
    from maggy.config import HyperparameterOptConfig

    space = Searchspace(
        learning_rate=("DOUBLE", [1e-5, 1e-1], {"log": True}),
        layers=("INTEGER", [1, 6]),
        activation=("CATEGORICAL", ["relu", "tanh"]),
    )
    config = HyperparameterOptConfig(
        48, "tpe", space, es_policy="median", es_min=6, num_workers=4, name="MNIST", seed=3, experiment_dir="search"
    )
""")
WAITS = dedent("""
    def train(x, reporter):
        import os, time
        step = 0
        while not os.path.exists({go!r}):
            print("still at step", step)
            reporter.broadcast(x * step, step)
            step += 1
            time.sleep(0.05)
        return x

    config = HyperparameterOptConfig(
        4, "randomsearch", Searchspace(x=("DOUBLE", [0, 1])), num_workers=2, name="waits", experiment_dir="waits"
    )
""")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab of its own: where it answers, and the folder that it shows."""
    folder = Path(mkdtemp(prefix="maggy-"))  # its name is in the pictures
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path_factory.mktemp(name)) for name in ("CONFIG", "RUNTIME", "DATA")}
    own["JUPYTERLAB_SETTINGS_DIR"] = str(tmp_path_factory.mktemp("SETTINGS"))
    quiet = Path(own["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab/apputils-extension/notification.jupyterlab-settings")
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false"}')
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = [f"--ServerApp.root_dir={folder}", f"--port={port}", "--IdentityProvider.token=", "--no-browser"]
    settings += [
        "--allow-root",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    settings += ["--ServerApp.terminado_settings={'shell_command': ['/bin/bash', '--noprofile', '--norc']}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *settings],
        env={**os.environ, **own, "IPYTHONDIR": str(tmp_path_factory.mktemp("IPYTHON")), "PATH": path, "PS1": "$ "},
        cwd=folder,
        stdin=subprocess.DEVNULL,  # it asks before it ends where it has a terminal
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{url}/api"))
        yield url, folder
    finally:
        server.terminate()
        server.wait()
        rmtree(folder)


def expect(locator: Any) -> Any:
    """What a page shows, within some time; this file is read where there is no playwright, too."""
    from playwright.sync_api import expect

    return expect(locator)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url)
    except URLError:
        return False
    return True


def until(is_so) -> None:
    """Wait for something outside the page."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ended(folder: Path) -> int:
    try:
        return Chronicle.of(folder).tally.ended
    except ExperimentDirError:
        return -1


def opened(page: Page, lab: tuple[str, Path], *cells: str) -> None:
    """Open a notebook with these cells and run all of them."""
    url, folder = lab
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "experiment.ipynb")
    page.goto(f"{url}/doc/tree/experiment.ipynb?reset")
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=PATIENCE_MS)
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_while_the_cell_waits_the_page_follows_a_trial_of_the_readers_choice(page: Page, lab: tuple[str, Path]) -> None:
    _, folder = lab
    go = folder / "go"
    opened(page, lab, SEARCH, WAITS.format(go=str(go)), "result = lagom(train, config)")
    view = page.get_by_role("group", name="Maggy: waits")
    expect(view).to_contain_text("0 of 4 trials, 2 running", timeout=PATIENCE_MS)
    view.get_by_text("Logs", exact=True).click()
    log = view.get_by_role("log")
    expect(log).to_contain_text("still at step 5", timeout=PATIENCE_MS)  # it grows, and the cell is still at work
    expect(page.locator(".jp-Notebook .jp-Cell").nth(2)).to_contain_text("[*]")
    view.get_by_label("Follow").select_option("trial 0")
    expect(view.get_by_role("log", name="log of trial 0")).to_contain_text("still at step 20", timeout=PATIENCE_MS)
    expect(view.get_by_role("img", name="Learning curves")).to_be_visible()

    go.touch()
    bar = view.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuetext", "4 of 4 trials, 0 running", timeout=PATIENCE_MS)
    expect(view).to_contain_text("complete")
    expect(view.get_by_label("Follow")).to_have_value("trial 0")  # the choice stood through it all
    expect(log).to_contain_text("still at step 20")
    expect(page.locator(".jp-Notebook")).to_contain_text("4 finished")  # the summary, which the notebook keeps


def test_a_background_handle_shows_the_same_while_other_cells_run_and_stops_it(
    page: Page, lab: tuple[str, Path]
) -> None:
    never = WAITS.format(go="/nowhere/go").replace('"waits"', '"behind"')
    opened(page, lab, SEARCH, never, "run = lagom(train, config, block=False)", "print(6 * 7)", "run")
    cells = page.locator(".jp-Notebook .jp-Cell")
    view = cells.nth(2).get_by_role("group", name="Maggy: behind")
    expect(cells.nth(3)).to_contain_text("42", timeout=PATIENCE_MS)
    expect(view).to_contain_text("0 of 4 trials, 2 running", timeout=PATIENCE_MS)
    expect(cells.nth(4).get_by_role("table", name="an experiment of Maggy")).to_contain_text("behind")
    cells.nth(4).locator(".cm-content").fill("run.stop(); run.result().interrupted")
    cells.nth(4).locator(".cm-content").press("Control+Enter")
    expect(cells.nth(4)).to_contain_text("True", timeout=PATIENCE_MS)
    expect(view).to_contain_text("interrupted", timeout=PATIENCE_MS)


def test_a_picture_of_it_in_a_notebook_and_no_barriers_for_people_with_disabilities(
    page: Page, lab: tuple[str, Path]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    _, folder = lab
    opened(page, lab, SEARCH, TRAIN, "result = lagom(train, config)")
    view = page.get_by_role("group", name="Maggy: MNIST")
    until(lambda: ended(folder / "search") >= 30)
    view.get_by_text("Logs", exact=True).click()
    expect(view.get_by_role("log")).to_contain_text("epoch", timeout=PATIENCE_MS)
    view.evaluate("node => node.scrollIntoView()")
    view.screenshot(path=IMAGES / "notebook.png")
    found = Axe().run(page, context=".maggy")
    assert found.violations_count == 0, found.generate_report()


def test_a_picture_of_it_in_a_terminal(page: Page, lab: tuple[str, Path]) -> None:
    url, folder = lab
    search = SEARCH.replace('"search"', '"in_terminal"')
    (folder / "tune.py").write_text(f"{search}\n{TRAIN}\n\nlagom(train, config)\n")
    page.set_viewport_size({"width": 1200, "height": 500})
    page.goto(f"{url}/lab?reset")
    page.locator(".jp-LauncherCard", has_text="Terminal").click()
    terminal = page.locator(".jp-Terminal")
    terminal.locator(".xterm-screen").click(timeout=PATIENCE_MS)
    page.keyboard.type("clear; python tune.py\n")
    until(lambda: ended(folder / "in_terminal") >= 30)
    page.screenshot(path=IMAGES / "terminal.png", clip={**terminal.bounding_box(), "height": 105})
    until(lambda: (folder / "in_terminal" / "result.json").exists())
    page.wait_for_timeout(1000)  # what is printed after that has nothing in the page that could be waited for
    page.screenshot(path=IMAGES / "terminal-summary.png", clip={**terminal.bounding_box(), "height": 300})
