"""Contract suites: what every optimizer and every early-stopping rule must do, ours and yours.

Subclass a suite in a test module and pytest collects its tests:

    class TestMyOptimizer(OptimizerContract):
        def make(self):
            return MyOptimizer(seed=1)
"""

from maggy.testing.optimizers import OptimizerContract, play
from maggy.testing.rules import RuleContract, watch
from maggy.testing.stage import Stage

__all__ = ["OptimizerContract", "RuleContract", "Stage", "play", "watch"]
