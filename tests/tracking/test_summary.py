"""What is said at the end."""

import io

import pytest

from maggy.result import Result
from maggy.tracking.summary import saved_s, summary
from maggy.trial import Checkpoint, Objective, Trial, TrialState

FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST


def trial(number, state, metric=None, *, seconds=0.0, error=None):
    return Trial(
        {"lr": 0.1, "layers": number},
        trial_id=number,
        state=state,
        final_metric=metric,
        error=error,
        start=100.0,
        end=100.0 + seconds,
        run_s=seconds,
    )


def search(*trials, interrupted=False):
    return Result.of_search(
        trials, [Objective("Metric", "max")], experiment_dir="/runs/MNIST/1", interrupted=interrupted
    )


def test_a_search():
    result = search(
        trial(0, FINISHED, 0.5, seconds=10),
        trial(1, FINISHED, 0.93216789, seconds=20),
        trial(2, STOPPED, 0.25, seconds=5),
        trial(3, FAILED, error="Traceback ...\nKeyError: 'x'", seconds=1),
        trial(4, LOST, error="its process was ended by SIGKILL", seconds=4),
    )
    assert str(summary(result, "23 s, 2 workers, 91% busy")).splitlines() == [
        "best      0.932168 in trial 1: lr=0.1 layers=1",
        "trials    2 finished, 1 stopped early, 1 failed, 1 lost with their workers",
        # the median of 10 and 20 less 5, of that and the 40 s that were spent
        "saved     about 10 s of training by stopping early (20% of what all trials would have taken)",
        "failed    trial 3: KeyError: 'x'",
        "failed    trial 4: its process was ended by SIGKILL",
        "took      23 s, 2 workers, 91% busy",
        "folder    /runs/MNIST/1",
        "next      maggy show /runs/MNIST/1",
        "          maggy ui /runs/MNIST/1",
        "",
        "trial  metric    state     time   lr   layers",
        "1      0.932168  finished  20 s   0.1  1",
        "0      0.5       finished  10 s   0.1  0",
        "2      0.25      stopped   5.0 s  0.1  2",
    ]


def test_where_the_best_trial_has_saved_its_state_and_how_much():
    best = trial(0, FINISHED, 0.5)
    for step, says in ((9, "step 9, "), (None, "")):
        best.checkpoint = Checkpoint(url="/runs/1/c", attempt=0, step=step, size_bytes=12_345_678, seconds=0.5)
        assert str(summary(search(best))).splitlines()[1] == f"state     /runs/1/c ({says}12.3 MB)"


def test_only_the_first_few_failures_are_shown():
    result = search(trial(0, FINISHED, 0.5), *(trial(number, FAILED, error="KeyError") for number in range(1, 9)))
    assert [line[:15] for line in str(summary(result)).splitlines() if line.startswith("failed")] == [
        "failed    trial",
        "failed    trial",
        "failed    trial",
    ]


def test_a_failure_without_a_word():
    assert "failed    trial 0: for no reason that is known" in str(summary(search(trial(0, FAILED))))


def test_a_search_without_a_result():
    assert str(summary(search(trial(0, FAILED, error="KeyError")))).splitlines() == [
        "best      none: no trial has a result",
        "trials    1 failed",
        "failed    trial 0: KeyError",
        "folder    /runs/MNIST/1",
        "next      maggy show /runs/MNIST/1",
        "          maggy ui /runs/MNIST/1",
    ]


def test_a_search_that_was_interrupted_before_anything_had_ended():
    assert str(summary(search(interrupted=True))).splitlines() == [
        "best      none: no trial has a result",
        "trials    none ended (interrupted)",
        "folder    /runs/MNIST/1",
        "next      maggy show /runs/MNIST/1",
        "          maggy ui /runs/MNIST/1",
    ]


def test_a_single_run():
    result = Result.of_run([trial(0, FINISHED, 0.5)], experiment_dir="/runs/base/1", interrupted=False)
    assert str(summary(result)).splitlines() == [
        "result    0.5",
        "trials    1 finished",
        "folder    /runs/base/1",
        "next      maggy show /runs/base/1",
        "          maggy ui /runs/base/1",
    ]


def drawn(result, width):
    from rich.console import Console

    console = Console(width=width, color_system=None, force_terminal=True, file=io.StringIO())
    console.print(summary(result))
    return console.file.getvalue().splitlines()


def test_in_a_terminal_it_is_a_table_with_as_many_columns_as_there_is_room_for():
    result = search(*(trial(number, FINISHED, number / 10, seconds=10) for number in range(7)))
    for width in (20, 40, 50, 90):
        assert max(map(len, drawn(result, width))) <= width
    best = next(line for line in drawn(result, 90) if line.startswith(" 6"))
    assert best.split() == ["6", "0.6", "finished", "10", "s", "0.1", "6"]
    assert not any("…" in line for line in drawn(result, 40))
    assert any(line.split()[:1] == ["6"] and "finished" in line for line in drawn(result, 40))


def test_a_search_with_two_objectives_names_the_trials_that_no_other_beats():
    objectives = [Objective("acc", "max"), Objective("size", "min")]
    trials = [trial(0, FINISHED, 0.5), trial(1, FINISHED, 0.4), trial(2, FINISHED, 0.3)]
    for each, size in zip(trials, (3, 1, 2), strict=True):
        each.metric_dict = {"acc": each.final_metric, "size": size}
    result = Result.of_search(trials, objectives, experiment_dir="/runs/1", interrupted=False)
    assert "pareto    no other beats trials 0, 1" in str(summary(result)).splitlines()


def test_a_folder_with_a_space_in_its_name_can_be_pasted():
    result = Result.of_run([trial(0, FINISHED, 0.5)], experiment_dir="/my runs/1", interrupted=False)
    assert str(summary(result)).splitlines()[-2:] == [
        "next      maggy show '/my runs/1'",
        "          maggy ui '/my runs/1'",
    ]


@pytest.mark.parametrize(
    ("finished_s", "stopped_s", "saved"),
    [
        ([], [5], 0),
        ([10], [], 0),
        ([10], [4], 6),
        ([10, 20, 60], [4, 8], (20 - 4) + (20 - 8)),
        ([10], [4, 30], 6),  # one that took longer than usual has saved nothing, and costs nothing here
    ],
)
def test_what_stopping_saved_is_measured_by_what_finished_trials_usually_took(finished_s, stopped_s, saved):
    assert saved_s(finished_s, stopped_s) == saved
