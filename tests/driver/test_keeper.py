"""Which checkpoints are kept, whatever happens in whatever order."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from copy import copy
from typing import Any

from driver.helpers import deleted
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.brain.events import CheckpointSaved
from maggy.context.checkpoint import place
from maggy.driver.keeper import Deletion, Keeper, Sweep
from maggy.trial import Trial, TrialState

RUNNING = TrialState.RUNNING
FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST
FOLDER = "/runs/1"


def saved(trial: int, number: int = 0, size: int = 10, attempt: int = 0) -> CheckpointSaved:
    return CheckpointSaved(trial=trial, attempt=attempt, number=number, step=number, size_bytes=size, seconds=0.5)


class Disk:
    """A keeper and the trials as the book has them; the files are there as soon as they are saved, and go when told."""

    def __init__(self, quota: int | None) -> None:
        self.keeper = Keeper(FOLDER, quota, lambda metric: metric)
        self.files: set[str] = set()
        self.trials: dict[int, Trial] = {}
        self.before: dict[int, Trial] = {}

    def trial(self, number: int) -> Trial:
        return self.trials.setdefault(number, Trial({}, trial_id=number, state=RUNNING))

    def suggest(self, number: int, parent: int) -> None:
        self.keeper.lend(self.trial(number), parent)

    def save(self, event: CheckpointSaved) -> None:
        trial = self.trial(event.trial)
        self.files.add(place(event.trial, event.attempt, event.number))
        counts = not trial.state.final and trial.attempt == event.attempt
        self.keeper.saved(event, trial if counts else None)
        self.clean()

    def end(self, number: int, state: TrialState, metric: float | None = None, *, resumable: bool = False) -> None:
        self.settle(number, state, metric, resumable)
        self.clean()

    def settle(self, number: int, state: TrialState, metric: float | None, resumable: bool) -> None:
        trial = self.trial(number)
        before = self.before.pop(number, None)
        fell_back = before is not None and not state.has_result
        if fell_back:
            state, metric = FINISHED, before.final_metric
        trial.state, trial.final_metric = state, metric if state.has_result else None
        trial.resumable = resumable and not fell_back
        self.keeper.ended(trial, fell_back=fell_back)

    def promote(self, number: int) -> None:
        trial = self.trials[number]
        self.before[number] = copy(trial)
        trial.state = RUNNING
        trial.attempt += 1
        self.keeper.runs_on(number)

    def clean(self) -> None:
        for event in self.keeper.surplus():
            self.keeper.dropped(self.trials[event.trial])
        for deletion in self.keeper.deletions():
            self.files -= deleted(self.files, deletion)

    def kept(self) -> set[int]:
        """Trials that have something to go on from."""
        return {number for number, trial in self.trials.items() if trial.checkpoint is not None}

    def begins_with(self, number: int) -> str | None:
        """Where the checkpoint is that a trial would go on from."""
        checkpoint = self.trials[number].checkpoint
        return None if checkpoint is None else checkpoint.url.removeprefix(f"{FOLDER}/")


def test_only_the_last_checkpoint_of_a_trial_is_kept():
    disk = Disk(quota=None)
    for number in range(3):
        disk.save(saved(0, number))
    assert disk.files == {"trials/0/checkpoints/0-2"}
    checkpoint = disk.trials[0].checkpoint
    assert (checkpoint.url, checkpoint.step, checkpoint.size_bytes) == ("/runs/1/trials/0/checkpoints/0-2", 2, 10)


def test_news_of_an_older_attempt_change_nothing_and_its_files_go():
    disk = Disk(quota=None)
    disk.save(saved(0, 5))
    disk.trials[0].attempt = 1
    disk.save(saved(0, 6))  # late
    assert disk.trials[0].checkpoint.step == 5  # what attempt 1 was given
    disk.save(saved(0, 0, attempt=1))
    disk.save(saved(0, 7))  # later still
    assert disk.files == {"trials/0/checkpoints/1-0"}


def test_news_that_come_twice_count_once_also_after_the_end():
    disk = Disk(quota=None)
    disk.save(saved(0, 1))
    disk.save(saved(0, 1))
    disk.save(saved(0, 0))  # two threads of a trial may overtake each other
    disk.end(0, FINISHED, 0.5)
    disk.save(saved(0, 1))
    assert disk.files == {"trials/0/checkpoints/0-1"}
    assert disk.keeper.total_bytes == 10


def test_the_worst_go_first_and_those_without_a_result_before_them():
    disk = Disk(quota=40)
    for number, (state, metric) in enumerate([(FINISHED, 3.0), (FAILED, None), (STOPPED, 1.0), (FINISHED, 2.0)]):
        disk.save(saved(number))
        disk.end(number, state, metric)
    assert disk.kept() == {0, 1, 2, 3}
    order = []
    for number in range(4, 7):  # running ones need room
        disk.save(saved(number))
        order.append({0, 1, 2, 3} - disk.kept())
    assert order == [{1}, {0, 1}, {0, 1, 3}]
    disk.save(saved(7))
    assert 2 in disk.kept()  # the best stays, although it is too much now
    assert disk.keeper.over_quota


def test_what_was_best_may_go_when_another_is_better():
    disk = Disk(quota=10)
    disk.save(saved(0))
    disk.end(0, FINISHED, 2.0)
    disk.save(saved(1))
    assert disk.kept() == {0, 1}
    disk.end(1, FINISHED, 1.0)
    assert disk.kept() == {1}
    assert not disk.keeper.over_quota


def test_of_equals_the_earlier_is_the_best_as_in_the_result():
    disk = Disk(quota=10)
    for number in range(2):
        disk.save(saved(number))
        disk.end(number, FINISHED, 1.0)
    assert disk.kept() == {0}


def test_for_the_quota_nobody_looks_at_every_trial_that_has_ended():
    looks = []

    class Watched(array):
        def __iter__(self):
            looks.append(len(self))
            return super().__iter__()

    disk = Disk(quota=20)
    disk.keeper._losses = Watched("d")
    for number in range(20):
        disk.save(saved(number))
        disk.end(number, FINISHED, 1.0 - number / 100)
    assert disk.kept() == {18, 19} and looks == []


def test_a_trial_that_lost_workers_is_swept_when_it_ends():
    keeper = Keeper("/runs/1", None, lambda metric: metric)
    keeper.ended(Trial({}, trial_id=0, attempt=1, state=FINISHED, final_metric=1.0))
    keeper.ended(Trial({}, trial_id=1, state=LOST))
    keeper.ended(Trial({}, trial_id=2, state=FINISHED, final_metric=1.0))
    assert keeper.deletions() == [Sweep(0, 1, (), True), Sweep(1, 0, (), True)]
    assert keeper.deletions() == []


# --- promotions and checkpoints that are lent


def test_a_promoted_trial_keeps_what_it_returned_with_until_it_has_returned_again():
    disk = Disk(quota=None)
    disk.save(saved(0, 0))
    disk.end(0, FINISHED, 1.0, resumable=True)
    disk.promote(0)
    assert disk.begins_with(0) == place(0, 0, 0)
    disk.save(saved(0, 0, attempt=1))
    disk.save(saved(0, 1, attempt=1))
    assert disk.files == {place(0, 0, 0), place(0, 1, 1)}
    assert disk.keeper.total_bytes == 20
    disk.end(0, FINISHED, 0.5)
    assert disk.files == {place(0, 1, 1)}


def test_a_trial_that_fails_after_its_promotion_has_the_checkpoint_that_goes_with_its_result():
    disk = Disk(quota=None)
    disk.save(saved(0, 0))
    disk.end(0, FINISHED, 1.0, resumable=True)
    disk.promote(0)
    disk.save(saved(0, 0, attempt=1))
    disk.end(0, FAILED)
    assert disk.begins_with(0) == place(0, 0, 0)
    assert disk.files == {place(0, 0, 0)}


def test_the_best_is_known_while_another_that_was_better_runs_on_and_when_that_comes_back_worse():
    disk = Disk(quota=10)
    for number, metric in enumerate([0.5, 0.6]):
        disk.save(saved(number))
        disk.end(number, FINISHED, metric, resumable=True)
    assert disk.kept() == {0}
    disk = Disk(quota=None)
    for number, metric in enumerate([0.5, 0.6]):
        disk.save(saved(number))
        disk.end(number, FINISHED, metric, resumable=True)
    disk.promote(0)
    disk.save(saved(2))
    disk.end(2, FINISHED, 0.7)
    disk.end(0, FINISHED, 0.9)
    disk.keeper._quota = 10
    disk.clean()
    assert disk.kept() == {1}, "0.6 is the best now"


def test_a_new_trial_begins_where_its_parent_returned_although_that_has_gone_further_since():
    disk = Disk(quota=None)
    disk.save(saved(0, 0))
    disk.end(0, FINISHED, 1.0, resumable=True)
    disk.promote(0)
    disk.save(saved(0, 0, attempt=1))
    disk.suggest(1, parent=0)
    assert disk.begins_with(1) == place(0, 0, 0)


def test_what_a_waiting_trial_was_lent_outlives_all_that_its_parent_does():
    for end in (FINISHED, STOPPED, FAILED, LOST):
        disk = Disk(quota=0)
        disk.save(saved(0, 0))
        disk.end(0, FINISHED, 1.0, resumable=True)
        disk.suggest(1, parent=0)
        disk.promote(0)
        disk.save(saved(0, 0, attempt=1))
        disk.end(0, end, 2.0)
        disk.save(saved(2))
        disk.end(2, FINISHED, 0.5)  # the best; so nothing else of trial 0 is needed
        assert disk.files == {place(0, 0, 0), place(2, 0, 0)}
        disk.trials[1].attempt += 1  # its worker dies before it has saved anything
        assert disk.begins_with(1) == place(0, 0, 0)
        disk.save(saved(1, 0, attempt=1))
        assert disk.files == {place(1, 1, 0), place(2, 0, 0)}
        assert disk.begins_with(0) is None


def test_a_trial_that_returned_without_a_checkpoint_of_its_own_goes_on_from_the_one_that_it_was_lent():
    disk = Disk(quota=None)
    disk.save(saved(0, 0))
    disk.end(0, FINISHED, 1.0)
    disk.suggest(1, parent=0)
    disk.end(1, FINISHED, 0.5, resumable=True)
    disk.suggest(2, parent=1)
    disk.promote(1)
    assert disk.begins_with(1) == disk.begins_with(2) == place(0, 0, 0)
    for number in (1, 2):
        disk.end(number, FINISHED, 0.5)
        assert disk.begins_with(number) is None, "it has saved none, and begins no more"
    assert disk.files == {place(0, 0, 0)}


def test_a_parent_without_a_checkpoint_has_none_to_lend():
    disk = Disk(quota=None)
    disk.end(0, FINISHED, 1.0, resumable=True)
    disk.promote(0)
    disk.save(saved(0, 0, attempt=1))
    disk.suggest(1, parent=0)
    assert disk.begins_with(1) is None, "what the parent saved since is of a larger budget"


def test_a_checkpoint_that_several_could_go_on_from_goes_when_all_of_them_can_spare_it():
    disk = Disk(quota=None)
    disk.save(saved(0))
    disk.end(0, FINISHED, 3.0)
    for number, metric in [(1, 2.0), (2, 1.0)]:
        disk.suggest(number, parent=0)
        disk.end(number, FINISHED, metric, resumable=True)
    disk.keeper._quota = 0
    disk.clean()
    assert disk.kept() == {0, 1, 2}, "trial 2 is the best, and would go on from it"
    disk.end(3, FINISHED, 0.5)
    assert disk.kept() == set()
    assert disk.files == set()


def test_a_sweep_spares_what_later_attempts_save():
    files = {place(3, 0, 0), place(3, 1, 0), place(3, 2, 0)}
    files |= {"trials/3/checkpoints/.1-1.partial", "trials/3/checkpoints/.2-1.partial", place(33, 0, 0)}
    assert files - deleted(files, Sweep(3, 1, (place(3, 0, 0),), late=True)) == {
        place(3, 0, 0),
        place(3, 2, 0),
        "trials/3/checkpoints/.2-1.partial",
        place(33, 0, 0),
    }


# --- anything, in any order


class Account:
    """Keeps its own account of what each trial would go on from, for a janitor that may be late and drivers that die.

    files     what lies on disk
    to_do     what the janitor has been told and not done yet
    begins    what each trial would go on from, as this account has it
    returned  what promoted trials returned with
    """

    def __init__(self, quota: int | None, draw: Callable[[Any], Any]) -> None:
        self.quota, self.draw = quota, draw
        self.disk = Disk(quota)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.files: set[str] = set()
        self.to_do: list[Deletion] = []
        self.begins: dict[int, str | None] = {}
        self.returned: dict[int, str | None] = {}
        self.sizes: dict[str, int] = {}
        self.told: dict[int, CheckpointSaved] = {}  # what was saved last
        self.first_ended: list[int] = []
        self.next_file = 0

    def happen(self) -> None:
        """One of the things that can happen now."""
        trials = self.disk.trials
        running = [number for number, trial in trials.items() if not trial.state.final]
        promotable = [number for number, trial in trials.items() if trial.state is FINISHED and trial.resumable]
        late = [number for number, trial in trials.items() if trial.attempt]
        can = [(self.suggest, None)] * (len(trials) < 6) + [(self.janitor_works, None), (self.driver_dies, None)]
        can += [(what, number) for number in running for what in (self.save, self.save, self.set_back, self.end)]
        can += [(self.tell_again, number) for number in self.told]
        can += [(self.promote, number) for number in promotable] + [(self.save_late, number) for number in late]
        what, number = self.draw(st.sampled_from(can))
        what(*([] if number is None else [number]))

    def suggest(self) -> None:
        parent = self.draw(st.sampled_from([None, *self.disk.trials]))
        number = len(self.disk.trials)
        self.begins[number] = self.returned.get(parent, self.begins.get(parent))
        self.tell("suggest", number, parent)

    def save(self, number: int) -> None:
        event = self.write(number, self.disk.trials[number].attempt)
        self.begins[number] = place(number, event.attempt, event.number)
        self.told[number] = event
        self.tell("save", event, True)

    def tell_again(self, number: int) -> None:
        trial, event = self.disk.trials[number], self.told[number]
        self.tell("save", event, not trial.state.final and trial.attempt == event.attempt)

    def save_late(self, number: int) -> None:
        self.tell("save", self.write(number, self.disk.trials[number].attempt - 1), False)

    def set_back(self, number: int) -> None:
        if self.draw(st.booleans()):
            attempt = self.disk.trials[number].attempt
            self.files.add(f"trials/{number}/checkpoints/.{attempt}-{self.next_file}.partial")
        self.tell("set back", number)

    def end(self, number: int) -> None:
        state = self.draw(st.sampled_from([FINISHED, FINISHED, FINISHED, STOPPED, FAILED, LOST]))
        resumable = self.draw(st.booleans())
        metric = float(self.draw(st.integers(-3, 3))) if state.has_result else None
        returned = self.returned.pop(number, None)
        if not state.has_result and returned is not None:
            self.begins[number] = returned
        lent = self.begins[number] is not None and not self.begins[number].startswith(f"trials/{number}/")
        if lent and not (state is FINISHED and resumable):
            self.begins[number] = None
        if number not in self.first_ended:
            self.first_ended.append(number)
        self.tell("end", number, state, metric, resumable)

    def promote(self, number: int) -> None:
        self.returned[number] = self.begins[number]
        self.tell("promote", number)

    def janitor_works(self) -> None:
        deletion = self.to_do.pop(0) if self.to_do else None
        if deletion is not None:
            self.files -= deleted(self.files, deletion)

    def driver_dies(self) -> None:
        """The next one replays all that happened, and deletes all over again what was to be deleted."""
        before = self.disk
        self.disk = Disk(self.quota)
        for what, arguments in self.calls:
            self.play(what, arguments)
        assert self.disk.keeper.surplus() == []
        assert self.disk.trials == before.trials
        self.to_do = self.disk.keeper.deletions()

    def tell(self, what: str, *arguments: Any) -> None:
        """Something happens; what follows for the quota too."""
        self.calls.append((what, arguments))
        self.play(what, arguments)
        dropped = set()
        for event in self.disk.keeper.surplus():
            assert event.trial in self.spare(), "it is needed"
            dropped.add(self.begins[event.trial])
            self.begins[event.trial] = None
            self.calls.append(("dropped", (event.trial,)))
            self.disk.keeper.dropped(self.disk.trials[event.trial])
        assert dropped.isdisjoint([*self.begins.values(), *self.returned.values()]), "it makes no room"
        self.to_do += self.disk.keeper.deletions()

    def play(self, what: str, arguments: tuple[Any, ...]) -> None:
        disk = self.disk
        match what:
            case "suggest":
                number, parent = arguments
                disk.trial(number)
                if parent is not None:
                    disk.suggest(number, parent)
            case "save":
                event, counts = arguments
                disk.keeper.saved(event, disk.trials[event.trial] if counts else None)
            case "set back":
                disk.trials[arguments[0]].attempt += 1
            case "dropped":
                disk.keeper.dropped(disk.trials[arguments[0]])
            case "promote":
                disk.promote(*arguments)
            case "end":
                disk.settle(*arguments)

    def write(self, number: int, attempt: int) -> CheckpointSaved:
        event = saved(number, self.next_file, self.draw(st.integers(0, 20)), attempt)
        self.next_file += 1
        where = place(number, attempt, event.number)
        self.files.add(where)
        self.sizes[where] = event.size_bytes
        return event

    def spare(self) -> set[int]:
        """The trials that have ended and are not the best that has a result and does not run."""
        trials = self.disk.trials
        ended = {number for number, trial in trials.items() if trial.state.final}
        results = [number for number in ended if trials[number].state.has_result]
        best = min(results, key=lambda n: (trials[n].final_metric, self.first_ended.index(n)), default=None)
        return ended - {best}

    def check(self) -> None:
        needed = {where for where in (*self.begins.values(), *self.returned.values()) if where is not None}
        assert needed <= self.files, "what a trial would go on from is gone"
        assert {number: self.disk.begins_with(number) for number in self.disk.trials} == self.begins
        assert self.disk.keeper.total_bytes == sum(self.sizes[where] for where in needed)
        done = set(self.files)
        for deletion in self.to_do:
            done -= deleted(done, deletion)
        partial = {name for name in done if name.endswith(".partial")}
        assert done - partial == needed, "something leaks, or is still to be deleted although it is needed"
        for name in partial:
            assert not self.disk.trials[int(name.split("/")[1])].state.final, "what a killed worker left stays for ever"
        if self.disk.keeper.over_quota:
            spare = self.spare()
            others = {where for number, where in self.begins.items() if number not in spare} | {*self.returned.values()}
            left = {self.begins[number] for number in spare} - others - {None}
            assert all(self.sizes[where] == 0 for where in left), "over the quota, although something could go"


@given(data=st.data(), quota=st.integers(0, 60) | st.none())
@settings(max_examples=200, deadline=None)
def test_what_a_trial_would_go_on_from_is_never_deleted_and_nothing_else_stays(data, quota):
    account = Account(quota, data.draw)
    for _ in range(data.draw(st.integers(0, 40))):
        account.happen()
        account.check()
