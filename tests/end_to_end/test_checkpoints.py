"""Trials that go on from where a killed worker has left them."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest
from end_to_end.conftest import search

import maggy
from maggy import Searchspace, lagom
from maggy.brain import events as ev
from maggy.config import BaseConfig
from maggy.engine.spark import SparkEngine
from maggy.errors import ExperimentFailedError
from maggy.journal import ExperimentFolder, read
from maggy.trial import TrialState

X = Searchspace(x=("DOUBLE", [0.0, 1.0]))


def killed_when_on_record(run: str, saved) -> None:
    """Kill this process as soon as the journal has the checkpoint that it has saved last."""
    import os
    import signal
    import time
    from pathlib import Path

    record = f'"CheckpointSaved","trial":{saved.trial},"attempt":{saved.attempt},"number":{saved.number},'
    while not any(record in path.read_text() for path in Path(run, "journal").iterdir()):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def counting(run: str, folder: str, *, deaths: int):
    """A training of ten epochs, each written down, in which the first attempts are killed after epoch 3, 6, ..."""

    def train(x, reporter):
        from pathlib import Path

        state = reporter.load_checkpoint() or {"epoch": 0, "sum": 0.0, "deaths": 0}
        while state["epoch"] < 10:
            state["epoch"] += 1
            state["sum"] += x
            with Path(folder, f"{x}").open("a") as file:
                file.write(f"{state['epoch']}\n")
            reporter.broadcast(state["sum"], step=state["epoch"])
            dies = state["epoch"] == 3 * (state["deaths"] + 1) and state["deaths"] < deaths
            state["deaths"] += dies
            reporter.save_checkpoint(state)
            if dies:
                killed_when_on_record(run, reporter.checkpoint)
        return state["sum"]

    return train


def epochs(folder: Path) -> list[list[int]]:
    """Of each trial, the epochs it has computed, in order."""
    return [[int(line) for line in path.read_text().split()] for path in folder.iterdir()]


def checkpoints(result) -> list[str]:
    """Every checkpoint in the folder."""
    folder = Path(result.experiment_dir)
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("trials/*/checkpoints/*"))


@pytest.fixture
def run(tmp_path):
    """The experiment's folder."""
    return str(tmp_path / "run")


@pytest.fixture
def notes(tmp_path):
    """A folder where the epochs are written down."""
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def test_a_trial_whose_worker_is_killed_goes_on_where_it_was_and_computes_no_epoch_twice(run, notes):
    config = search(6, searchspace=X, experiment_dir=run)
    result = lagom(counting(run, str(notes), deaths=2), config, engine="local", verbose=0)

    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    assert {trial.attempt for trial in result.trials} == {2}
    assert epochs(notes) == [list(range(1, 11))] * 6
    assert [trial.final_metric for trial in result.trials] == [
        pytest.approx(10 * trial.params["x"]) for trial in result.trials
    ]
    assert checkpoints(result) == sorted(f"trials/{number}/checkpoints/2-3" for number in range(6))
    for trial in result.trials:
        assert (trial.checkpoint.attempt, trial.checkpoint.step) == (2, 10)
        assert maggy.load_checkpoint(trial.checkpoint)["sum"] == trial.final_metric


@pytest.mark.spark
def test_a_trial_whose_executor_is_killed_goes_on_elsewhere(spark, run, notes):
    folder = str(notes)

    def train(x, reporter):
        import os
        import signal
        import time
        from pathlib import Path

        state = reporter.load_checkpoint() or {"epoch": 0}
        while state["epoch"] < 6:
            state["epoch"] += 1
            with Path(folder, f"{x}").open("a") as file:
                file.write(f"{state['epoch']}\n")
            reporter.save_checkpoint(state)
            if state["epoch"] == 4 and x > 0.5 and not Path(folder).with_name("killed").exists():
                Path(folder).with_name("killed").touch()
                record = f'"CheckpointSaved","trial":{reporter.trial_id},"attempt":0,"number":3,'
                while not any(record in path.read_text() for path in Path(run, "journal").iterdir()):
                    time.sleep(0.01)
                pid = os.getpid()
                while True:  # worker, Python task, its daemon, and at last the executor's JVM
                    pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                    if "CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
                        signal.pause()  # this process goes down with it
        return state["epoch"] + x

    config = search(6, searchspace=X, experiment_dir=run)
    result = lagom(train, config, engine=SparkEngine(spark), verbose=0)

    assert {trial.state for trial in result.trials} == {TrialState.FINISHED}
    assert max(trial.attempt for trial in result.trials) == 1
    assert epochs(notes) == [[1, 2, 3, 4, 5, 6]] * 6
    assert len(checkpoints(result)) == 6


def test_a_directory_is_handed_to_the_next_attempt_as_a_copy_to_work_in(run, notes):
    folder = str(notes)

    def train(x, reporter):
        import tempfile
        from pathlib import Path

        work = reporter.load_checkpoint() or Path(tempfile.mkdtemp(dir=folder))
        log = work / "log"
        before = log.read_text() if log.exists() else ""
        log.write_text(before + "x")
        reporter.save_checkpoint(work)
        if not before:
            log.write_text("half-written")
            killed_when_on_record(run, reporter.checkpoint)
        return len(log.read_text())

    result = lagom(train, search(2, searchspace=X, experiment_dir=run), engine="local", verbose=0)

    assert result["metric_list"] == [2.0, 2.0]
    found = maggy.load_checkpoint(result.best.checkpoint)
    assert (found / "log").read_text() == "xx"
    assert found.is_relative_to(result.experiment_dir)


def test_a_network_of_torch_trains_on_as_if_nothing_had_happened(run):
    def train(x, reporter):
        from pathlib import Path

        import torch

        torch.manual_seed(int(1000 * x))
        model = torch.nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        epoch = 0
        if (state := reporter.load_checkpoint()) is not None:
            epoch = state["epoch"]
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["rng"])
        while epoch < 6:
            loss = (model(torch.randn(8, 4)) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch += 1
            reporter.save_checkpoint(
                {
                    "epoch": epoch,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "rng": torch.get_rng_state(),
                },
                step=epoch,
            )
            if epoch == 3 and state is None and Path(run).exists():
                killed_when_on_record(run, reporter.checkpoint)
        return loss

    undisturbed = lagom(train, search(2, searchspace=X), engine="local", verbose=0)
    killed = lagom(train, search(2, searchspace=X, experiment_dir=run), engine="local", verbose=0)

    assert {trial.attempt for trial in killed.trials} == {1}
    assert sorted(killed["metric_list"]) == sorted(undisturbed["metric_list"])


def test_checkpoints_are_visible_in_result_table_journal_and_summary(engine, capsys):
    def train(x, reporter):
        reporter.broadcast(x, step=5)
        reporter.save_checkpoint({"x": x, "weights": bytes(100_000)})
        return x

    result = lagom(train, search(3, searchspace=X), engine=engine, verbose=1)

    best = result.best.checkpoint
    assert best.url == f"{result.experiment_dir}/trials/{result.best.trial_id}/checkpoints/0-0"
    assert best.size_bytes > 100_000 and best.seconds > 0 and best.step == 5
    assert maggy.load_checkpoint(best)["x"] == result["best_val"]
    assert set(result.to_pandas()["checkpoint"]) == {trial.checkpoint.url for trial in result.trials}
    events = [record.event for record in read(ExperimentFolder(result.experiment_dir))]
    saved = {event.trial: event for event in events if isinstance(event, ev.CheckpointSaved)}
    assert saved[result.best.trial_id].size_bytes == best.size_bytes
    assert f"state     {best.url} (step 5, 0.1 MB)" in capsys.readouterr().err


def test_the_quota_holds_and_the_best_is_kept(tmp_path):
    def train(x, reporter):
        reporter.save_checkpoint({"x": x, "weights": bytes(100_000)})
        return x

    config = search(8, searchspace=X, checkpoint_quota_bytes=350_000, num_workers=1)
    result = lagom(train, config, engine="local", verbose=0)

    ranked = sorted(result.trials, key=lambda trial: trial.final_metric, reverse=True)
    kept = {trial.trial_id for trial in result.trials if trial.checkpoint is not None}
    assert result.best.trial_id in kept
    assert len(kept) == 3
    assert ranked[-1].trial_id not in kept
    assert checkpoints(result) == sorted(f"trials/{number}/checkpoints/0-0" for number in kept)


def test_a_url_that_is_shared_with_the_worker_works_inline():
    url = f"memory://{uuid.uuid4().hex}"

    def train(x, reporter):
        first = reporter.load_checkpoint()
        for epoch in range(3):
            reporter.save_checkpoint({"epoch": epoch})
        return x if first is None and reporter.load_checkpoint() == {"epoch": 2} else -1

    result = lagom(train, search(3, searchspace=X, experiment_dir=url), engine="inline", verbose=0)

    assert min(result["metric_list"]) >= 0
    fs, root = fsspec.core.url_to_fs(url)
    for trial in result.trials:
        assert maggy.load_checkpoint(trial.checkpoint) == {"epoch": 2}
        [only] = fs.ls(f"{root}/trials/{trial.trial_id}/checkpoints", detail=False)
        assert only.endswith("/0-2")


def test_a_folder_that_workers_do_not_share_fails_checkpoints_and_nothing_else():
    url = f"memory://{uuid.uuid4().hex}"  # each process has a memory of its own

    def train(x, reporter):
        assert reporter.load_checkpoint() is None
        if x > 0.5:
            reporter.save_checkpoint({})
        return x

    result = lagom(train, search(8, searchspace=X, experiment_dir=url), engine="local", verbose=0)

    assert result.failed_trials and {trial.params["x"] > 0.5 for trial in result.failed_trials} == {True}
    for trial in result.failed_trials:
        assert trial.error.startswith("maggy.errors.ExperimentDirError: the worker on ")
        assert f"cannot see the experiment's folder {url} " in trial.error
        assert "Set experiment_dir to a place that every worker reaches" in trial.error
    assert {trial.params["x"] <= 0.5 for trial in result.trials if trial.state.has_result} == {True}


def test_data_in_a_folder_that_workers_do_not_share_end_the_experiment_at_once():
    url = f"memory://{uuid.uuid4().hex}"

    with pytest.raises(
        ExperimentFailedError, match=r"ExperimentDirError: the worker on .* cannot see the experiment's"
    ):
        lagom(lambda train_set: 1, BaseConfig(train_set=[1, 2], experiment_dir=url), engine="local", verbose=0)


def test_a_checkpoint_that_was_damaged_fails_its_trial_and_says_which_file(run, tmp_path):
    marker = tmp_path / "killed"

    def train(x, reporter):
        from pathlib import Path

        reporter.load_checkpoint()
        reporter.save_checkpoint({"x": x})
        if not marker.exists():
            marker.touch()
            [state] = Path(run).glob("trials/*/checkpoints/*/state.pickle")
            state.write_bytes(state.read_bytes()[:-1])
            killed_when_on_record(run, reporter.checkpoint)
        return x

    config = search(2, searchspace=X, num_workers=1, experiment_dir=run)
    result = lagom(train, config, engine="local", verbose=0)

    [damaged] = result.failed_trials
    assert damaged.attempt == 1
    assert damaged.error.startswith("maggy.errors.CheckpointError: the checkpoint ")
    assert "is damaged: state.pickle: it has " in damaged.error


def test_a_folder_that_cannot_be_written_fails_the_trial_with_what_to_do():
    def train(reporter):
        from pathlib import Path

        [run] = Path("maggy-runs").glob("*/*")
        (run / "trials").touch()  # a file in the place of the folder
        reporter.save_checkpoint({})

    with pytest.raises(ExperimentFailedError, match=r"CheckpointError: .* cannot be written: .*Make room there"):
        lagom(train, engine="local", verbose=0)


def test_without_checkpoints_there_is_no_folder_for_them(engine):
    result = lagom(lambda x: x, search(3, searchspace=X), engine=engine, verbose=0)

    assert {trial.checkpoint for trial in result.trials} == {None}
    assert not Path(result.experiment_dir, "trials").exists()


def test_a_worker_that_is_warned_saves_and_another_goes_on_from_there(tmp_path):
    warned = tmp_path / "warned"

    def train(reporter):
        import os
        import signal

        state = reporter.load_checkpoint() or {"step": 0}
        started_at = state["step"]
        while state["step"] < 10:
            state["step"] += 1
            if state["step"] == 6 and not warned.exists():
                warned.touch()
                os.kill(os.getpid(), signal.SIGTERM)
            while state["step"] == 6 and started_at == 0 and not reporter.preempted:
                pass
            if reporter.preempted:
                reporter.save_checkpoint(state)
            reporter.broadcast(state["step"])
        return {"Metric": state["step"], "started_at": started_at}

    result = lagom(train, engine="local", verbose=0)

    [trial] = result.trials
    assert (trial.attempt, trial.metric_dict) == (1, {"Metric": 10, "started_at": 6})
