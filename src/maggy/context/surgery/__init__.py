"""Leaving layers out of models: Keras layers by name, PyTorch modules by dotted name."""

from maggy.context.surgery.checker import Checker, check
from maggy.context.surgery.factories import ablated
from maggy.context.surgery.models import apply, matching, names

__all__ = ["Checker", "ablated", "apply", "check", "matching", "names"]
