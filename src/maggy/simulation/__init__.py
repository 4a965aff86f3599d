"""Experiments under a virtual clock: the same driver, with workers that only pretend to train."""

from maggy.simulation.curves import LearningCurve
from maggy.simulation.experiment import simulate
from maggy.simulation.fleet import Losses, Stragglers
from maggy.simulation.result import SimulationResult

__all__ = ["LearningCurve", "Losses", "SimulationResult", "Stragglers", "simulate"]
