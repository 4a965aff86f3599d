"""Contract suites: what every optimizer, every early-stopping rule and every engine must do, ours and yours.

Subclass a suite in a test module and pytest collects its tests:

    class TestMyOptimizer(OptimizerContract):
        def make(self):
            return MyOptimizer(seed=1)
"""

from maggy.testing.engines import EngineContract, WorkersContract
from maggy.testing.optimizers import OptimizerContract, play
from maggy.testing.rules import RuleContract, watch
from maggy.testing.stage import Stage

__all__ = ["EngineContract", "OptimizerContract", "RuleContract", "Stage", "WorkersContract", "play", "watch"]
