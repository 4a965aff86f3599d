"""Which framework made a model is told without loading either."""

from __future__ import annotations

import subprocess
import sys

import pytest

from maggy.ablation.components import Layers
from maggy.context.surgery import ablated, names
from maggy.errors import AblationError


def test_no_framework_is_loaded_until_a_model_needs_it():
    program = """
import sys
from maggy.ablation.components import Layers
from maggy.context.surgery import ablated, check
from maggy.errors import AblationError

removals = [Layers(name="it", patterns=("it",))]
for attempt in (lambda: ablated(lambda: 1, removals)(), lambda: check(dict, removals), lambda: check(int, removals)):
    try:
        attempt()
    except AblationError:
        pass
    else:
        raise SystemExit("accepted")
raise SystemExit(", ".join({"jax", "keras", "numpy", "tensorflow", "torch"} & sys.modules.keys()) or 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("no_model", [None, 3, "model", dict])
def test_what_is_no_model_says_what_would_be(no_model):
    with pytest.raises(
        AblationError, match="layers can be left out of Keras 3 models and of PyTorch modules; this is a"
    ):
        names(no_model)
    with pytest.raises(AblationError, match="this is a"):
        ablated(lambda: no_model, [Layers(name="it", patterns=("it",))])()
