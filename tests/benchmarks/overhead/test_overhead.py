"""What is made of the figures of the contestants, without measuring any."""

from __future__ import annotations

import pytest

from benchmarks.harness.tables import Table, behind
from benchmarks.overhead import price, work
from benchmarks.overhead.contest import COLUMNS, row
from benchmarks.overhead.contestants import CONTESTANTS, Contestant

OURS = Contestant(
    name="ours", side="ours", group="processes", environment="maggy", module="ours.lagom", variant="local"
)
ANSWER = {
    "import_s": 0.1,
    "start_s": 0.5,
    "warm_start_s": None,
    "noop_per_s": 2000.0,
    "gap_ms": [1.0, 2.0, 3.0],
    "busy_pct": 98.0,
    "spread_wall_s": 4.0,
    "spread_bound_s": 3.0,
    "report_us": None,
    "memory_kib_per_trial": 1.5,
    "memory_mib": 60.0,
    "memory_all_mib": 60.0,
    "versions": {},
    "notes": "",
}


def spans(worker, *times):
    return [{"worker": worker, "start": start, "end": end} for start, end in times]


def test_gaps_are_those_on_one_worker_without_its_first():
    one = spans(1, (0.0, 1.0), (1.5, 2.0), (2.25, 3.0))
    other = spans(2, (0.0, 2.0), (2.5, 3.0))
    assert work.gaps_ms([*other, *reversed(one)]) == [250.0]


def test_two_workers_of_which_one_trains_half_of_the_time_are_three_quarters_busy():
    both = spans(1, (0.0, 4.0)) + spans(2, (1.0, 3.0))
    assert work.busy_pct(both, workers=2) == 75.0
    assert work.wall_s(both) == 4.0


def test_each_trial_goes_to_the_first_worker_that_is_free():
    assert work.list_schedule_s([3.0, 1.0, 1.0, 2.0], workers=2) == 4.0
    assert work.list_schedule_s([3.0, 1.0], workers=1) == 4.0


def test_durations_are_spread_around_their_mean_and_the_same_each_time():
    durations_s = work.log_normal_durations_s(30)
    assert sum(durations_s) == pytest.approx(30 * work.MEAN_S)
    assert max(durations_s) > 3 * work.MEAN_S
    assert work.log_normal_durations_s(30) == durations_s


def test_a_row_has_the_quantiles_of_each_round_and_lacks_what_was_not_measured():
    made = row(OURS, [ANSWER, ANSWER | {"gap_ms": [5.0]}])
    assert made.samples["gap_p50_ms"] == [2.0, 5.0]
    assert made.samples["gap_p99_ms"] == pytest.approx([2.98, 5.0])
    assert made.samples["spread_pct"] == [75.0, 75.0]
    assert made.samples["import_ms"] == [100.0, 100.0]
    assert "report_us" not in made.samples and "warm_start_s" not in made.samples


def test_who_fails_stays_in_the_table_with_the_last_word_of_its_error():
    made = row(OURS, [], "benchmarks.x failed with 1:\n\nTraceback ...\nValueError: no such cluster\n")
    assert made.samples == {} and made.note == "failed: ValueError: no such cluster"


def test_a_peer_that_is_ahead_in_its_group_is_found():
    peer = Contestant(**{**vars(OURS), "name": "theirs", "side": "peer"})
    rows = [row(OURS, [ANSWER]), row(peer, [ANSWER | {"memory_mib": 50.0}])]
    table = Table(name="overhead", title="", text="", columns=COLUMNS, rows=rows)
    assert behind(table) == ["Memory: theirs is ahead of ours"]


def test_contestants_have_names_of_their_own_and_peers_someone_of_ours_beside_them():
    names = [contestant.name for contestant in CONTESTANTS]
    assert len(set(names)) == len(names)
    ours = {contestant.group for contestant in CONTESTANTS if contestant.side == "ours"}
    assert ours == {contestant.group for contestant in CONTESTANTS}


def test_the_price_of_a_part_is_told_where_it_is_paid():
    rounds = {"inline": [{"zeromq": 0.0}, {"zeromq": 0.01}], "local": [{"zeromq": 30.0}, {"zeromq": 40.0}]}
    assert price.row("zeromq", rounds).samples == {"local": [30.0, 40.0]}


def test_a_whole_trial_takes_what_the_rate_of_trials_that_take_no_time_says():
    pool = Contestant(**{**vars(OURS), "name": "process pool", "side": "aside"})
    beside = Table(name="overhead", title="", text="", columns=COLUMNS, rows=[row(pool, [ANSWER])])
    assert price.whole(beside)[0].samples == {"local": [500.0]}
