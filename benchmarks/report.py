"""The table, and the JSON file with everything that is needed to judge it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Figure

PACKAGES = ("maggy", "pyzmq", "msgspec", "cloudpickle", "numpy", "rich", "pyspark", "torch")


def table(figures: Iterable[Figure]) -> str:
    head = ("name", "ours", "reference", "ratio", "target", "met")
    rows = [head, *(row(figure) for figure in figures)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in rows)


def row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        f"{spread(figure.ours)} {figure.unit}",
        f"{spread(figure.reference)} {figure.beside}" if figure.reference else "-",
        "-" if figure.ratio is None else f"{figure.ratio:.3g}x",
        ", ".join(map(str, figure.targets)) or "-",
        {True: "yes", False: "NO", None: "-"}[figure.met],
    )


def spread(values: Iterable[float]) -> str:
    """Median, least and most over the rounds."""
    values = list(values)
    return f"{short(median(values))} ({short(min(values))}-{short(max(values))})"


def short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def document(figures: Iterable[Figure], facts: dict[str, Any]) -> dict[str, Any]:
    return {
        **facts,
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "ours": median(figure.ours),
                "ours_by_round": list(figure.ours),
                "beside": figure.beside or None,
                "reference": median(figure.reference) if figure.reference else None,
                "reference_by_round": list(figure.reference),
                "ratio": figure.ratio,
                "targets": [f"{target.of} {target}" for target in figure.targets],
                "met": figure.met,
            }
            for figure in figures
        ],
    }


def facts() -> dict[str, Any]:
    """The machine, the versions, the commit and the date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain")),
        "machine": {
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "system": platform.platform(),
            "load_before": os.getloadavg(),
        },
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in PACKAGES},
    }


def save(figures: Iterable[Figure], known: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(figures, known), indent=2) + "\n")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git(*arguments: str) -> str | None:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
