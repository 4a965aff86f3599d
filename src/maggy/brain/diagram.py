"""The diagram of `transitions.TRANSITIONS` for the documentation.

python -m maggy.brain.diagram           prints it
python -m maggy.brain.diagram --check docs/architecture.md
python -m maggy.brain.diagram --write docs/architecture.md
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from maggy.brain.transitions import PENDING, TRANSITIONS

_BLOCK = re.compile(r"(<!-- diagram: trial -->\n).*?(<!-- end diagram -->)", re.DOTALL)


def mermaid() -> str:
    """The table as a Mermaid state diagram, one arrow for each pair of states."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, cause), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(cause)
    lines = ["stateDiagram-v2", f"    [*] --> {PENDING}: suggested"]
    lines += [f"    {before} --> {after}: {', '.join(causes)}" for (before, after), causes in arrows.items()]
    lines += [f"    {state} --> [*]" for state in dict.fromkeys(TRANSITIONS.values()) if state.final]
    return "\n".join(lines)


def embed(page: str) -> str:
    """The page with its diagram renewed.

    Raises ValueError if the page has no place for it.
    """
    block = f"```mermaid\n{mermaid()}\n```\n"
    renewed, count = _BLOCK.subn(lambda match: match[1] + block + match[2], page)
    if count != 1:
        raise ValueError("the page needs one '<!-- diagram: trial -->' ... '<!-- end diagram -->' block")
    return renewed


def main(arguments: list[str]) -> int:
    """Print, check or renew the diagram; returns the exit code."""
    parser = argparse.ArgumentParser(description="The life of a trial as a Mermaid diagram.")
    parser.add_argument("--check", type=Path, metavar="PAGE", help="fail if the page's diagram is not current")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="renew the page's diagram")
    options = parser.parse_args(arguments)
    if page := options.check or options.write:
        old = page.read_text()
        new = embed(old)
        if options.write:
            page.write_text(new)
        elif new != old:
            print(f"{page}: the diagram is not current; run: python -m maggy.brain.diagram --write {page}")
            return 1
    else:
        print(mermaid())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
