"""Which checkpoints are kept, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maggy.brain.events import CheckpointSaved
from maggy.context.checkpoint import place
from maggy.driver.keeper import Keeper, Remove, Sweep
from maggy.trial import Trial, TrialState

FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST


def saved(trial: int, number: int = 0, size: int = 10, attempt: int = 0) -> CheckpointSaved:
    return CheckpointSaved(trial=trial, attempt=attempt, number=number, step=number, size_bytes=size, seconds=0.5)


class Disk:
    """What lies on disk: the keeper's deletions are carried out; trials as the book has them."""

    def __init__(self, quota: int | None) -> None:
        self.keeper = Keeper("/runs/1", quota, lambda metric: metric)
        self.files: set[str] = set()
        self.trials: dict[int, Trial] = {}

    def trial(self, number: int) -> Trial:
        return self.trials.setdefault(number, Trial({}, trial_id=number, state=TrialState.RUNNING))

    def save(self, event: CheckpointSaved) -> None:
        trial = self.trial(event.trial)
        self.files.add(place(event.trial, event.attempt, event.number))
        counts = not trial.state.final and trial.attempt == event.attempt
        self.keeper.saved(event, trial if counts else None)
        self.clean()

    def end(self, number: int, state: TrialState, metric: float | None = None) -> None:
        trial = self.trial(number)
        trial.state, trial.final_metric = state, metric if state.has_result else None
        self.keeper.ended(trial)
        self.clean()

    def clean(self) -> None:
        for event in self.keeper.surplus():
            self.keeper.dropped(event)
        for deletion in self.keeper.deletions():
            if isinstance(deletion, Remove):
                self.files.discard(deletion.place)
            else:
                own = {name for name in self.files if name.startswith(f"trials/{deletion.trial}/")}
                self.files -= own - set(deletion.keep)

    def kept(self) -> set[int]:
        """Trials whose last checkpoint is there."""
        return {number for number, trial in self.trials.items() if trial.checkpoint is not None}


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


def test_a_trial_that_lost_workers_is_swept_when_it_ends():
    keeper = Keeper("/runs/1", None, lambda metric: metric)
    keeper.ended(Trial({}, trial_id=0, attempt=1, state=FINISHED, final_metric=1.0))
    keeper.ended(Trial({}, trial_id=1, state=LOST))
    keeper.ended(Trial({}, trial_id=2, state=FINISHED, final_metric=1.0))
    assert keeper.deletions() == [Sweep(0, (), True), Sweep(1, (), True)]
    assert keeper.deletions() == []


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("save"), st.integers(0, 4), st.integers(0, 20)),
        st.tuples(st.just("late"), st.integers(0, 4), st.integers(0, 20)),
        st.tuples(st.just("lose"), st.integers(0, 4), st.just(0)),
        st.tuples(st.sampled_from([FINISHED, STOPPED, FAILED, LOST]), st.integers(0, 4), st.integers(-3, 3)),
    ),
    max_size=40,
)


@given(happenings=happenings, quota=st.integers(0, 60) | st.none())
def test_what_is_needed_is_kept_what_is_not_goes_and_the_rest_fits(happenings, quota):
    disk = Disk(quota)
    numbers = iter(range(100))
    for what, trial_id, value in happenings:
        trial = disk.trial(trial_id)
        if what == "save" and not trial.state.final:
            disk.save(saved(trial_id, next(numbers), value, trial.attempt))
            assert trial.checkpoint is not None
        elif what == "late":
            disk.save(saved(trial_id, next(numbers), value, trial.attempt - 1))
        elif what == "lose" and not trial.state.final:
            trial.attempt += 1
        elif isinstance(what, TrialState) and not trial.state.final:
            before = trial.checkpoint
            disk.end(trial_id, what, float(value))
            results = [t for t in disk.trials.values() if t.state.has_result]
            best = min(results, key=lambda t: t.final_metric, default=None)
            if best is trial and sum(t.final_metric == best.final_metric for t in results) == 1:
                assert trial.checkpoint == before, "the best lost its checkpoint"

        there = {trial.checkpoint.url.removeprefix("/runs/1/") for trial in disk.trials.values() if trial.checkpoint}
        assert disk.files == there, "what a trial names is on disk, and nothing else"
        sizes = {number: trial.checkpoint.size_bytes for number, trial in disk.trials.items() if trial.checkpoint}
        assert disk.keeper.total_bytes == sum(sizes.values())
        if quota is not None and disk.keeper.over_quota:
            spare = {number for number in sizes if disk.trials[number].state.final and sizes[number]}
            assert len(spare) <= 1, "over the quota, although something could go"
            assert all(disk.trials[number].state.has_result for number in spare)


@given(happenings=happenings)
def test_a_checkpoint_that_somebody_may_still_go_on_from_is_never_deleted(happenings):
    disk = Disk(quota=0)
    numbers = iter(range(100))
    needed: dict[int, str] = {}
    for what, trial_id, value in happenings:
        trial = disk.trial(trial_id)
        if trial.state.final:
            continue
        if what == "save":
            event = saved(trial_id, next(numbers), value, trial.attempt)
            disk.save(event)
            needed[trial_id] = place(trial_id, trial.attempt, event.number)
        elif what == "lose":
            trial.attempt += 1
        elif isinstance(what, TrialState):
            disk.end(trial_id, what, float(value))
            needed.pop(trial_id, None)
        assert set(needed.values()) <= disk.files
