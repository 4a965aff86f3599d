"""Whether two experiments had the same data, told by a hash that is quick to take."""

from __future__ import annotations

import hashlib
from typing import Any

from maggy.context.data.form import MANIFEST
from maggy.context.data.handles import Handle
from maggy.context.data.kinds import is_container

_SAMPLE_BYTES = 1 << 20  # of a larger file, so much of its beginning and of its end
_BUDGET_BYTES = 64 << 20  # of all files of one argument


def fingerprint(value: Any) -> Any:
    """What can be told of data of a config, as JSON values; None of what is no data, or is made by a function.

    Of files: how many, their bytes, and a hash of their sizes and their content, wherever they lie and whatever they
    are called. Of large files it takes the first and last MiB, and after 64 MiB, or on a store, only the sizes: `of`
    says which. Containers have one for each thing in them.
    """
    if isinstance(value, Handle):
        try:
            return _of_files(value.url)
        except Exception as error:  # each file system has errors of its own; nothing depends on this
            return {"error": f"{type(error).__name__}: {error}"}
    if is_container(value):
        items = value if isinstance(value, dict) else {str(at): item for at, item in enumerate(value)}
        told = {str(name): fingerprint(item) for name, item in items.items()}
        return told if any(each is not None for each in told.values()) else None
    return None


def _of_files(url: str) -> dict[str, Any]:
    import fsspec

    fs, root = fsspec.core.url_to_fs(url)
    found = fs.find(root, detail=True)
    sizes = {
        path: int(about["size"] or 0)
        for path, about in found.items()
        if not path.rpartition("/")[2].startswith((".", MANIFEST))
    }
    left = _BUDGET_BYTES if "://" not in url else 0
    parts, of = [], "content"
    for path, size in sorted(sizes.items(), key=lambda pair: (pair[1], pair[0])):
        content = b""
        if size <= min(left, 2 * _SAMPLE_BYTES):
            content = fs.cat_file(path)
        elif left >= 2 * _SAMPLE_BYTES:
            of = "samples" if of == "content" else of
            content = fs.cat_file(path, end=_SAMPLE_BYTES) + fs.cat_file(path, start=size - _SAMPLE_BYTES)
        else:
            of = "sizes"
        left -= len(content)
        parts.append(f"{size} {hashlib.sha256(content).hexdigest()}")
    digest = hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
    return {"files": len(sizes), "bytes": sum(sizes.values()), "sha256": digest[:16], "of": of}
