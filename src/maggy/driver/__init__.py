"""The driver: the loop that runs an experiment, and the advisor that asks its policies."""

from maggy.driver.advisor import Advisor
from maggy.driver.janitor import Janitor
from maggy.driver.keeper import Keeper
from maggy.driver.logs import Logs
from maggy.driver.loop import Driver

__all__ = ["Advisor", "Driver", "Janitor", "Keeper", "Logs"]
