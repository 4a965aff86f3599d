"""The state machine: events, commands, transitions. Knows no clock, no network and no policy."""

from maggy.brain.machine import Brain
from maggy.brain.state import Rules

__all__ = ["Brain", "Rules"]
