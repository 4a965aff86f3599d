"""What users of Fugue-Tune pass as an execution engine, as an engine of Maggy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggy.assembly import find_engine
from maggy.engine.base import Engine

_NAMES = {"native": "inline", "pandas": "inline", "sparksession": "spark", "databricks": "spark"}


def to_engine(
    execution_engine: Any = None,
    execution_engine_conf: Mapping[str, Any] | None = None,
    *,
    df: Any = None,
    distributed: bool | None = None,
) -> Engine:
    """The engine that is meant.

    execution_engine       None for that of the table, else this thread; "native" (this thread), "local" (processes on
                           this machine), "spark", "dask", "ray"; a SparkSession, a Dask client, or an `Engine`
    execution_engine_conf  taken for compatibility: settings belong to the session, the client or the `Engine` itself
    df                     a table; where no engine is said, one of Spark is tuned on Spark
    distributed            False: in this thread, whatever the engine

    Raises UnknownNameError, ConfigError.
    """
    if distributed is False:
        return find_engine("inline")
    if execution_engine is None:
        session = getattr(df, "sparkSession", None)
        return find_engine("inline") if session is None else find_engine(session)
    if isinstance(execution_engine, str):
        return find_engine(_NAMES.get(execution_engine.lower(), execution_engine))
    return find_engine(execution_engine)
