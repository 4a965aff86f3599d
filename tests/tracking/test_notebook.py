"""Progress in a notebook: what the cells of a real kernel put out."""

from __future__ import annotations

import json

import nbclient
import nbformat
import pytest
from brain.helpers import Joined, Reported, Suggested
from tracking.helpers import scene

from maggy.tracking.notebook.state import Tails, state_of

BEGIN = """
import sys
from maggy import Searchspace, lagom
from maggy.brain.events import TrialFinished
from maggy.config import HyperparameterOptConfig
from maggy.tracking.tracker import Tracker

def train(x, reporter):
    for step in range(4):
        reporter.log(f"step {step}")
        reporter.broadcast(x * step, step)
    return x

class Sum(Tracker):
    sum = 0

    def see(self, record):
        if isinstance(record.event, TrialFinished):
            self.sum += 1

    def view(self):
        return f"counted {self.sum}"

def config(name):
    return HyperparameterOptConfig(6, "randomsearch", Searchspace(x=("DOUBLE", [0, 1])), name=name, seed=1)

"""
WITHOUT = """
sys.modules["anywidget"] = None
lagom(train, config("as text"), engine="inline", track=Sum())
del sys.modules["anywidget"]
"""
BACKGROUND = 'run = lagom(train, config("background"), engine="inline", block=False)'

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of a notebook that has been run, its widgets by name, and how often each was updated."""
    sources = [
        BEGIN,
        'result = lagom(train, config("as a widget"), engine="inline", track=Sum())',
        WITHOUT,
        BACKGROUND,
        "run.result()",
        "run",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    updates = []

    class Listening(nbclient.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] == "comm_msg":
                updates.append(msg["content"]["comm_id"])
            return super().process_message(msg, cell, cell_index)

    folder = str(tmp_path_factory.mktemp("notebook"))
    Listening(notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": folder}}).execute()
    kept = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    widgets = {
        model["state"]["state"]["name"]: (name, model["state"])
        for name, model in kept.items()
        if "logs" in model["state"]
    }
    return notebook.cells, widgets, updates


def bundles(cell):
    return [output.data for output in cell.outputs if output.output_type in ("display_data", "execute_result")]


def test_a_widget_is_updated_while_the_cell_waits_and_ends_with_everything(executed):
    cells, widgets, updates = executed
    model, values = widgets["as a widget"]
    view, summary = bundles(cells[1])
    assert view[WIDGET]["model_id"] == model
    assert "needs a front end with widgets" in view["text/plain"]
    state = values["state"]
    assert (state["state"], state["ended"], state["total"], state["parts"]["finished"]) == ("complete", 6, 6, 6)
    assert state["counts"] == "6 of 6 trials, 0 running" and len(state["dots"]) == 6
    assert [len(curve["points"]) for curve in state["curves"]] == [4] * 6
    assert state["above"] == "counted 6\n"
    assert values["logs"]["trial 5"] == [f"step {step}" for step in range(4)]
    assert updates.count(model) >= 1
    assert "export default { render }" in values["_esm"] and "http" not in values["_esm"].replace(
        "http://www.w3.org", ""
    )
    assert summary["text/plain"].startswith("best") and "<pre" in summary["text/html"]


def test_nothing_is_said_on_standard_error(executed):
    cells, _, _ = executed
    assert [output for cell in cells for output in cell.outputs if output.output_type == "stream"] == []


def test_without_anywidget_text_is_drawn_anew_at_one_place(executed):
    cells, _, _ = executed
    text, summary = bundles(cells[2])
    assert text["text/plain"].startswith("counted 6\nas text  ━━━")
    assert "6 of 6 trials, 0 running" in text["text/plain"]
    assert "<pre" in text["text/html"] and WIDGET not in text
    assert "6 finished" in summary["text/plain"]


def test_from_the_background_it_is_shown_below_the_cell_that_began_it_and_the_handle_says_where_it_stands(executed):
    cells, widgets, _ = executed
    model, values = widgets["background"]
    assert bundles(cells[3])[0][WIDGET]["model_id"] == model
    assert values["state"]["state"] == "complete"
    (standing,) = bundles(cells[5])
    assert "<td style='text-align:left'>complete</td>" in standing["text/html"]
    assert "6 of 6 trials, 0 running" in standing["text/html"] and standing["text/plain"].startswith(
        "<Run: complete, 6 of 6"
    )


def test_what_is_sent_to_the_page_is_bounded_whatever_happens(tmp_path):
    events = []
    for number in range(100):
        events += [Joined(number), Suggested(ask=number, trial=number, x="long " * 20)]
        events += [Reported(number, step, 1 / 3) for step in range(500)]
        log = tmp_path / f"trials/{number}/output.log"
        log.parent.mkdir(parents=True)
        log.write_text(f"{'x' * 1000}\n" * 1000)
    seen, tails = scene(*events, trials=100), Tails(tmp_path)
    assert len(json.dumps(state_of(seen, "", ""))) < 100_000
    logs = tails.read(seen)
    assert 0 < len(json.dumps(logs)) < 120_000
    assert all(len(line) <= 300 for lines in logs.values() for line in lines)
    assert tails.read(seen) == logs


def test_a_log_that_grows_is_read_again_and_one_that_nobody_wrote_is_left_out(tmp_path):
    seen, tails = scene(Joined(0), Joined(1), Suggested(ask=0, trial=0), Suggested(ask=1, trial=1)), Tails(tmp_path)
    assert tails.read(seen) == {}
    log = tmp_path / "trials/1/output.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\n")
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers/0.log").write_bytes(b"h\xffllo\n")
    assert tails.read(seen) == {"trial 1": ["one"], "worker 0": ["h\ufffdllo"]}
    log.write_text("one\ntwo\n")
    assert tails.read(seen)["trial 1"] == ["one", "two"]
