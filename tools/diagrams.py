"""The Mermaid diagrams of the documentation as pictures, so that the site asks nobody else for a script.

As a hook of MkDocs it puts, in place of each Mermaid block, the picture whose name carries the block's checksum. From
the command line it draws the pictures that are missing; that takes npm and Chromium, which building the site does not:

python tools/diagrams.py
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
MERMAID = "mermaid@11"

_BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PAGE = """<html><body><pre class="mermaid">{diagram}</pre><script>{script}</script><script>
mermaid.initialize({{startOnLoad: false, theme: "neutral", fontFamily: "sans-serif", htmlLabels: false,
  flowchart: {{htmlLabels: false}}}});
mermaid.run();
</script></body></html>"""


def picture(diagram: str) -> Path:
    """Where the picture of a diagram is, or belongs."""
    return DOCS / "figures" / f"diagram-{sha256(diagram.encode()).hexdigest()[:10]}.svg"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs for each page. The heading above a diagram says what it shows."""

    def pictured(block: re.Match[str]) -> str:
        file = picture(block[1])
        if not file.exists():
            raise SystemExit(f"{page.file.src_uri} has a diagram without a picture. Run: python tools/diagrams.py")
        shows = _HEADING.findall(markdown, 0, block.start())[-1]
        up = "../" * page.file.src_uri.count("/")
        return f"![{shows}]({up}figures/{file.name}){{ .diagram }}"

    return _BLOCK.sub(pictured, markdown)


def draw(diagram: str, mermaid: str) -> str:
    """A diagram as SVG, drawn by Chromium.

    mermaid  the text of mermaid.min.js
    """
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(_PAGE.format(diagram=html.escape(diagram), script=mermaid))
        command = ["chromium", "--headless", "--no-sandbox", "--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
        dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    drawn = re.search(r"<svg id.*?</svg>", dom, re.DOTALL)
    if drawn is None:
        raise SystemExit(f"Mermaid could not draw:\n{diagram}")
    svg = re.sub(r"<br>", "<br/>", drawn[0])
    return svg if "xmlns=" in svg else svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def main() -> None:
    """Draw what is missing, and remove pictures of diagrams that are no more."""
    wanted = {picture(block): block for page in DOCS.rglob("*.md") for block in _BLOCK.findall(page.read_text())}
    for old in set((DOCS / "figures").glob("diagram-*.svg")) - set(wanted):
        old.unlink()
    missing = [file for file in wanted if not file.exists()]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, MERMAID]
        subprocess.run(install, check=True)
        mermaid = (Path(folder) / "node_modules/mermaid/dist/mermaid.min.js").read_text()
    for file in missing:
        file.write_text(draw(wanted[file], mermaid) + "\n")
        print(file)


if __name__ == "__main__":
    sys.exit(main())
