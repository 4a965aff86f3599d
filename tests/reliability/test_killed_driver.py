"""The driver is killed with -9 at points swept over its journal, and resumed: the result is that of one that lived."""

from __future__ import annotations

import random

import pytest
from reliability.killed_driver import Hill, config, drive

from maggy.brain.events import DriverStarted, MetricsReported, TrialFinished
from maggy.journal import ExperimentFolder, read

POINTS, SOAK_POINTS = 20, 200
SEED = 11


def journal_bytes(folder):
    return sum(path.stat().st_size for path in folder.glob("journal/*.jsonl"))


def sweep(tmp_path, settings, engine, points):
    """Kill at so many points, evenly over the journal's bytes, so in the middle of records and turns too."""
    expected, differences = drive(tmp_path / "undisturbed", settings(), engine=engine)
    assert differences == []
    size = journal_bytes(tmp_path / "undisturbed")
    for number in range(points):
        folder, kill_after = tmp_path / str(number), 1 + size * number // points
        where = f"killed after byte {kill_after} of {size}"
        first = drive(folder, settings(), engine=engine, kill_after=kill_after)
        if first is not None:  # this one's journal was a little shorter
            assert first == (expected, []), where
            continue
        with_program = settings() if number % 2 else None
        assert drive(folder, with_program, engine=engine, resume=True) == (expected, []), where
    return size


SWEEPS = {
    "every suggestion depends on all before": lambda: config(Hill(), 12, es_policy="none"),
    "random search": lambda: config("randomsearch", 12, es_policy="none"),
}


@pytest.mark.parametrize("what", SWEEPS)
def test_a_driver_that_is_killed_anywhere_in_its_journal_ends_as_if_nothing_had_happened(what, tmp_path):
    sweep(tmp_path, SWEEPS[what], "inline", POINTS)


def test_so_does_one_with_several_workers_that_die_with_it(tmp_path):
    settings = lambda: config("randomsearch", 8, es_policy="none", num_workers=2)  # noqa: E731
    sweep(tmp_path, settings, "local", 4)


def test_what_has_finished_on_several_workers_together_does_not_run_again(tmp_path):
    gangs = {"workers_per_trial": 2, "num_workers": 4, "distributed": "plain"}
    settings = lambda: config("randomsearch", 8, es_policy="none", **gangs)  # noqa: E731
    expected = drive(tmp_path / "undisturbed", settings(), engine="local")
    kill_after = journal_bytes(tmp_path / "undisturbed") * 2 // 3
    assert drive(tmp_path / "killed", settings(), engine="local", kill_after=kill_after) is None
    assert drive(tmp_path / "killed", None, engine="local", resume=True) == expected

    events = [record.event for record in read(ExperimentFolder.open(tmp_path / "killed"))]
    began, resumed = (number for number, event in enumerate(events) if isinstance(event, DriverStarted))
    finished = {event.trial for event in events[began:resumed] if isinstance(event, TrialFinished)}
    seen_again = {event.trial for event in events[resumed:] if isinstance(event, MetricsReported | TrialFinished)}
    assert finished and seen_again
    assert finished.isdisjoint(seen_again)


def test_a_driver_may_be_killed_again_while_it_resumes(tmp_path):
    settings = SWEEPS["every suggestion depends on all before"]
    expected = drive(tmp_path / "undisturbed", settings())
    chance, kills = random.Random(SEED), 0
    folder = tmp_path / "killed"
    answer = drive(folder, settings(), kill_after=400)
    while answer is None:
        kills += 1
        answer = drive(folder, None, resume=True, kill_after=chance.randrange(200, 1200))
    assert kills > 5
    assert answer == expected


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", SWEEPS)
def test_two_hundred_points(what, tmp_path, capsys):
    size = sweep(tmp_path, SWEEPS[what], "inline", SOAK_POINTS)
    with capsys.disabled():
        print(f"\ndriver killed at {SOAK_POINTS} points of {size} bytes ({what}): every result as undisturbed")
