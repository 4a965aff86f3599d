"""Data of a config as handles that are opened where the training runs, so that no rows travel with the function.

`materialise` writes what is not in files yet, on the driver; `resolve` opens it, on a worker, afresh for each trial.
"""

from maggy.context.data.fingerprints import fingerprint
from maggy.context.data.handles import Files, Handle, lies_in, resolve, size_of, within
from maggy.context.data.kinds import is_factory
from maggy.context.data.material import description, materialise

__all__ = [
    "Files",
    "Handle",
    "description",
    "fingerprint",
    "is_factory",
    "lies_in",
    "materialise",
    "resolve",
    "size_of",
    "within",
]
