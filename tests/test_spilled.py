"""Of a list that grows for long the newest are in memory, and all of them are there."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from maggy.spilled import Spill, SpilledList, picked
from maggy.trial import Checkpoint, Curve, Trial, TrialState


def trial(number: int) -> Trial:
    return Trial({"x": number / 7}, trial_id=number, state=TrialState.FINISHED, final_metric=number / 3)


def filled(count: int, keep: int | None = 3) -> SpilledList[Trial]:
    made = SpilledList(Trial, Spill(), keep)
    for number in range(count):
        made.append(trial(number))
    return made


def test_what_has_left_the_memory_comes_back_as_it_was():
    made = filled(10)
    assert (len(made), made.in_memory) == (10, 3)
    assert list(made) == [trial(number) for number in range(10)]
    assert made[2] == trial(2) and made[-1] == trial(9) and made[1:9:4] == [trial(1), trial(5)]
    assert list(picked(made, [7, 0])) == [trial(7), trial(0)]
    with pytest.raises(IndexError):
        made[10]


def test_nothing_leaves_where_all_are_kept_or_there_are_few():
    for made in (filled(10, keep=None), filled(3)):
        assert made.in_memory == len(made)
        assert made.all() == [trial(number) for number in range(len(made))]
        assert made.all()[0] is made[0]


def test_an_item_that_is_changed_stays_in_memory_until_it_is_put_back_and_comes_back_changed():
    made = filled(10)
    old, young = made.take(1), made.take(9)
    assert made[1] is old
    for number in range(10, 20):
        made.append(trial(number))
    assert made[9] is young and made.in_memory == 5
    old.checkpoint = Checkpoint(url="/a", attempt=0, step=4, size_bytes=1, seconds=0.5)
    young.notes = ["promoted"]
    made.put_back(1)
    made.put_back(9)
    assert made.in_memory == 3
    assert made[1].checkpoint == old.checkpoint and made[9].notes == ["promoted"]
    assert made[1] is not old


def test_what_cannot_be_written_stays_in_memory(tmp_path: Path):
    made = SpilledList(Trial, Spill(tmp_path / "is no folder"), 1)
    for number in range(3):
        made.append(trial(number))
    assert [each.trial_id for each in made] == [0, 1, 2] and made.in_memory == 3
    odd = SpilledList(Trial, Spill(tmp_path), 1)
    odd.append(Trial({}, info_dict={"of the user": lambda: 1}))
    odd.append(trial(1))
    assert odd[0].info_dict["of the user"]() == 1
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_on_a_file_system_that_does_not_give_back_what_it_took_everything_stays_in_memory(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.EOPNOTSUPP, "a mounted store")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", refuse)
        made = SpilledList(Trial, Spill(tmp_path), 1)
        for number in range(4):
            made.append(trial(number))
        assert list(made) == [trial(number) for number in range(4)] and made.in_memory == 4


def test_what_has_left_the_memory_can_be_read_until_the_process_ends():
    program = """
import atexit
items = []
atexit.register(lambda: print([curve.values for curve in items]))
from maggy.spilled import Spill, SpilledList
from maggy.trial import Curve
items = SpilledList(Curve, Spill(), 1)
for number in range(3):
    items.append(Curve([0], [number / 2]))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[[0.0], [0.5], [1.0]]\n" and ran.stderr == ""


def test_lists_of_one_file_do_not_disturb_each_other_and_travel_as_lists():
    spill = Spill()
    curves, trials = SpilledList(Curve, spill, 1), SpilledList(Trial, spill, 1)
    for number in range(4):
        curves.append(Curve([number], [number / 2], since=-1))
        trials.append(trial(number))
    assert [curve.values for curve in curves] == [[0.0], [0.5], [1.0], [1.5]]
    assert pickle.loads(pickle.dumps(trials)) == [trial(number) for number in range(4)]
