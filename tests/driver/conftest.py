from __future__ import annotations

import pytest
from driver.helpers import Stage


@pytest.fixture
def start(tmp_path):
    """Makes stages that are closed after the test."""
    stages = []

    def make(*arguments, **settings):
        stages.append(Stage(tmp_path / f"{len(stages)}", *arguments, **settings))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()
