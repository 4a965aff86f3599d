"""A program in a real terminal, and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PROGRAM = dedent("""
    import sys
    from maggy import Searchspace, lagom
    from maggy.config import HyperparameterOptConfig

    def train(x, reporter):
        for step in range(1, 4):
            reporter.broadcast(x * step, step)
        while {waits} and x > 0:
            reporter.broadcast(x, step)
        return x * step

    space = Searchspace(x=("DOUBLE", [0, 1]))
    lagom(train, HyperparameterOptConfig(6, "randomsearch", space, name="a search", num_workers=1))
""")


@pytest.fixture
def program(tmp_path):
    def write(waits=False):
        script = tmp_path / "program.py"
        script.write_text(PROGRAM.format(waits=waits))
        return [sys.executable, "-W", "error", str(script)]

    return write


def in_terminal(command, until=None, **surroundings):
    """What a program writes to a terminal of 60 columns; Ctrl-C is pressed when `until` has been written."""
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "60", "LINES": "20", **surroundings},
        cwd=Path(command[-1]).parent,
    )
    os.close(terminal)
    written = b""
    while chunk := _read(main):
        written += chunk
        if until is not None and re.search(until, written.decode(errors="replace")):
            os.write(main, b"\x03")
            until = None
    os.close(main)
    return process.wait(), written.decode()


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes any more
        return b""


def test_in_a_terminal_without_colours_the_view_gives_way_to_the_summary(program):
    code, written = in_terminal(program(), NO_COLOR="1")
    assert code == 0
    assert "a search" in written and "6 finished" in written
    assert not re.search(r"\x1b\[\d*;?(3|9)\d", written)  # no colours; bold is none
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    end = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written[written.rindex("\x1b[?25h") :])
    labels = [line.split()[0] for line in end.splitlines() if line[:1].isalpha()]
    assert [label for label in labels if label in ("best", "trials", "took", "folder", "next", "a")] == [
        *("best", "trials", "took", "folder", "next")
    ]
    assert "warning" not in written.lower()


def test_ctrl_c_leaves_the_terminal_clean_and_what_has_finished_is_summed_up(program):
    code, written = in_terminal(program(waits=True), until=r"0 of 6 trials, 1 run")
    assert code == 0
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    end = written[written.rindex("\x1b[?25h") :]
    assert "(interrupted)" in end and "Traceback" not in written


def test_a_healthy_run_in_a_pipe_says_where_it_stands_and_nothing_else(program, tmp_path):
    done = subprocess.run(program(), capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == ""
    expected = r"a search: |best |trials |took |folder |next |  +maggy ui |$|trial  metric|\d  "
    assert [line for line in done.stderr.splitlines() if not re.match(expected, line)] == []
    assert done.stderr.isascii() and "\x1b" not in done.stderr
