"""What the driver does with checkpoints that workers have saved: records, hands over, deletes."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver.helpers import Listed, advisor, decider, supervisor, worker

from maggy.brain import events as ev
from maggy.context.checkpoint import load, place, save
from maggy.driver import Janitor, replay
from maggy.driver.keeper import Remove, Sweep
from maggy.errors import CheckpointError, JournalError
from maggy.journal import read
from maggy.optimizer import Promotion
from maggy.trial import Trial, TrialState
from maggy.wire.messages import CheckpointSaved, Failed, Finished, ProcessEnded, Ready, RunTrial


def at_work(stage, seat=0, **who):
    """A worker that runs the next trial, and its order."""
    connection = worker(stage, seat, **who)
    stage.turn()
    connection.told()
    [order] = connection.say(Ready())
    assert isinstance(order, RunTrial)
    return connection, order


def write(stage, trial, attempt=0, number=0, state="state") -> CheckpointSaved:
    """Write a checkpoint as a worker does; what it then says."""
    size = save(f"{stage.folder.url}/{place(trial, attempt, number)}", {"state": state}, number)
    return CheckpointSaved(trial, attempt, number, number, size, 0.25)


def lose(stage, holder="h0", process=1):
    supervisor(stage, holder=holder).say(ProcessEnded(process, "killed", ""))


def on_disk(stage) -> set[str]:
    """Every checkpoint that is there, once the janitor has done all that it was told."""
    stage.janitor.close()
    stage.janitor._thread = None  # what follows starts another
    folder = stage.folder.local
    return {path.relative_to(folder).as_posix() for path in folder.glob("trials/*/checkpoints/*")}


def test_a_lost_trial_goes_on_elsewhere_from_the_last_checkpoint_that_is_on_record(start):
    stage = start(Listed({"lr": 0.1}))
    one, order = at_work(stage)
    assert order.checkpoint is None
    one.say(write(stage, 0, number=0), write(stage, 0, number=1))
    write(stage, 0, number=2)  # the worker dies before it can say so
    lose(stage)
    _, again = at_work(stage, holder="h1")
    assert again == RunTrial(0, 1, {"lr": 0.1}, 0, f"{stage.folder.url}/trials/0/checkpoints/0-1")
    assert load(again.checkpoint).step == 1
    trial = stage.advisor.book.running[0]
    assert (trial.checkpoint.url, trial.checkpoint.attempt, trial.checkpoint.seconds) == (again.checkpoint, 0, 0.25)


def test_the_last_words_of_a_worker_may_come_after_the_news_of_its_death(start):
    stage = start(Listed({"lr": 0.1}))
    one, _ = at_work(stage)
    one.say(write(stage, 0, number=0))
    lose(stage)
    one.say(write(stage, 0, number=1))  # nobody has the trial yet
    _, again = at_work(stage, holder="h1")
    assert again.checkpoint.endswith("trials/0/checkpoints/0-1")
    assert on_disk(stage) == {"trials/0/checkpoints/0-1"}


def test_what_was_saved_is_an_event_before_anybody_is_told_of_it(start):
    stage = start(Listed({"lr": 0.1}))
    one, _ = at_work(stage)
    said = write(stage, 0)
    one.say(said)
    assert stage.events()[-1] == ev.CheckpointSaved(
        trial=0, attempt=0, number=0, step=0, size_bytes=said.size_bytes, seconds=0.25
    )


def test_a_checkpoint_is_deleted_when_the_next_is_on_record_and_what_a_killed_worker_left_at_the_end(start):
    stage = start(Listed({"lr": 0.1}))
    one, _ = at_work(stage)
    one.say(write(stage, 0, number=0))
    one.say(write(stage, 0, number=1))
    assert on_disk(stage) == {"trials/0/checkpoints/0-1"}
    write(stage, 0, number=2)
    (stage.folder.local / "trials/0/checkpoints/.0-3.partial").mkdir()
    lose(stage)
    two, _ = at_work(stage, holder="h1")
    two.say(write(stage, 0, attempt=1))
    assert on_disk(stage) == {f"trials/0/checkpoints/{name}" for name in ("0-2", ".0-3.partial", "1-0")}
    two.say(Finished(0, 1, 0.5))
    assert on_disk(stage) == {"trials/0/checkpoints/1-0"}


def test_a_late_writer_of_an_older_attempt_is_recorded_and_changes_nothing(start):
    stage = start(Listed({"lr": 0.1}))
    one, _ = at_work(stage)
    one.say(write(stage, 0, number=0, state="first"))
    lose(stage)
    two, order = at_work(stage, holder="h1")
    one.say(write(stage, 0, number=1, state="late"))
    assert stage.advisor.book.running[0].checkpoint.url == order.checkpoint
    two.say(write(stage, 0, attempt=1, state="second"))
    one.say(write(stage, 0, number=2, state="later"))
    assert [(event.attempt, event.number) for event in stage.events() if isinstance(event, ev.CheckpointSaved)] == [
        (0, 0), (0, 1), (1, 0), (0, 2),
    ]  # fmt: skip
    two.say(Finished(0, 1, 0.5))
    assert on_disk(stage) == {"trials/0/checkpoints/1-0"}
    one.say(write(stage, 0, number=3, state="after the end"))
    assert on_disk(stage) == {"trials/0/checkpoints/1-0"}
    assert load(stage.advisor.book.ended[0].checkpoint.url).state == {"state": "second"}


def test_nothing_is_deleted_before_the_record_that_replaces_it_is_written(start):
    stage = start(Listed({"lr": 0.1}))
    one, _ = at_work(stage)
    one.say(write(stage, 0, number=0))

    def refuse():
        raise JournalError("no space left", final=True)

    stage.journal.flush = refuse
    one.link.send(write(stage, 0, number=1))
    with pytest.raises(JournalError):
        stage.turn()
    del stage.journal.flush
    assert on_disk(stage) == {"trials/0/checkpoints/0-0", "trials/0/checkpoints/0-1"}


def test_a_full_quota_drops_the_worst_of_those_that_have_ended_and_says_when_it_is_not_enough(start):
    probe = start(Listed())
    size = write(probe, 0).size_bytes
    stage = start(Listed(*[{"lr": 0.1}] * 4), quota_bytes=2 * size)
    one, _ = at_work(stage)
    one.say(write(stage, 0), Failed(0, 0, "KeyError", "KeyError", "Traceback ..."))
    one.say(write(stage, 1), Finished(1, 0, 0.5))
    assert stage.said == []
    one.say(write(stage, 2))  # of three, the failed one's goes
    failed, best = stage.advisor.book.ended
    assert (failed.state, failed.checkpoint) == (TrialState.FAILED, None)
    assert best.checkpoint is not None
    assert stage.events()[-1] == ev.CheckpointDropped(trial=0, attempt=0, number=0)
    assert on_disk(stage) == {"trials/1/checkpoints/0-0", "trials/2/checkpoints/0-0"}
    two, _ = at_work(stage, seat=1, holder="h1")
    two.say(write(stage, 3))  # all three are needed
    assert stage.said == ["checkpoints that are needed take 0 MB, more than checkpoint_quota_bytes; they are kept"]
    two.say(write(stage, 3, number=1))
    assert len(stage.said) == 1
    assert {Path(name).parts[1] for name in on_disk(stage)} == {"1", "2", "3"}


def test_an_experiment_that_is_interrupted_keeps_what_its_trials_can_go_on_from(start):
    stage = start(Listed({"lr": 0.1}), quota_bytes=0)
    one, _ = at_work(stage)
    one.say(write(stage, 0))
    stage.driver.interrupt("Ctrl-C")
    stage.turn()
    assert on_disk(stage) == {"trials/0/checkpoints/0-0"}


# --- promotions, and checkpoints that are lent


def promoting(start, *answers):
    """A stage whose optimizer promotes."""
    optimizer = Listed(*answers)
    optimizer.promotes = True
    return start(optimizer, rules={"promotes": True})


def first(**facts):
    return Trial({"lr": 0.1}, budget=1, resumable=True, **facts)


def to_budget(budget, trial=0):
    return Promotion(trial=trial, budget=budget, reason="the best of 1")


def test_what_a_promoted_trial_saves_outlives_the_sweep_of_its_runs_before(start):
    stage = promoting(start, first(), to_budget(3))
    one, _ = at_work(stage)
    one.say(write(stage, 0))
    write(stage, 0, number=1)  # the worker dies before it can say so
    lose(stage)
    two, _ = at_work(stage, holder="h1")
    [order] = two.say(write(stage, 0, attempt=1), Finished(0, 1, 0.5))
    assert order == RunTrial(0, 2, {"lr": 0.1, "budget": 3}, 0, f"{stage.folder.url}/trials/0/checkpoints/1-0")
    two.say(write(stage, 0, attempt=2, number=0))
    write(stage, 0, attempt=2, number=1)
    assert on_disk(stage) == {f"trials/0/checkpoints/{name}" for name in ("1-0", "2-0", "2-1")}
    # A driver that takes over deletes all over again what was to be deleted.
    again = decider(advisor(Listed(first(), to_budget(3))), stage.folder.url, stage.brain.rules)
    assert replay(again, read(stage.folder)).differences == []
    janitor = Janitor(stage.folder.url, 0.0, print)
    janitor.delete(again.keeper.deletions())
    janitor.close()
    assert on_disk(stage) == {f"trials/0/checkpoints/{name}" for name in ("1-0", "2-0", "2-1")}
    two.say(Finished(0, 2, 0.25))
    assert on_disk(stage) == {"trials/0/checkpoints/2-0"}


def test_a_trial_that_begins_with_anothers_checkpoint_gets_it_until_it_has_saved_its_own(start):
    stage = promoting(start, first(), to_budget(3), first(parent=0))
    one, _ = at_work(stage)
    one.say(write(stage, 0, state="of trial 0"), Finished(0, 0, 0.5))  # and runs on
    one.say(write(stage, 0, attempt=1, state="further"))
    _, order = at_work(stage, seat=1, holder="h1")
    lent = f"{stage.folder.url}/trials/0/checkpoints/0-0"
    assert order == RunTrial(1, 0, {"lr": 0.1, "budget": 1}, 0, lent)
    one.say(Failed(0, 1, "KeyError", "KeyError", "Traceback ..."))
    lose(stage, holder="h1")
    [order] = one.told()
    assert order == RunTrial(1, 1, {"lr": 0.1, "budget": 1}, 0, lent)
    assert on_disk(stage) == {"trials/0/checkpoints/0-0"}
    assert load(order.checkpoint).state == {"state": "of trial 0"}
    one.say(write(stage, 1, attempt=1))
    lose(stage)
    _, order = at_work(stage, holder="h2")
    assert order.checkpoint.endswith("trials/1/checkpoints/1-0")
    [parent] = stage.advisor.book.ended
    assert (parent.state, parent.final_metric, parent.budget) == (TrialState.FINISHED, 0.5, 1)
    assert load(parent.checkpoint.url).state == {"state": "of trial 0"}, "what goes with its result"


# --- the janitor


@pytest.mark.parametrize("url", ["path", "memory://janitor"])
def test_the_janitor_deletes_on_any_store_and_what_is_gone_already_is_fine(tmp_path, url):
    folder = str(tmp_path) if url == "path" else url
    warnings = []
    for number in range(3):
        save(f"{folder}/{place(0, 0, number)}", number, 0)
    janitor = Janitor(folder, 0.0, warnings.append)
    janitor.delete(
        [Remove(place(0, 0, 0)), Remove(place(0, 0, 0)), Sweep(0, 0, (place(0, 0, 2),), True), Sweep(7, 3, (), True)]
    )
    janitor.close()
    assert load(f"{folder}/{place(0, 0, 2)}").state == 2
    for number in range(2):
        with pytest.raises(CheckpointError):
            load(f"{folder}/{place(0, 0, number)}")
    assert warnings == []


def test_what_cannot_be_deleted_is_said_once(tmp_path):
    warnings = []
    (tmp_path / "trials").touch()
    for number in range(2):
        (tmp_path / f"file-{number}").touch()
    janitor = Janitor(str(tmp_path), 0.0, warnings.append)
    janitor.delete([Remove("file-0"), Remove("file-1")])  # a file in the place of a folder
    janitor.close()
    [warning] = warnings
    assert warning.startswith("a checkpoint that is not needed any more cannot be deleted: ")


def test_a_checkpoint_outlives_the_record_that_replaces_it_until_that_survives_a_power_cut(tmp_path):
    save(f"{tmp_path}/{place(0, 0, 0)}", 1, 0)
    janitor = Janitor(str(tmp_path), 3600.0, print)
    janitor.delete([Remove(place(0, 0, 0))])
    assert load(f"{tmp_path}/{place(0, 0, 0)}").state == 1
    janitor.close()  # the journal is closed, so there is nothing to wait for
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load(f"{tmp_path}/{place(0, 0, 0)}")
