"""Writing the data of a config to the experiment's folder, once."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import FunctionType
from typing import Any

import msgspec
from msgspec.structs import replace

from maggy.context.data.form import MANIFEST, Manifest, Output, read_manifest
from maggy.context.data.forms import FORMS
from maggy.context.data.handles import Files, Handle, Stored, place
from maggy.context.data.kinds import (
    is_a,
    is_container,
    is_factory,
    is_path,
    is_spark_table,
    is_tf_dataset,
    is_torch_dataset,
    like,
)
from maggy.context.data.outline import outline
from maggy.context.data.paths import files_at
from maggy.context.store import store_at
from maggy.errors import ConfigError, ExperimentDirError, MaggyError

_MANY = 64
"""A container of more things than this is written as one object, unless they are paths."""

_SPARK = "spark"


def materialise(
    name: str,
    value: Any,
    folder_url: str,
    experiment: str = "",
    written: MutableMapping[int, Handle] | None = None,
    *,
    anew: bool = False,
    in_place: bool = False,
) -> Any:
    """A handle for data of a config, which are written to the experiment's folder; a factory and None as they are.

    A list, tuple or dict in which everything is data keeps its kind, and holds a handle for each.

    name        of the argument
    folder_url  path or URL of the experiment's folder
    experiment  its id. What the experiment has written already, before it is resumed, stands; what it has not
                written to the end, and what another one has left, is written again
    written     what other arguments have had written, by the id of the object, so that it is written once
    anew        write what is given in any case: it may have changed
    in_place    leave a Spark DataFrame as it is: the training function runs where its session is

    Call it before workers take the slots of a Spark cluster: Spark could not write a DataFrame afterwards.

    Raises ConfigError if the value cannot travel, ExperimentDirError if the folder cannot be written.
    """
    written = {} if written is None else written
    if value is None or is_factory(value) or (in_place and is_spark_table(value)):
        return value
    if isinstance(value, Handle):
        return _found_again(name, value, folder_url)
    if is_path(value):
        return files_at(name, value)
    if holds_data(value):
        items = value.values() if isinstance(value, dict) else value
        each = [
            materialise(f"{name}-{at}", item, folder_url, experiment, written, anew=anew, in_place=in_place)
            for at, item in enumerate(items)
        ]
        return dict(zip(value, each, strict=True)) if isinstance(value, dict) else like(value, each)
    if id(value) not in written:
        written[id(value)] = _write(name, value, place(folder_url, name), experiment, anew=anew)
    return written[id(value)]


def holds_data(value: Any) -> bool:
    """Whether a container is taken apart: everything in it is data."""
    if not is_container(value):
        return False
    items = list(value.values()) if isinstance(value, dict) else list(value)
    if all(is_path(item) for item in items):
        return bool(items)
    return 0 < len(items) <= _MANY and all(item is None or _is_data(item) for item in items)


def _is_data(value: Any) -> bool:
    return (
        is_path(value)
        or isinstance(value, Handle)
        or is_factory(value)
        or is_spark_table(value)
        or is_tf_dataset(value)
        or is_torch_dataset(value)
        or is_a(value, "pandas", "DataFrame", "Series")
        or is_a(value, "pyarrow", "Table", "Dataset")
        or is_a(value, "numpy", "ndarray")
        or is_a(value, "torch", "Tensor")
        or holds_data(value)
    )


def description(value: Any) -> Any:
    """What experiment.json says of data: a path as it is given; the class and the size of an object; the name of a
    factory. Never what is in it, which may be large or private."""
    if value is None:
        return None
    if is_path(value):
        return os.fspath(value)
    if isinstance(value, Handle):
        return value.origin
    if holds_data(value):
        items = [description(item) for item in (value.values() if isinstance(value, dict) else value)]
        return dict(zip(map(str, value), items, strict=True)) if isinstance(value, dict) else items
    kind = value if isinstance(value, type | FunctionType) else type(value)
    if is_factory(value):
        return f"{kind.__module__}.{kind.__qualname__}"
    known = outline(value)
    counts = {"rows": known.rows, "columns": known.width}
    sizes = " and ".join(f"{count} {what}" for what, count in counts.items() if count is not None)
    what = "a Spark table" if is_spark_table(value) else f"{kind.__module__}.{kind.__qualname__}"
    return f"{what} of {sizes}" if sizes else what


def _write(name: str, value: Any, url: str, experiment: str, *, anew: bool) -> Handle:
    origin = description(value)
    try:
        manifest = read_manifest(url)
        if anew or manifest is None or (manifest.experiment, manifest.origin) != (experiment, origin):
            with _claimed(name, url, ours=manifest is not None):
                about = Manifest(experiment, _SPARK, origin, 0, outline(value))
                write = _write_spark if is_spark_table(value) else _write_object
                manifest = write(name, value, url, about)
    except MaggyError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise ExperimentDirError(
            f"{name}= cannot be written to {url}: {type(error).__name__}: {error}. Make room there, or name another "
            f"place with experiment_dir="
        ) from error
    return _handle(url, manifest)


def _handle(url: str, manifest: Manifest) -> Handle:
    if manifest.kind == _SPARK:
        columns = manifest.outline.columns
        return Files(url, origin=manifest.origin, size_bytes=manifest.size_bytes, written=True, columns=columns)
    return Stored(
        url=url,
        kind=manifest.kind,
        origin=manifest.origin,
        size_bytes=manifest.size_bytes,
        known=manifest.outline,
    )


def _found_again(name: str, handle: Handle, folder_url: str) -> Handle:
    """The handle of an experiment that is resumed, perhaps from a folder that has moved.

    Raises ConfigError if its data are gone.
    """
    found = handle.within(folder_url)
    if found is handle:
        files_at(name, handle.url)  # is an error if they are not there any more
    elif read_manifest(found.url) is None:
        raise ConfigError(
            f"{name}: the data that the experiment was begun with are not in {found.url} any more; give them again: "
            f"lagom(train_fn, config, resume=path)"
        )
    return found


@contextmanager
def _claimed(name: str, url: str, *, ours: bool) -> Iterator[None]:
    """Leave a mark beside a folder while it is written: only what bears one, or is whole, may be replaced."""
    import fsspec

    fs, root = fsspec.core.url_to_fs(url)
    folder, _, own = root.rpartition("/")
    mark = f"{folder}/.{own}.begun"
    fs.invalidate_cache()  # others write here too
    if not ours and not fs.exists(mark) and fs.exists(root) and fs.find(root):
        raise ConfigError(
            f"{name}= would be written to {url}, and files lie there that this experiment has not written. Name "
            f"another folder with experiment_dir="
        )
    fs.makedirs(folder, exist_ok=True)
    fs.pipe_file(mark, b"")
    yield
    fs.rm_file(mark)


def _write_spark(name: str, value: Any, url: str, about: Manifest) -> Manifest:
    import fsspec

    if find_spec("pyarrow") is None:
        raise ConfigError(
            f"handing over the Spark DataFrame {name!r} needs pyarrow: pip install pyarrow, here and on workers"
        )
    try:
        value.write.mode("overwrite").parquet(url if "://" in url else f"file://{url}")
    except Exception as error:
        raise ConfigError(f"the Spark DataFrame {name!r} cannot be written to {url}: {error}") from error
    fs, root = fsspec.core.url_to_fs(url)
    manifest = replace(about, size_bytes=int(fs.du(root)))
    fs.pipe_file(f"{root}/{MANIFEST}", msgspec.json.encode(manifest))
    return manifest


def _write_object(name: str, value: Any, url: str, about: Manifest) -> Manifest:
    store = store_at(url)
    output = Output(store)
    store.remove()  # what was left of an earlier form
    store.begin()
    try:
        kind = next(kind for kind, form in FORMS.items() if form.takes(value) and form.write(value, output))
        manifest = replace(about, kind=kind, size_bytes=output.size_bytes)
        with output.create(MANIFEST) as file:
            file.write(msgspec.json.encode(manifest))
        store.commit()
    except BaseException as error:
        store.abort()
        if isinstance(error, OSError | MaggyError) or not isinstance(error, Exception):
            raise
        raise ConfigError(  # a __reduce__ may raise anything
            f"{name}= is {about.origin}, which cannot be written ({type(error).__name__}: {error}). Give a function "
            f"that makes it, so that every worker makes its own"
        ) from error
    return manifest
