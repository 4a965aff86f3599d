"""The benchmark beside Fugue-Tune: what it makes of its runs."""

from benchmarks.tuning.__main__ import Run, compared, table
from benchmarks.tuning.problem import KEY, ROWS, SHIFTS, digest, frame, gap


def run(seconds):
    return Run(seconds=seconds, first_s=1.0, candidates=1000, best="same", load=0.5)


def test_ratios_are_taken_within_a_round():
    rounds = [{"ours": run(1.0), "theirs": run(12.0)}, {"ours": run(4.0), "theirs": run(44.0)}]
    rounds.append({"ours": run(1.0), "theirs": run(9.0)})
    found = compared("spark", 100, rounds)
    assert found["times_as_fast"] == 11.0 and found["met"] is True  # of 12, 11 and 9
    assert found["ms_for_a_candidate"] == {"ours": [1.0, 4.0, 1.0], "theirs": [12.0, 44.0, 9.0]}
    assert table([found]).splitlines()[2].endswith("| 11 | 10: met |")


def test_an_engine_without_a_target_meets_none():
    found = compared("native", 100, [{"ours": run(1.0), "theirs": run(2.0)}])
    assert found["met"] is None and table([found]).splitlines()[2].endswith("| 2 | - |")


def test_every_partition_has_a_best_shift_of_its_own():
    rows = frame(30)
    assert len(rows) == 30 * ROWS and rows.equals(frame(30))
    best = {key: min(SHIFTS, key=lambda shift: gap(shift, part)) for key, part in rows.groupby(KEY)}
    assert len(set(best.values())) > 5
    assert digest(best.items()) == digest(reversed(best.items())) != digest([*best.items()][1:])
