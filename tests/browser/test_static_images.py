"""Plots as pictures, drawn by the Chromium that the machine has; those of the documentation are made here."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from maggy import Result, plots, simulate
from maggy.config import HyperparameterOptConfig
from maggy.errors import PlotError
from maggy.optimizer import Asha
from maggy.searchspace import Choice, Rand, RandInt, Space
from maggy.simulation import LearningCurve

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 150_000
KINDS = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF", "jpg": b"\xff\xd8", "webp": b"RIFF"}


@pytest.fixture(autouse=True)
def _browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", CHROMIUM)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search of 150 trials with rungs, under a virtual clock."""
    space = Space(
        lr=Rand(1e-4, 1e-1, log=True), optimizer=Choice("sgd", "adam"), momentum=Rand(0, 1).when(optimizer="sgd"),
        layers=RandInt(1, 6),
    )  # fmt: skip

    def curve(params: dict[str, Any]) -> LearningCurve:
        chance = random.Random(repr(params))
        if chance.random() < 0.04:
            raise MemoryError("out of memory")
        far = abs(params["lr"] - 0.01) ** 0.5 + 0.03 * abs(params["layers"] - 4) + 0.1 * params.get("momentum", 0.3)
        losses = [0.2 + far + (1.2 + 0.1 * chance.random()) / epoch for epoch in range(1, 28)]
        return LearningCurve(losses, seconds=20 * (1 + params["layers"] * chance.random()))

    asha = Asha(3, resource_min=1, resource_max=27)
    config = HyperparameterOptConfig(
        150, asha, space, direction="min", optimization_key="loss", es_policy="none", name="images"
    )
    folder = tmp_path_factory.mktemp("images")
    return simulate(config, curve, workers=6, seed=5, resumes=True, experiment_dir=folder)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_plot_is_a_picture_of_any_kind(result: Result, tmp_path: Path, suffix: str) -> None:
    path = result.plot.save("rungs", tmp_path / f"rungs.{suffix}")
    assert path.read_bytes().startswith(KINDS[suffix])


def test_plotly_writes_pictures_too(result: Result, tmp_path: Path) -> None:
    result.plot.timeline().write_image(tmp_path / "timeline.svg")
    assert ">worker<" in (tmp_path / "timeline.svg").read_text()


def test_plots_can_be_pictures_in_the_dark(result: Result, tmp_path: Path) -> None:
    for name in ("curves", "slices", "parallel"):
        figure = plots.PLOTS[name](result.chronicle).update_layout(template=plots.template("dark"))
        assert plots.save(figure, tmp_path / f"{name}.png", scale=1).stat().st_size > 5_000


def test_without_a_browser_it_is_said_what_to_do(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(PlotError, match=r"needs Chrome or Chromium, which draws it .* or save history\.html"):
        result.plot.save("history", tmp_path / "history.png")


@pytest.mark.parametrize("name", ["history", "rungs", "slices", "timeline"])
def test_pictures_of_the_documentation_are_small(result: Result, name: str) -> None:
    figure = plots.PLOTS[name](result.chronicle).update_layout(width=760)
    path = plots.save(figure, IMAGES / f"plot-{name}.png", scale=1)
    assert path.stat().st_size < MOST_BYTES
