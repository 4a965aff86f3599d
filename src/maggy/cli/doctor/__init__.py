"""`maggy doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from maggy.cli.command import command

if TYPE_CHECKING:
    from maggy.cli.command import Commands
    from maggy.cli.doctor.finding import Finding


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = command(
        commands,
        "doctor",
        _doctor,
        help="look whether everything works here, and say what to do",
        more="Exit status 1 if something is wrong; a warning is no fault.",
        examples="maggy doctor\nmaggy doctor s3://bucket/experiments\nmaggy doctor --spark",
        path=False,
    )
    parser.add_argument("dir", metavar="DIR", nargs="?", default="maggy-runs", help="where experiments are to be kept")
    parser.add_argument("--spark", action="store_true", help="start Spark, and two workers in it; takes seconds")
    parser.add_argument("--gpus", action="store_true", help="import torch, and ask it for GPUs; takes seconds")


def _doctor(options: argparse.Namespace) -> int:
    from maggy.cli.doctor.finding import Findings
    from maggy.cli.doctor.machine import look_at_cores, look_at_gpus, look_at_ports
    from maggy.cli.doctor.places import look_at_cache, look_at_folder
    from maggy.cli.doctor.software import look_at_maggy, look_at_python, look_at_spark
    from maggy.cli.output import print_json

    findings = Findings(show=(lambda finding: None) if options.json else _show)
    look_at_python(findings)
    look_at_maggy(findings)
    look_at_cores(findings)
    look_at_gpus(findings, load=options.gpus)
    look_at_ports(findings)
    look_at_folder(findings, options.dir)
    look_at_cache(findings)
    look_at_spark(findings, start=options.spark)
    levels = [finding.level for finding in findings.found]
    if options.json:
        print_json(
            {
                "wrong": levels.count("wrong"),
                "warnings": levels.count("warning"),
                "findings": [vars(finding) for finding in findings.found],
            }
        )
    else:
        print(f"\n{_summed_up(levels.count('wrong'), levels.count('warning'))}")
    return 1 if "wrong" in levels else 0


_COLOURS = {"ok": "green", "warning": "yellow", "wrong": "bold red"}


def _show(finding: Finding) -> None:
    """Print a line, in colour where somebody looks."""
    head = f"{finding.what:10} {finding.level:8}"
    lines = [f"{head} {finding.says}", *([f"{'':19} -> {finding.advice}"] if finding.advice else [])]
    if not sys.stdout.isatty():
        print("\n".join(lines), flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    text = Text("\n".join(lines))
    text.stylize(_COLOURS[finding.level], 11, 19)
    Console().print(text, soft_wrap=True)


def _summed_up(wrong: int, warnings: int) -> str:
    if not wrong and not warnings:
        return "everything works"
    counts = [
        f"{number} {what}{'s' * (number > 1 and what != 'wrong')}"
        for number, what in ((wrong, "wrong"), (warnings, "warning"))
        if number
    ]
    return ", ".join(counts)
