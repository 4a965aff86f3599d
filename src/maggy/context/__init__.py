"""Binding a training function to its arguments, and taking both to where it runs."""

from maggy.context.binding import check, meanings, takes
from maggy.context.data import ParquetFolder, is_spark_table, materialise
from maggy.context.probe import Probe
from maggy.context.recipe import Recipe, pack_recipe, unpack_recipe
from maggy.context.sources import sources
from maggy.context.task import LARGE_BYTES, Task, dumps, largest, pack, unpack

__all__ = [
    "LARGE_BYTES",
    "ParquetFolder",
    "Probe",
    "Recipe",
    "Task",
    "check",
    "dumps",
    "is_spark_table",
    "largest",
    "materialise",
    "meanings",
    "pack",
    "pack_recipe",
    "sources",
    "takes",
    "unpack",
    "unpack_recipe",
]
