"""The event log of an experiment, and the folder that holds it."""

from maggy.journal.folder import ExperimentFolder
from maggy.journal.follower import Follower, Voided
from maggy.journal.reader import read
from maggy.journal.record import Record
from maggy.journal.writer import JournalWriter

__all__ = ["ExperimentFolder", "Follower", "JournalWriter", "Record", "Voided", "read"]
