"""What a table says of who is ahead, and that nothing unflattering is left out."""

from __future__ import annotations

import pytest

from benchmarks.harness.markdown import number, table_in_markdown, targets_in_markdown, unflattering
from benchmarks.harness.tables import Column, Row, Table, Target, behind

COLUMNS = [
    Column(key="rate", title="trials", unit="1/s", better="more"),
    Column(key="gap", title="gap", unit="ms", better="less"),
]


def of(*rows: Row, targets: tuple[Target, ...] = ()) -> Table:
    return Table(name="t", title="Overhead", text="", columns=COLUMNS, rows=rows, targets=targets)


OURS = Row(name="ours", side="ours", group="Spark", samples={"rate": [10.0, 30.0, 20.0], "gap": [2.0]})
PEER = Row(name="peer", side="peer", group="Spark", samples={"rate": [25.0]}, note="reports nothing")
POOL = Row(name="pool", side="aside", group="Spark", samples={"rate": [99.0], "gap": [0.1]})
ELSEWHERE = Row(name="elsewhere", side="peer", group="Ray", samples={"rate": [99.0], "gap": [0.1]})


def test_a_peer_of_the_same_group_that_is_ahead_is_named_and_who_is_aside_is_not():
    assert behind(of(OURS, PEER, POOL, ELSEWHERE)) == ["trials: peer is ahead of ours"]


def test_of_several_of_ours_the_best_counts_and_a_draw_is_nobody_ahead():
    better = Row(name="ours too", side="ours", group="Spark", samples={"rate": [25.0]})
    assert behind(of(OURS, better, PEER)) == []


def test_where_ours_has_failed_and_a_peer_has_not_the_peer_is_named():
    broken = Row(name="ours", side="ours", group="Spark", samples={}, note="failed: no Java")
    assert behind(of(broken, PEER, POOL, ELSEWHERE)) == ["trials: peer has a figure, ours has none"]


def test_of_equals_all_are_bold_and_who_is_aside_is_not():
    peer = Row(name="peer", side="peer", group="Spark", samples={"gap": [2.0000001]})
    pool = Row(name="pool", side="aside", group="Spark", samples={"gap": [2.0]})
    assert table_in_markdown(of(OURS, peer, pool)).splitlines()[3:6] == [
        "| **ours** | 20 (10 to 30) | **2** |",
        "| peer | - | **2** |",
        "| pool † | - | 2 |",
    ]


def test_a_table_shows_medians_with_their_range_and_why_a_figure_is_missing():
    assert table_in_markdown(of(OURS, PEER, POOL)).splitlines() == [
        "| | trials, 1/s | gap, ms |",
        "|---|---:|---:|",
        "| *Spark* | | |",
        "| **ours** | 20 (10 to 30) | 2 |",
        "| peer (1) | **25** | - |",
        "| pool † | 99 | 0.1 |",
        "",
        "- †. Not compared with: it keeps nothing and survives nothing.",
        "- 1. peer: reports nothing",
    ]


def test_a_missed_target_is_unflattering_and_a_met_one_is_not():
    missed = Target(text="p99", value=3.21, unit="ms", at_most=2)
    met = Target(text="rate", value=20_000.0, unit="1/s", at_least=20_000)
    assert unflattering([of(OURS, targets=(missed, met))]) == ["Overhead: p99: 3.21 ms"]
    assert targets_in_markdown([missed, met]).splitlines()[2:] == [
        "| p99 | at most 2 ms | 3.21 ms | **missed** |",
        "| rate | at least 20,000 1/s | 20,000 1/s | met |",
    ]


@pytest.mark.parametrize(("value", "shown"), [(12345.6, "12,346"), (3.0, "3"), (1.2345, "1.23"), (0.00012, "1.2e-04")])
def test_numbers_have_three_digits_that_matter(value, shown):
    assert number(value) == shown
