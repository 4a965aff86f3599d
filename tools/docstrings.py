"""Our docstrings as Markdown, for the reference on the site: an extension of Griffe.

A block of lines `name  what it is`, names in one column and texts in another, becomes a definition list. What Markdown
or HTML would take as markup is escaped, except between backticks. A doctest becomes a block of code.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_COLUMNS = re.compile(r"(\S.*?) {2,}(\S.*)")
_CODE = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"[*_\[\]]")


def to_markdown(docstring: str) -> str:
    """A docstring of ours as Markdown."""
    return "\n\n".join(_block(block.splitlines()) for block in re.split(r"\n\s*\n", docstring.strip("\n")))


def _block(lines: list[str]) -> str:
    if lines[0].startswith(">>>"):
        return "\n".join(["```pycon", *lines, "```"])
    if all(line.startswith("    ") for line in lines):  # an example
        return "\n".join(["```python", *(line[4:] for line in lines), "```"])
    entries: list[tuple[str, list[str]]] = []
    prose: list[str] = []
    for line in lines:
        columns = _COLUMNS.fullmatch(line)
        if columns and not line.startswith(" "):
            entries.append((columns[1], [columns[2]]))
        elif entries and line.startswith(" "):
            entries[-1][1].append(line.strip())
        elif entries:
            break
        else:
            prose.append(line)
    else:
        if not entries:
            return _escaped("\n".join(prose))
        listed = [f"{_names(names)}\n:   {_escaped(' '.join(text))}" for names, text in entries]
        return "\n\n".join(([_escaped("\n".join(prose))] if prose else []) + listed)
    return _escaped("\n".join(lines))


def _names(names: str) -> str:
    return ", ".join(name if "`" in name else f"`{name}`" for name in names.split(", "))


def _escaped(text: str) -> str:
    parts = _CODE.split(text)
    plain = [_MARKUP.sub(r"\\\g<0>", part).replace("<", "&lt;") for part in parts]
    return "".join(part if at % 2 else plain[at] for at, part in enumerate(parts))


class Columns(griffe.Extension):
    """Rewrites each docstring before it is shown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by Griffe for each object."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
