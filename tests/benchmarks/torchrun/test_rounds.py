"""What the runs of several rounds say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.torchrun.rounds import SIDES, Run, compare, document, play, table

RUN = Run(wall_s=4.0, before_s=2.0, step_ms=2.0, after_s=1.0, loss=0.25)


def rounds(*walls):
    """Rounds in which ours, torchrun and the control took so many seconds."""
    return [{side: replace(RUN, wall_s=wall) for side, wall in zip(SIDES, each, strict=True)} for each in walls]


CONTROL = [(4.0, 3.6), (4.0, 3.8), (4.0, 4.0), (4.0, 4.2), (4.0, 4.4)]  # ratios 0.9 to 1.1, quartiles 0.95 and 1.05


@pytest.mark.parametrize(("ours", "verdict"), [(3.6, "below"), (3.9, "within"), (4.1, "within"), (4.3, "above")])
def test_the_median_of_our_ratios_is_held_against_the_quartiles_of_the_control(ours, verdict):
    assert compare("wall_s", rounds(*((ours, *pair) for pair in CONTROL))).verdict == verdict


def test_a_ratio_is_taken_within_a_round_so_that_a_disturbed_round_says_what_others_do():
    compared = compare("wall_s", rounds((4.2, 4.0, 4.0), (42.0, 40.0, 40.0), (4.2, 4.0, 4.0)))
    assert compared.ours == pytest.approx([1.05] * 3)
    assert compared.control == [1.0] * 3
    assert compared.medians == {"ours": 4.2, "torchrun": 4.0, "control": 4.0}


def test_ours_was_slowest_only_where_both_others_were_faster():
    assert compare("wall_s", rounds((5, 4, 3), (5, 6, 3), (5, 3, 6), (5, 5, 3))).slowest == 1


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=30))
def test_what_takes_as_long_as_torchrun_in_each_round_is_within_any_control_of_the_same_runs(walls):
    compared = compare("wall_s", rounds(*((wall, wall, wall) for wall in walls)))
    assert (compared.verdict, compared.slowest) == ("within", 0)


def test_every_round_runs_all_sides_in_an_order_that_is_drawn():
    orders = []

    def run(side):
        orders.append(side)
        return RUN

    assert [set(each) for each in play(40, 0, run)] == [set(SIDES)] * 40
    drawn = {tuple(orders[start : start + 3]) for start in range(0, 120, 3)}
    assert len(drawn) == 6


def test_sides_that_trained_different_things_are_not_compared():
    with pytest.raises(ValueError, match="trained different things") as raised:
        list(play(1, 0, lambda side: replace(RUN, loss=0.5 if side == "ours" else 0.25)))
    assert "'ours': 0.5" in str(raised.value)


def test_the_table_has_a_line_for_each_quantity_and_the_document_every_run():
    played = rounds(*((3.9, *pair) for pair in CONTROL))
    comparisons = [compare("wall_s", played), compare("step_ms", played)]
    _, _, wall, step = table(comparisons).splitlines()
    cells = [cell.strip() for cell in wall.split("|")[1:-1]]
    ratios = ["0.975 (0.975-0.975)", "1.000 (0.950-1.050)"]
    assert cells == ["whole process, s", "3.9", "4", "4", *ratios, "0 of 5", "within"]
    assert "| training, ms a step | 2 | 2 | 2 |" in step
    told = json.loads(json.dumps(document(played, comparisons)))
    assert told["comparisons"][0]["verdict"] == "within"
    assert [Run(**each["control"]).wall_s for each in told["rounds"]] == [wall for _, wall in CONTROL]
