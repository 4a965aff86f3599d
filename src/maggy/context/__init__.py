"""Binding a training function to its arguments, and taking both to where it runs."""

from maggy.context.binding import check
from maggy.context.data import materialise
from maggy.context.probe import Probe
from maggy.context.task import Task, pack, unpack

__all__ = ["Probe", "Task", "check", "materialise", "pack", "unpack"]
