from __future__ import annotations

import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.overhead import work
from benchmarks.overhead.peers import trials
from benchmarks.overhead.peers.measure import driving, measure, placed
from benchmarks.overhead.peers.trials import claim, note, noted


def loop(objective, number):
    """The simplest tuner of all: one trial after the other, here."""
    for x in work.draws(number):
        objective(x)
    return time.perf_counter()


def reporting(objective, number):
    return loop(partial(objective, report=lambda metric, step: metric), number)


def test_a_tuner_that_only_loops_spends_nearly_all_its_time_in_trials(tmp_path):
    asked = Namespace(noop=20, gap=4, spread=2)
    figures = measure(loop, asked, str(tmp_path), reporting=reporting, judging=reporting, workers=1)
    assert figures["warm_start_s"] > 0
    assert figures["noop_per_s"] > 0
    assert len(figures["gap_ms"]) == 2  # of three gaps the first is left out
    assert 0 < figures["busy_pct"] <= 100
    assert figures["spread_bound_s"] <= figures["spread_wall_s"]
    assert figures["report_us"] > 0
    assert figures["judged_us"] > 0
    assert figures["memory_kib_per_trial"] is None  # twenty trials tell nothing
    assert 0 < figures["memory_mib"] <= figures["memory_all_mib"]


def test_a_process_that_trains_once_is_put_on_the_place_that_was_free_longest():
    spans = [
        {"worker": 11, "start": 0.0, "end": 1.0},
        {"worker": 12, "start": 0.0, "end": 3.0},
        {"worker": 13, "start": 2.0, "end": 5.0},  # on the first place, free since 1
        {"worker": 14, "start": 4.0, "end": 6.0},  # on the second, free since 3
        {"worker": 15, "start": 7.0, "end": 8.0},  # on the first, free since 5
    ]
    assert [span["worker"] for span in placed(spans, 2)] == [0, 1, 0, 1, 0]
    assert work.gaps_ms(placed(spans, 2)) == [2000.0]  # 5 to 7; each place's first is left out


def test_everybody_who_claims_a_place_gets_another(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(claim, [f"{tmp_path}/places"] * 100))
    assert sorted(places) == list(range(100))


def test_a_trial_that_comes_after_the_last_leaves_no_note(tmp_path):
    notes = f"{tmp_path}/notes"
    for _ in range(3):
        trials.spread(0.5, notes, number=1)
    assert len(noted(notes, "start")) == 1


def test_the_driver_notes_what_it_holds_and_others_notes_stay(tmp_path):
    notes = f"{tmp_path}/notes"
    note(notes, begun=1.0)
    with driving(notes):
        held = [bytes(1000) for _ in range(1000)]
    assert held
    [driver] = noted(notes, "grown_mib")
    assert 0 < driver["mib"] <= driver["all_mib"]
    assert noted(notes, "begun") == [{"begun": 1.0}]
