"""What is made of the lines that trials leave, and of real processes that are killed."""

import os
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from benchmarks.faults import drivers, workers
from benchmarks.faults import killer as killer_module
from benchmarks.faults.killer import Killer
from benchmarks.faults.work import Attempt, Kill, aftermath, attempts, end, is_alive, note, running_at, train


def test_what_follows_a_kill_is_told_by_the_lines_of_the_trials():
    ran = [Attempt(0, 10, 0.0), Attempt(1, 11, 0.0, 6.0), Attempt(0, 12, 5.5, 9.0), Attempt(2, 11, 6.0, 9.0)]
    kill = Kill(trial=0, pid=10, at=5.0)
    assert aftermath([kill], ran, noticed_at=[4.0, 5.25]) == [{"detect": 0.25, "rerun": 0.5, "full": 0.5}]


def test_a_trial_that_waits_for_the_other_worker_is_run_again_before_all_are_busy():
    ran = [Attempt(0, 10, 0.0), Attempt(1, 11, 0.0, 6.0), Attempt(0, 11, 6.0, 9.0), Attempt(2, 12, 8.0)]
    assert aftermath([Kill(trial=0, pid=10, at=5.0)], ran) == [{"rerun": 1.0, "full": 3.0}]


def test_what_was_killed_does_not_count_as_running_after_the_next_kill_either():
    ran = [Attempt(0, 10, 0.0), Attempt(1, 11, 0.0), Attempt(0, 12, 2.0), Attempt(1, 13, 4.0)]
    kills = [Kill(trial=0, pid=10, at=1.0), Kill(trial=1, pid=11, at=3.0)]
    assert [found["full"] for found in aftermath(kills, ran)] == [1.0, 1.0]
    assert aftermath(kills, ran[:2]) == [{}, {}]


def test_trials_write_down_when_they_ran(tmp_path):
    end(tmp_path)
    assert train(tmp_path, 7) == 7.0
    note(tmp_path, "begin", 8)
    ended, begun = attempts(tmp_path)
    assert (ended.trial, ended.pid, ended.runs()) == (7, os.getpid(), False)
    assert ended.began_at <= ended.ended_at <= begun.began_at
    assert begun.runs()
    assert running_at(begun.began_at, [ended, begun]) == 1


def test_the_killer_kills_a_trial_of_two_and_ends_the_rest_when_it_runs_again(tmp_path, monkeypatch):
    monkeypatch.setattr(killer_module, "AGE_S", 0.0)
    script = "import sys; from benchmarks.faults.work import train; train(sys.argv[1], int(sys.argv[2]), None, 60.0)"
    started = {
        trial: subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(trial)], cwd=os.getcwd())
        for trial in (0, 1)
    }
    killer = Killer(str(tmp_path), 1, until="rerun")
    again = threading.Thread(target=lambda: note(tmp_path, "begin", killer.kills[0].trial))
    killer.start()
    with ThreadPoolExecutor() as waiting:
        wait([waiting.submit(process.wait) for process in started.values()], return_when=FIRST_COMPLETED)
        again.start()
    killer.join()
    assert not is_alive(killer.kills[0].pid)
    assert sorted(process.wait() for process in started.values()) == [-9, 0]


@pytest.mark.parametrize("table", [workers.table, drivers.table])
def test_a_contestant_that_failed_stays_in_the_table_with_a_note(table):
    name = "Maggy, local: worker process" if table is workers.table else "Maggy, local"
    (row,) = table({name: []}, {name: "failed: no"}).rows
    assert (row.samples, row.note) == ({}, "failed: no")


def test_each_kill_is_a_value_and_what_did_not_follow_is_none():
    found = [{"kills": [{"detect": 0.1, "rerun": 1.0}, {"rerun": 2.0}], "lost": 0}]
    assert workers.samples(found) == {"detect": [0.1], "rerun": [1.0, 2.0], "lost": [0.0]}
