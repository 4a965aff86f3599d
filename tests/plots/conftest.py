"""Experiments to draw, simulated once."""

from __future__ import annotations

import pytest
from plots.helpers import loss, simulated

from maggy.chronicle import Chronicle
from maggy.optimizer import Asha
from maggy.simulation import Losses


@pytest.fixture(scope="session")
def asha(tmp_path_factory: pytest.TempPathFactory) -> Chronicle:
    """Trials with budgets 1, 3 and 9; some fail."""
    return simulated(tmp_path_factory.mktemp("asha"), optimizer=Asha(3, resource_min=1, resource_max=9), resumes=True)


@pytest.fixture(scope="session")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> Chronicle:
    """Trials that are stopped early, or fail, on workers that die."""
    settings = {"es_policy": "median", "es_min": 5, "losses": Losses(mtbf_s=60)}
    return simulated(tmp_path_factory.mktemp("stopping"), **settings)


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Chronicle:
    """Two objectives: a loss, and a speed that suffers from layers."""
    keys = {"optimization_key": ["loss", "speed"], "direction": ["min", "max"]}
    return simulated(
        tmp_path_factory.mktemp("two"), lambda params: {"loss": loss(params), "speed": -params["layers"]}, **keys
    )
