"""The driver: the loop that runs an experiment, what decides in it, and the advisor that asks its policies."""

from maggy.driver.advisor import Advisor
from maggy.driver.ahead import AheadDraws
from maggy.driver.decider import Decider
from maggy.driver.janitor import Janitor
from maggy.driver.keeper import Keeper
from maggy.driver.logs import Logs
from maggy.driver.loop import Driver
from maggy.driver.replay import Replay, replay

__all__ = ["Advisor", "AheadDraws", "Decider", "Driver", "Janitor", "Keeper", "Logs", "Replay", "replay"]
