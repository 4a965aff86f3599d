"""`tf.data.Dataset`, in TensorFlow's own format, which is a folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from maggy.context.data.form import Output, open_at, path_at
from maggy.context.data.kinds import is_tf_dataset
from maggy.errors import ConfigError

_FOLDER, _NAMES = "elements", "elements.txt"


class TfDataset:
    """A finite `tf.data.Dataset`, element by element."""

    def takes(self, value: Any) -> bool:
        return is_tf_dataset(value)

    def write(self, value: Any, output: Output) -> bool:
        import tensorflow as tf

        if value.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ConfigError(
                "a tf.data.Dataset without an end cannot be written. Leave .repeat() to the training function, or "
                "give a factory: a function that makes the dataset"
            )
        with tempfile.TemporaryDirectory(prefix="maggy-data-") as scratch:
            value.save(scratch)
            names = [path.relative_to(scratch).as_posix() for path in Path(scratch).rglob("*") if path.is_file()]
            for name in names:
                with output.create(f"{_FOLDER}/{name}") as file, Path(scratch, name).open("rb") as source:
                    shutil.copyfileobj(source, file)
            with output.create(_NAMES) as file:
                file.write("\n".join(names).encode())
        return True

    def read(self, url: str) -> Any:
        import tensorflow as tf

        path = path_at(url, _FOLDER)
        return tf.data.Dataset.load(str(_fetched(url) if path is None else path))


@lru_cache
def _fetched(url: str) -> Path:
    """A copy on this machine, which lives as long as this process: elements are read when they are needed."""
    scratch = Path(tempfile.mkdtemp(prefix="maggy-data-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    with open_at(url, _NAMES) as file:
        names = file.read().decode().splitlines()
    for name in names:
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_at(url, f"{_FOLDER}/{name}") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return scratch
