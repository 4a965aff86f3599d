"""What views remember of an experiment."""

from __future__ import annotations

from brain.helpers import Failed, Finished, Joined, Judged, Left, Lost, Promoted, Reported, Started, Suggested
from tracking.helpers import about, records, scene

from maggy.tracking.scene import Scene
from maggy.tracking.terminal import course


def test_what_it_remembers_of_a_long_experiment_is_bounded():
    seen = Scene(about(5000))
    events = [Joined(0)]
    for number in range(5000):
        events += [
            Suggested(ask=number, trial=number),
            Reported(number, 1, 0.1),
            Finished(number, metric=-abs(number - 4000)),
        ]
    for record in records(*events):
        seen.add(record)
    assert {3998, 3999, 4000, 4001, 4999, 4992} <= seen.lines.keys()  # the best and the last
    assert len(seen.lines) == 16
    assert len(seen.dots.kept) <= 800 and seen.dots.kept[0] == (1, -4000)


def test_the_curve_of_a_trial_is_thinned_out_and_goes_on_where_a_second_attempt_began():
    events = [Joined(0), Suggested(ask=0, trial=0)]
    seen = scene(*events, *(Reported(0, step, step / 10) for step in range(1000)), Reported(0, 1000, float("nan")))
    curve = seen.lines[0].curve.kept
    assert len(curve) <= 400 and curve[0] == (0, 0.0) and seen.lines[0].last == (999, 99.9)
    seen = scene(
        *events,
        *(Reported(0, step, 0.5) for step in range(9)),
        Lost(0),
        Joined(1),
        Reported(0, 4, 0.1, attempt=1),
    )
    assert seen.lines[0].curve.kept == [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.5), (4, 0.1)]


def test_a_report_of_an_attempt_that_does_not_count_changes_nothing():
    seen = scene(Joined(0), Suggested(ask=0, trial=0), Lost(0), Joined(1), Reported(0, 0, 9.0), Finished(0, metric=9.0))
    assert seen.lines[0].curve.kept == [] and seen.lines[0].result is None and seen.course == []


def test_the_course_of_the_best_over_the_trials_that_have_ended():
    events = [Joined(0)]
    for number, metric in enumerate([3.0, 5.0, 1.0, 4.0, 0.5]):
        events += [Suggested(ask=number, trial=number), Finished(number, metric=metric)]
    seen = scene(*events, direction="min")
    assert seen.course == [(1, 3.0), (3, 1.0), (5, 0.5)]
    assert course(seen, 24) == [3.0, 3.0, 1.0, 1.0, 0.5]
    assert course(seen, 3) == [3.0, 1.0, 0.5]


def test_what_a_trial_reached_with_each_budget():
    seen = scene(
        Started(0, 2, promotes=True),
        Joined(0),
        Suggested(ask=0, trial=0, budget=1, resumable=True),
        Finished(0, metric=0.1),
        Promoted(ask=1, trial=0, budget=3),
        Finished(0, metric=0.4, attempt=1),
    )
    assert seen.lines[0].rungs == [(1, 0.1), (3, 0.4)] == seen.rungs.kept
    assert seen.course == [(1, 0.1), (1, 0.4)]


def test_what_failed_last_and_what_was_stopped():
    seen = scene(
        Joined(0),
        Joined(1),
        Suggested(ask=0, trial=0),
        Suggested(ask=1, trial=1),
        Failed(0, "Traceback ...\nKeyError: 'x'"),
        Judged(1, step=1, stop=True),
        Left(1, metric=0.2),
    )
    assert seen.failure == "trial 0: KeyError: 'x'"
    assert [line.state for line in seen.lines.values()] == ["failed", "stopped"]


def test_what_trackers_need_afterwards_is_no_part_of_how_long_it_took(monkeypatch):
    now = 100.0
    monkeypatch.setattr("maggy.tracking.scene.time.monotonic", lambda: now)
    seen = Scene(about(3))
    now = 104.0
    for record in records(Joined(0), Suggested(ask=0, trial=0), Finished(0)):
        seen.add(record)
    now = 190.0
    assert seen.took().startswith("4.0 s, ")
