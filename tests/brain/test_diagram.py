"""The diagram in the documentation is the table in the code."""

import pytest

from maggy.brain.diagram import embed, main, mermaid
from maggy.brain.transitions import TRANSITIONS, Cause
from maggy.trial import TrialState

PAGE = "# Trials\n\n<!-- diagram: trial -->\noutdated\n<!-- end diagram -->\n\nMore.\n"


def test_the_diagram_has_every_state_and_every_way_between_two():
    lines = mermaid().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> pending: suggested"]
    assert "    pending --> running: handed to a worker" in lines
    assert "    stopping --> stopped: function left at a broadcast, worker or driver lost after a report" in lines
    for state in TrialState:
        assert any(line.startswith(f"    {state} --> ") for line in lines)
    ways = {(before, after) for (before, _), after in TRANSITIONS.items()}
    assert len(lines) == 2 + len(ways) + 4  # and the four ends


def test_only_a_promotion_leads_out_of_a_final_state_and_each_can_be_reached():
    assert [(before, cause) for before, cause in TRANSITIONS if before.final] == [(TrialState.FINISHED, Cause.PROMOTED)]
    assert {state for state in TrialState if state.final} <= set(TRANSITIONS.values())


def test_a_page_keeps_everything_around_its_diagram_and_renewing_it_twice_changes_nothing_more():
    once = embed(PAGE)
    assert once.startswith("# Trials\n\n<!-- diagram: trial -->\n```mermaid\nstateDiagram-v2\n")
    assert once.endswith("```\n<!-- end diagram -->\n\nMore.\n")
    assert mermaid() in once
    assert "outdated" not in once
    assert embed(once) == once


@pytest.mark.parametrize("page", ["# Trials\n", PAGE + PAGE])
def test_a_page_without_one_place_for_the_diagram_is_an_error(page):
    with pytest.raises(ValueError, match="needs one '<!-- diagram: trial -->'"):
        embed(page)


def test_the_command_prints_checks_and_renews(tmp_path, capsys):
    page = tmp_path / "architecture.md"
    page.write_text(PAGE)
    assert main([]) == 0
    assert capsys.readouterr().out == mermaid() + "\n"

    assert main(["--check", str(page)]) == 1
    assert capsys.readouterr().out.endswith(f"run: python -m maggy.brain.diagram --write {page}\n")
    assert main(["--write", str(page)]) == 0
    assert main(["--check", str(page)]) == 0
    assert page.read_text() == embed(PAGE)
