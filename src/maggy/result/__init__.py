"""What `lagom` returns, and what a folder says of an experiment that was run before."""

from maggy.result.result import Result

__all__ = ["Result"]
