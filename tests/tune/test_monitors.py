"""Monitors: what charts know, and what is drawn where."""

from __future__ import annotations

import io
import math
import os
import pty
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import nbclient
import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tune.objectives import Descent

from maggy.errors import ConfigError, UnknownNameError
from maggy.tracking.words import spark
from maggy.tune import (
    Grid,
    Monitor,
    NotebookSimpleHist,
    NotebookSimpleRungs,
    NotebookSimpleTimeSeries,
    PrintBest,
    Space,
    Trial,
    TrialDecision,
    TrialReport,
    noniterative_objective,
    suggest_by_continuous_asha,
    suggest_by_hyperband,
    suggest_by_sha,
    suggest_for_noniterative_objective,
)
from maggy.tune.monitors import to_monitors
from maggy.tune.monitors.seen import Bests, Ladder
from maggy.tune.monitors.strip import Scale, Strip, bar

EIGHT = Space(a=Grid(*range(8)))
HALVING = [(1, 4), (2, 2), (4, 1), (8, 1)]
ALL_CHARTS = [NotebookSimpleRungs, NotebookSimpleHist, NotebookSimpleTimeSeries]
TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def drawn(chart, width=100):
    console = Console(width=width, file=io.StringIO(), force_jupyter=False)
    console.print(chart.text())
    return console.file.getvalue()


def report(trial_id, metric, rung=0, keys=()):
    return TrialReport(Trial(trial_id, {"a": 1}, keys=list(keys)), metric, rung=rung)


class Seeing(Monitor):
    """Keeps all that it is told."""

    def __init__(self):
        self.told = []

    def initialize(self):
        self.told.append("initialize")

    def on_get_budget(self, trial, rung, budget):
        self.told.append(("budget", trial.params["a"], rung, budget))

    def on_report(self, report):
        self.told.append(("report", report.trial.params["a"], report.rung))

    def on_judge(self, decision):
        self.told.append(("judge", decision.trial.params["a"], decision.report.rung, decision.budget, decision.reason))

    def finalize(self):
        self.told.append("finalize")


# --- what they know


def test_a_candidate_that_runs_a_rung_again_counts_once():
    ladder = Ladder()
    ladder.reports((), 0, "a", 3.0)
    ladder.reports((), 0, "a", 2.0)
    (rung,) = ladder.rungs([()])
    assert (rung.began, rung.values) == (1, {"a": 2.0})


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.floats()), max_size=40))
def test_a_rung_has_the_newest_value_of_each_candidate_and_its_best_is_a_number_if_any_is(reports):
    ladder = Ladder()
    for trial, rung, value in reports:
        ladder.reports(("k",), rung, str(trial), value)
    for rung in ladder.rungs([("k",)]):
        newest = {str(trial): value for trial, number, value in reports if number == rung.number}
        assert rung.values.keys() == newest.keys() and rung.began == len(newest)
        finite = [value for value in newest.values() if math.isfinite(value)]
        assert rung.best == min(finite) if finite else math.isnan(rung.best)
        assert rung.went_on == {str(trial) for trial, number, _ in reports if number == rung.number + 1}


@given(st.lists(st.floats(), max_size=30))
def test_each_new_best_of_a_partition_is_smaller_than_the_one_before(metrics):
    bests = Bests()
    new = [metric for number, metric in enumerate(metrics) if bests.add(report(str(number), metric))]
    assert all(later < earlier for earlier, later in pairwise(new))
    finite = list(filter(math.isfinite, metrics))
    assert (None if bests.best is None else bests.best.metric) == min(finite, default=None)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50), st.integers(1, 80))
def test_marks_on_a_strip_are_as_many_as_fit_and_the_best_is_the_first(values, width):
    named = {str(number): value for number, value in enumerate(values)}
    cells = list(Strip(named, {str(values.index(min(values)))}, Scale.of(values)).cells(width))
    assert len(cells) == width
    assert cells[0][1] and cells[0][0] != " "  # the best one stands out
    assert 1 <= sum(mark != " " for mark, _ in cells) <= len(values)


def test_one_that_has_diverged_leaves_the_others_apart():
    values = {str(number): float(number) for number in range(19)} | {"diverged": 1e9, "nan": math.nan}
    cells = list(Strip(values, (), Scale.of(values.values())).cells(19))
    assert sum(mark != " " for mark, _ in cells) >= 18


def test_bars_and_sparks_are_as_long_as_they_say():
    assert [len(bar(count, 10, 20)) for count in (0, 1, 5, 10)] == [0, 2, 10, 20]
    assert bar(1, 1000, 20) == "█"
    assert spark([3.0, 2.0, 1.0], 40) == "█▅▁"
    assert len(spark(map(float, range(100)), 40)) == 40


# --- of a study


def test_one_sees_the_candidates_halve():
    rungs = NotebookSimpleRungs()
    suggest_by_sha(Descent(), EIGHT, HALVING, monitor=rungs, verbose=0)
    assert [len(rung.values) for rung in rungs.ladder.rungs([()])] == [8, 4, 2, 1]
    assert rungs.summary().startswith("rungs: 8 > 4 > 2 > 1 candidates; best 0.0666667 in rung 3 (a=3)")
    rows = [line.split()[:3] for line in drawn(rungs).splitlines()[1:]]
    assert rows == [["0", "█" * 16, "8"], ["1", "█" * 8, "4"], ["2", "█" * 4, "2"], ["3", "█" * 2, "1"]]


def test_a_candidate_that_fails_is_missing_where_it_failed():
    class Failing(Descent):
        def copy(self):
            return Failing()

        def run_single_iteration(self):
            if self.current_trial.params["a"] == 3 and self.rung == 1:
                raise ValueError("out of luck")
            return super().run_single_iteration()

    rungs = NotebookSimpleRungs()
    suggest_by_sha(Failing(), EIGHT, HALVING, monitor=rungs, verbose=0)
    assert [(len(rung.values), rung.began) for rung in rungs.ladder.rungs([()])] == [(8, 8), (3, 4), (2, 2), (1, 1)]
    assert "3 of 4" in drawn(rungs)


def test_a_candidate_whose_worker_was_killed_counts_once(tmp_path):
    class Killed(Descent):
        def copy(self):
            return Killed()

        def run_single_iteration(self):
            first = tmp_path / "killed"
            if self.current_trial.params["a"] == 3 and self.rung == 1 and not first.exists():
                first.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().run_single_iteration()

    rungs = NotebookSimpleRungs()
    suggest_by_continuous_asha(
        Killed(),
        Space(a=Grid(2, 3)),
        [(1, 2), (1, 2)],
        monitor=rungs,
        execution_engine="local",
        num_workers=1,
        verbose=0,
    )
    assert (tmp_path / "killed").exists()
    assert [(len(rung.values), rung.began) for rung in rungs.ladder.rungs([()])] == [(2, 2), (2, 2)]


def test_each_partition_has_rows_of_its_own_unless_there_are_many():
    def study(count):
        rungs = NotebookSimpleRungs()
        table = pd.DataFrame({"k": [f"key-{number}" for number in range(count)]})
        suggest_by_sha(
            Descent(), Space(a=Grid(1, 2)), [(1, 1), (1, 1)], table, partition_keys=["k"], monitor=rungs, verbose=0
        )
        return rungs

    few = study(3)
    assert [line.strip() for line in drawn(few).splitlines() if "key" in line] == ["key-0", "key-1", "key-2"]
    assert len(few.figure().data) == 3
    many = study(6)
    assert "6 partitions" in drawn(many)
    assert [line.split()[:3] for line in drawn(many).splitlines()[2:]] == [["0", "█" * 16, "12"], ["1", "█" * 8, "6"]]


def test_charts_of_the_front_door_can_be_had_as_figures_afterwards():
    charts = [kind() for kind in ALL_CHARTS]
    suggest_for_noniterative_objective(lambda a: (a - 3) ** 2, EIGHT, monitor=charts, verbose=0)
    rungs, hist, series = (chart.figure() for chart in charts)
    assert [y for y in rungs.data[0].y if y is not None] == [(a - 3) ** 2 for a in order_of(rungs, 8)]
    assert sorted(hist.data[0].x) == sorted((a - 3) ** 2 for a in range(8))
    assert list(series.data[0].y) == sorted(series.data[0].y, reverse=True) and series.data[0].y[-1] == 0
    assert all(chart.best() == "best 0 (a=3)" for chart in charts)
    assert sum(count for *_, count in charts[1].bins()) == 8


def order_of(figure, count):
    """The candidates in the order in which the figure has them: that of chance."""
    values = [y for y in figure.data[0].y if y is not None]
    assert len(values) == count
    return [next(a for a in range(count) if (a - 3) ** 2 == value) for value in values]


def test_charts_show_what_is_sorted_by():
    chart = NotebookSimpleHist()
    objective = noniterative_objective(min_better=False)(lambda a: a / 8)
    suggest_for_noniterative_objective(objective, EIGHT, monitor=chart, verbose=0)
    assert chart.axis == "sort metric (smaller is better)"
    assert chart.best() == "best -0.875 (a=7)"


@pytest.mark.parametrize("kind", ALL_CHARTS)
def test_what_is_no_number_is_left_out(kind):
    chart = kind()
    chart.initialize()
    for number, metric in enumerate([math.nan, math.inf, 2.0]):
        chart.on_report(report(str(number), metric))
    assert "2" in drawn(chart) and chart.best() == "best 2 (a=1)"
    assert chart.figure().to_json()
    nothing = kind()
    assert nothing.best() == "no metric yet" and drawn(nothing) is not None and nothing.figure().to_json()


@pytest.mark.parametrize("kind", ALL_CHARTS)
def test_names_are_shown_as_they_are(kind):
    chart = kind()
    chart.initialize()
    for key in ("[/odd]", "<b>"):
        chart.on_report(TrialReport(Trial("t", {"[/p]": [1, 2]}, keys=[key]), 1.0))
        chart.refresh()
    assert "[/p]=[1, 2]" in chart.best()
    if kind is not NotebookSimpleHist:
        assert "[/odd]" in drawn(chart)
    assert "<b>" not in chart.figure().layout.title.text


def test_the_rungs_of_hyperband_are_drawn_together():
    rungs = NotebookSimpleRungs()
    plans = [[(1, 4), (1, 2), (2, 1)], [(2, 2), (4, 1)]]
    suggest_by_hyperband(Descent(), Space(a=Grid(*range(12))), plans, monitor=rungs, verbose=0)
    assert [(len(rung.values), rung.began) for rung in rungs.ladder.rungs([()])] == [(12, 12), (6, 6), (2, 2)]


def test_a_chart_can_be_used_for_one_study_after_another():
    chart = NotebookSimpleHist()
    for space in (EIGHT, Space(a=Grid(5, 6))):
        suggest_for_noniterative_objective(lambda a: a, space, monitor=chart, verbose=0)
    assert sorted(chart.figure().data[0].x) == [5, 6]


# --- what monitors are told


def test_a_halving_tells_what_each_rung_adds_and_who_goes_on():
    seeing = Seeing()
    suggest_by_sha(Descent(), Space(a=Grid(3, 4)), [(1, 1), (2, 1)], monitor=seeing, verbose=0)
    assert (seeing.told[0], seeing.told[-1]) == ("initialize", "finalize")
    assert {("budget", 3, 0, 1.0), ("budget", 4, 0, 1.0), ("report", 3, 0), ("report", 4, 0)} <= set(seeing.told)
    judged, budget, last = seeing.told[-4:-1]
    assert judged[:4] == ("judge", 3, 0, 2.0) and judged[4] != ""
    assert (budget, last) == (("budget", 3, 1, 2.0), ("report", 3, 1))


def test_continuous_asha_tells_of_every_decision():
    seeing = Seeing()
    suggest_by_continuous_asha(Descent(), EIGHT, [(1, 1), (2, 1)], monitor=seeing, verbose=0)
    first, *_ = (told[1] for told in seeing.told if told[0] == "budget")
    assert seeing.told[1:6] == [
        ("budget", first, 0, 1),
        ("report", first, 0),
        ("judge", first, 0, 2.0, ""),
        ("report", first, 1),
        ("judge", first, 1, 0.0, "last"),
    ]
    assert not any(told[0] == "budget" for told in seeing.told[6:])  # all rungs are full
    assert TrialDecision(report("t", 1.0), 0, True).should_stop


def test_a_study_that_goes_on_is_seen_from_its_beginning():
    suggest_by_sha(Descent(), EIGHT, HALVING, verbose=0, experiment_dir="study")
    rungs = NotebookSimpleRungs()
    suggest_by_sha(Descent(), EIGHT, HALVING, monitor=rungs, verbose=0, resume="study")
    assert [len(rung.values) for rung in rungs.ladder.rungs([()])] == [8, 4, 2, 1]


def test_a_worse_candidate_is_not_best():
    seeing = Seeing()
    plan = [(1, 1), (1, 1), (1, 2)]  # with room in the last rung, candidates begin
    suggest_by_continuous_asha(Descent(), EIGHT, plan, monitor=seeing, verbose=0)
    assert {told[4] for told in seeing.told if told[0] == "judge"} == {"", "last", "not best"}


def test_a_monitor_that_raises_is_said_once_and_takes_nothing_from_the_study(capsys):
    class Broken(Monitor):
        def on_report(self, report):
            raise ValueError("no paint left")

    seeing = Seeing()
    best = suggest_for_noniterative_objective(lambda a: a, EIGHT, monitor=[Broken(), seeing])
    assert best[0].metric == 0
    assert capsys.readouterr().err.count("no paint left") == 1
    assert sum(told[0] == "report" for told in seeing.told) == 8


# --- where they draw


def test_without_a_terminal_a_chart_is_a_line(capsys):
    suggest_by_sha(Descent(), EIGHT, HALVING, monitor="rungs")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rungs: ")]
    assert lines[-1] == "rungs: 8 > 4 > 2 > 1 candidates; best 0.0666667 in rung 3 (a=3)"
    assert len(lines) == len(set(lines))


def test_each_new_best_is_printed(capsys):
    suggest_for_noniterative_objective(lambda a: -a, Space(a=Grid(1, 2)), monitor="text", verbose=0)
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("[] -2.0 TrialReport(metric=-2") and len(said) in (1, 2)


def test_monitors_have_names():
    assert list(map(type, to_monitors(["rungs", ["hist", "ts"], "text"]))) == [*ALL_CHARTS, PrintBest]
    with pytest.raises(UnknownNameError, match="Did you mean 'rungs'"):
        to_monitors("rung")
    with pytest.raises(ConfigError, match="monitor is 'rungs', 'hist', 'ts', 'text', a Monitor, or several, got 3"):
        to_monitors(3)
    with pytest.raises(ConfigError, match="a time span is"):
        NotebookSimpleTimeSeries(interval="soon")


STUDY = dedent("""
    import sys
    sys.path.insert(0, {tests!r})
    from tune.objectives import Descent
    from maggy.tune import *
    best = suggest_by_sha(Descent(), Space(a=Grid(*range(8))), [(1, 4), (2, 2), (4, 1), (8, 1)], monitor={monitor})
""")


def test_in_a_terminal_the_chart_stands_above_the_progress_and_new_bests_above_both(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(STUDY.format(tests=str(TESTS), monitor=["rungs", "text"]))
    main, terminal = pty.openpty()
    surroundings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "90", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, str(script)], stdin=terminal, stdout=terminal, stderr=terminal, env=surroundings
    )
    os.close(terminal)
    written = b""
    while chunk := _read(main):
        written += chunk
    os.close(main)
    assert process.wait() == 0, written.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()).replace("\r", "\n")
    assert text.index("[] ") < text.rindex("\nrung  candidates")
    lines = text[text.rindex("\nrung  candidates") :].split("\n")
    shown = [line.rstrip() for line in lines if line.strip()]
    assert [re.match(r"(\d)     █+ +(\d)\b", line).groups() for line in shown[1:5]] == [
        *zip("0123", "8421", strict=True)
    ]
    assert shown[5].startswith("tune  ━") and "8 of 8 trials" in shown[5]
    assert "\x1b[1;32m" in written.decode()  # those that went on are green


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes any more
        return b""


@pytest.mark.parametrize("has_plotly", [True, False])
def test_in_a_notebook_one_output_is_drawn_again_and_again(tmp_path, has_plotly):
    hide = "import sys\nsys.modules['plotly'] = None\nsys.modules['plotly.graph_objects'] = None\n"
    code = STUDY.format(tests=str(TESTS), monitor="NotebookSimpleRungs(interval=0.001)")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(("" if has_plotly else hide) + code)],
    )
    sent = []

    class Listening(nbclient.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if "display_id" in msg["content"].get("transient", {}):
                sent.append((msg["msg_type"], msg["content"]["transient"]["display_id"]))
            return super().process_message(msg, cell, cell_index)

    Listening(notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert sent[0][0] == "display_data" and {kind for kind, _ in sent[1:]} == {"update_display_data"}
    assert len({display_id for _, display_id in sent}) == 1
    (output,) = [output for output in notebook.cells[0].outputs if "rung  candidates" in str(output.get("data", ""))]
    assert re.search(r"\n3     ██ +1 +0.06667", output.data["text/plain"])
    assert output.data["text/html"]
    assert ("application/vnd.plotly.v1+json" in output.data) == has_plotly
    if has_plotly:
        figure = output.data["application/vnd.plotly.v1+json"]
        assert sum(y is not None for y in figure["data"][0]["y"]) == 8 + 4 + 2 + 1
