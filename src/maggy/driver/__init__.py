"""The driver: the loop that runs an experiment, and the advisor that asks its policies."""

from maggy.driver.advisor import Advisor
from maggy.driver.logs import Logs
from maggy.driver.loop import Driver

__all__ = ["Advisor", "Driver", "Logs"]
