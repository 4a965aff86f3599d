"""The tables of what a trial costs beside its training."""

from __future__ import annotations

from benchmarks.harness.settings import Settings
from benchmarks.harness.tables import Table
from benchmarks.overhead.contest import overhead
from benchmarks.overhead.models import models
from benchmarks.overhead.price import price


def measure(settings: Settings) -> list[Table]:
    """All contestants beside each other; then ours alone, in parts, and with models."""
    beside = overhead(settings)
    return [beside, price(settings, beside), models(settings)]
