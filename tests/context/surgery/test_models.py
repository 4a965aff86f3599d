"""Which framework made a model is told without loading either."""

from __future__ import annotations

import subprocess
import sys

import pytest

from maggy.ablation.components import Layers
from maggy.context.surgery import Checker, ablated, names
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


def test_what_is_left_out_twice_is_refused_also_where_names_do_not_tell():
    from torch import nn, zeros

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()
            self.encoder = nn.Sequential(nn.Linear(4, 4), self.act)
            self.decoder = nn.Sequential(nn.Linear(4, 4), self.act)
            self.coder = self.encoder
            self.head = nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.decoder(self.coder(x)))

    checker = Checker(Net, sample=zeros(2, 4))
    one = [Layers(name=name, patterns=(name,)) for name in ("encoder", "coder", "enc*", "decoder")]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        with pytest.raises(AblationError, match=r"cannot be left out together: both leave out '(en)?coder'"):
            checker.check([one[first], one[second]])
    with pytest.raises(AblationError, match=r"both leave out 'encoder\.0'"):
        checker.check([one[1], Layers(name="linear", patterns=("encoder.0",), how="zero")])
    checker.check([one[0], one[3]])  # what they share goes with both
