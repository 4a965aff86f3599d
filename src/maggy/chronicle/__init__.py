"""What an experiment looks like, as its records tell it: for whoever watches, and for whoever comes later.

The driver decides and writes; everybody else reads. Nothing in here reads a clock, or writes a file that anybody sees.
"""

from maggy.chronicle.about import About
from maggy.chronicle.chronicle import Chronicle, Decision, WorkerStory
from maggy.chronicle.spans import Span
from maggy.chronicle.tally import Best, Tally, TimeLeft

__all__ = ["About", "Best", "Chronicle", "Decision", "Span", "Tally", "TimeLeft", "WorkerStory"]
