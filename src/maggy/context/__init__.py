"""Binding a training function to its arguments, and taking both to where it runs."""

from maggy.context.binding import Binding, check, takes
from maggy.context.data import description, fingerprint, is_factory, lies_in, materialise, resolve, size_of, within
from maggy.context.probe import Probe
from maggy.context.recipe import Recipe, pack_recipe, unpack_recipe
from maggy.context.sources import sources
from maggy.context.task import LARGE_BYTES, Task, dumps, largest, lend, pack, unpack

__all__ = [
    "LARGE_BYTES",
    "Binding",
    "Probe",
    "Recipe",
    "Task",
    "check",
    "description",
    "dumps",
    "fingerprint",
    "is_factory",
    "largest",
    "lend",
    "lies_in",
    "materialise",
    "pack",
    "pack_recipe",
    "resolve",
    "size_of",
    "sources",
    "takes",
    "unpack",
    "unpack_recipe",
    "within",
]
