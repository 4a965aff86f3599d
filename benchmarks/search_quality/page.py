"""`python -m benchmarks.search_quality.page`: put the newest table and plots into docs/search-quality.md.

A table stands between `<!-- NAME -->` and `<!-- end -->`, where NAME.md is a file in `results/`.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS, PAGE, FIGURES = ROOT / "benchmarks/results", ROOT / "docs/search-quality.md", ROOT / "docs/figures"
BLOCK = re.compile(r"<!-- (?P<name>[a-z_]+) -->\n.*?<!-- end -->", re.DOTALL)


def main() -> int:
    FIGURES.mkdir(exist_ok=True)
    for figure in RESULTS.glob("search_quality*.png"):
        shutil.copy(figure, FIGURES)
    PAGE.write_text(BLOCK.sub(embedded, PAGE.read_text()))
    return 0


def embedded(block: re.Match[str]) -> str:
    table = RESULTS / f"{block['name']}.md"
    text = table.read_text().replace("\n### ", "\n#### ").strip() if table.exists() else "Not run yet."
    return f"<!-- {block['name']} -->\n{text}\n<!-- end -->"


if __name__ == "__main__":
    sys.exit(main())
