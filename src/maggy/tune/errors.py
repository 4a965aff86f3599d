"""Errors of Fugue-Tune, under their names there."""

from __future__ import annotations

from maggy.errors import ConfigError, ExperimentFailedError

TuneCompileError = ConfigError
"""Something cannot work, and is said before anything starts."""

TuneRuntimeError = ExperimentFailedError
"""The first few trials have all failed in the same way, or none has come to a result."""


class TuneInterrupted(BaseException):
    """Raised inside an objective whose partition has been searched enough while it ran."""
