"""Experiments in real tracking services; `make test-trackers` has them."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from maggy import Searchspace, lagom, load_checkpoint
from maggy.config import HyperparameterOptConfig
from maggy.journal import ExperimentFolder, read
from maggy.tracking.apart import Apart

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy

SPACE = Searchspace(
    lr=("DOUBLE", [0.001, 0.1]),
    layers=("INTEGER", [1, 8]),
    activation=("CATEGORICAL", ["relu", "tanh"]),
    batch=("DISCRETE", [16, 32, 64]),
)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(hparams, lr, layers, reporter):
    if reporter.trial_id == 2:
        raise ValueError("no luck")
    for step in range(3):
        reporter.broadcast(layers + step * lr, step)
    reporter.save_checkpoint({"layers": layers})
    return {"loss": layers + 3 * lr, "size": 10 * layers}


def experiment(folder, track, function=train, *, trials=4, engine="inline", **keywords):
    config = HyperparameterOptConfig(
        num_trials=trials,
        optimizer="randomsearch",
        searchspace=SPACE,
        optimization_key="loss",
        direction="min",
        name="houses",
        seed=1,
        experiment_dir=folder,
    )
    return lagom(function, config, track=track, engine=engine, verbose=0, **keywords)


def reported(result):
    """What each trial has reported, with the time that the journal has: trial -> [(step, value, milliseconds)]."""
    points: dict[int, list[tuple[int, float, int]]] = {}
    for record in read(ExperimentFolder(result.experiment_dir)):
        if type(record.event).__name__ == "MetricsReported":
            event, at = record.event, int(1000 * record.t)
            points.setdefault(event.trial, []).extend(
                (s, v, at) for s, v in zip(event.steps, event.values, strict=True)
            )
    return points


# --- MLflow


class Server:
    """A tracking server with a database of its own, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        self._log = (self._folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env=environment, cwd=self._folder, start_new_session=True
        )
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < deadline and self._process.poll() is None, self._log.name
                time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 15)
            self._process.wait()
            self._log.close()
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("mlflow.server")
    server = Server(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(request, monkeypatch):
    """Of a store; MLFLOW_TRACKING_URI says which."""
    mlflow = pytest.importorskip("mlflow")

    def at(url):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        return mlflow.MlflowClient(url)

    return at


def runs_of(client, name="houses"):
    """The run of the experiment, and those of its trials by number."""
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    (parent,) = [run for run in found if "maggy.trial" not in run.data.tags]
    return parent, {int(run.data.tags["maggy.trial"]): run for run in found if run is not parent}


def check_everything_is_there(client, result, name):
    parent, runs = runs_of(client, name)
    assert parent.info.status == "FINISHED" and parent.info.run_name == "houses"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    tags = parent.data.tags
    assert (tags["maggy.seed"], tags["maggy.engine"], tags["maggy.state"]) == ("1", "inline", "complete")
    assert "maggy.versions.maggy" in tags and parent.data.params["num_trials"] == "4"
    assert (tags["maggy.best_trial"], float(tags["maggy.best"])) == (str(result["best_id"]), result["best_val"])
    assert parent.data.metrics["best_loss"] == result["best_val"]
    points = reported(result)
    for trial in result.trials:
        run = runs.pop(trial.trial_id)
        assert run.data.params == {name: str(value) for name, value in trial.params.items()}
        if trial.error:
            assert (run.info.status, run.data.tags["maggy.state"]) == ("FAILED", "failed")
            assert run.data.tags["maggy.error"] == "ValueError: no luck"
            continue
        assert (run.info.status, run.data.tags["maggy.state"]) == ("FINISHED", "finished")
        assert run.data.metrics["final_loss"] == trial.final_metric
        assert run.data.metrics["size"] == 10 * trial.params["layers"]
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(point.step, point.value, point.timestamp) for point in history] == points[trial.trial_id]
        assert run.info.end_time == int(1000 * trial.end)
    assert runs == {}
    model = client.download_artifacts(parent.info.run_id, "model")
    assert load_checkpoint(model) == {"layers": result["best_config"]["layers"]}


def test_an_experiment_at_a_tracking_server(server, client, tmp_path):
    at_server = client(server.url)
    result = experiment(tmp_path / "experiment", "mlflow:served")
    check_everything_is_there(at_server, result, "served")


def test_an_experiment_in_a_store_of_this_machine(client, tmp_path):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")
    result = experiment(tmp_path / "experiment", ["mlflow:local"])
    check_everything_is_there(at_store, result, "local")


def test_a_run_that_the_program_itself_belongs_to_is_left_alone(client, tmp_path, monkeypatch):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")
    own = at_store.create_run(at_store.create_experiment("project"), run_name="program").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", own)  # as `mlflow run` sets it
    experiment(tmp_path / "experiment", "mlflow:local", trials=1)
    run = at_store.get_run(own)
    assert (run.info.run_name, run.info.status) == ("program", "RUNNING")
    assert not [tag for tag in run.data.tags if tag.startswith("maggy.")]


def test_more_points_than_a_batch_holds(client, tmp_path):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")

    def long(hparams, lr, reporter):
        for step in range(2500):
            reporter.broadcast(lr, step)
        return {"loss": lr}

    experiment(tmp_path / "experiment", "mlflow:long", long, trials=1)
    _, runs = runs_of(at_store, "long")
    history = at_store.get_metric_history(runs[0].info.run_id, "loss")
    assert [point.step for point in history] == list(range(2500))


def test_a_trial_that_is_stopped_is_marked_with_the_reason(client, tmp_path):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")

    def slow(hparams, reporter):
        for step in range(200):
            reporter.broadcast(float(reporter.trial_id), step, wait=True)
        return {"loss": float(reporter.trial_id)}

    config = HyperparameterOptConfig(
        4, "randomsearch", SPACE, "loss", "min", es_policy="median", es_min=2, es_interval=1, experiment_dir="e"
    )
    result = lagom(slow, config, engine="inline", track="mlflow:stopping", verbose=0)
    _, runs = runs_of(at_store, "stopping")
    stopped = [trial for trial in result.trials if trial.early_stop]
    assert stopped
    for trial in stopped:
        tags = runs[trial.trial_id].data.tags
        assert (tags["maggy.state"], tags["maggy.reason"]) == ("stopped", trial.reason)


def test_an_experiment_that_is_resumed_goes_on_in_the_same_run(client, tmp_path):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")
    experiment(tmp_path / "experiment", "mlflow:again")
    before, _ = runs_of(at_store, "again")
    result = lagom(
        resume=tmp_path / "experiment",
        force=True,
        num_trials=6,
        engine="inline",
        track="mlflow:again",
        verbose=0,
        train_fn=train,
    )
    after, runs = runs_of(at_store, "again")
    assert after.info.run_id == before.info.run_id and after.info.status == "FINISHED"
    assert sorted(runs) == [0, 1, 2, 3, 4, 5]
    points = reported(result)
    for trial in result.trials:
        if not trial.error:
            history = at_store.get_metric_history(runs[trial.trial_id].info.run_id, "loss")
            assert [(point.step, point.value, point.timestamp) for point in history] == points[trial.trial_id]


def test_one_that_was_not_tracked_before_is_written_whole_when_it_is_resumed(client, tmp_path):
    at_store = client(f"sqlite:///{tmp_path}/mlflow.db")
    experiment(tmp_path / "experiment", None)
    lagom(
        train, resume=tmp_path / "experiment", force=True, num_trials=5, engine="inline", track="mlflow:late", verbose=0
    )
    _, runs = runs_of(at_store, "late")
    assert sorted(runs) == [0, 1, 2, 3, 4]


def test_a_server_that_comes_late_misses_nothing(client, tmp_path, capsys):
    pytest.importorskip("mlflow.server")
    server = Server(tmp_path)
    at_server = client(server.url)
    there = tmp_path / "there"

    def waits(hparams, lr, layers, reporter):
        while reporter.trial_id == 3 and not there.exists():
            time.sleep(0.05)
        return train(hparams, lr, layers, reporter)

    run = experiment(tmp_path / "experiment", "mlflow:served", waits, block=False, engine="inline")
    said = ""
    while "mlflow does not answer" not in said:
        assert not run.done
        said += capsys.readouterr().out
        time.sleep(0.1)
    server.start()
    there.touch()
    try:
        result = run.result(timeout=120)
        check_everything_is_there(at_server, result, "served")
    finally:
        server.stop()
    assert (said + capsys.readouterr().out).count("does not answer") == 1


def test_a_server_that_never_comes_costs_the_experiment_nothing(client, tmp_path, capsys):
    pytest.importorskip("mlflow")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = experiment(tmp_path / "experiment", Apart("mlflow", "nowhere", patience_s=0.5))
    assert len(result.trials) == 4
    records = sum(1 for _ in read(ExperimentFolder(result.experiment_dir)))
    said = capsys.readouterr().out
    assert said.count("mlflow does not answer") == 1
    assert f"mlflow: {records} records could not be written" in said


# --- Weights & Biases


def events_in(file: Path):
    """What a run of wandb has written offline: the format of LevelDB's log, after a header of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            event = wandb_internal_pb2.Record()
            event.ParseFromString(parts)
            yield event
            parts = b""


def in_wandb(folder: Path):
    """Runs by id: what they are called, their configuration, points of the loss, summary, and how they ended."""
    runs = {}
    for file in folder.glob("wandb/offline-run-*/run-*.wandb"):
        config, points, summary, about, code = {}, [], {}, None, None
        for event in events_in(file):
            match event.WhichOneof("record_type"):
                case "run":
                    about = event.run
                    config |= {update.key: json.loads(update.value_json) for update in event.run.config.update}
                case "config":
                    config |= {update.key: json.loads(update.value_json) for update in event.config.update}
                case "history":
                    values = {
                        (item.key or item.nested_key[0]): json.loads(item.value_json) for item in event.history.item
                    }
                    if "loss" in values:
                        points.append((event.history.step.num, values["loss"], values["_timestamp"]))
                case "summary":
                    summary |= {
                        (item.key or ".".join(item.nested_key)): json.loads(item.value_json)
                        for item in event.summary.update
                    }
                case "exit":
                    code = event.exit.exit_code
        runs[about.run_id] = about, config, points, summary, code
    return runs


def test_an_experiment_in_wandb_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    result = experiment(tmp_path / "experiment", "wandb:streets")
    identity = json.loads((tmp_path / "experiment" / "experiment.json").read_text())["id"]
    runs = in_wandb(tmp_path)
    about, config, _, summary, code = runs.pop(identity)
    assert (about.project, about.job_type, about.display_name, code) == ("streets", "experiment", "houses", 0)
    assert summary["maggy.seed"] == 1 and summary["maggy.best_trial"] == result["best_id"]
    groups = {about.run_group}
    points = reported(result)
    for trial in result.trials:
        about, config, seen, summary, code = runs.pop(f"{identity}-{trial.trial_id}")
        groups.add(about.run_group)
        assert (about.display_name, code) == (f"trial {trial.trial_id}", int(trial.error is not None))
        assert {name: config[name] for name in trial.params} == trial.params
        assert summary["maggy.state"] == str(trial.state)
        if not trial.error:
            assert [(step, value) for step, value, _ in seen] == [point[:2] for point in points[trial.trial_id]]
            *times, last = [1000 * at for _, _, at in seen]
            *expected, reported_at = [at for _, _, at in points[trial.trial_id]]
            assert times == pytest.approx(expected, abs=1.5)  # of milliseconds
            # What the trial ended with joins its last step, and so does the time of that.
            assert reported_at - 1.5 <= last <= 1000 * trial.end + 1.5
    assert runs == {} and len(groups) == 1


# --- TensorBoard


@pytest.fixture
def tensorboard():
    """Starts a TensorBoard on a folder, and asks it."""
    pytest.importorskip("tensorboard")
    processes = []

    def start(folder):
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1"]
        process = subprocess.Popen([*command, "--port", "0", "--load_fast", "false"], stderr=subprocess.PIPE, text=True)
        processes.append(process)
        for line in process.stderr:
            if " at http://" in line:
                url = line.split(" at ")[1].split()[0].rstrip("/")
                break
        else:
            pytest.fail("TensorBoard has not started")

        def ask(path, **body):
            data = json.dumps(body).encode() if body else None
            request = urllib.request.Request(f"{url}/data/{path}", data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        return ask

    yield start
    for process in processes:
        process.terminate()
        process.wait()
        process.stderr.close()


def until(look, done):
    """TensorBoard reads files in the background."""
    deadline = time.monotonic() + 60
    while not done(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
    return seen


def test_a_tensorboard_shows_every_trial_and_its_hyperparameters(tensorboard, tmp_path):
    result = experiment(tmp_path / "experiment", "tensorboard")
    ask = tensorboard(result.experiment_dir)
    tags = until(lambda: ask("plugin/scalars/tags"), lambda tags: len(tags) == 4)  # one has failed before any point
    assert set(tags) == {".", "trials/0", "trials/1", "trials/3"}
    points = reported(result)
    for number in (0, 1, 3):
        seen = ask(f"plugin/scalars/scalars?run=trials%2F{number}&tag=loss")
        assert [(step, pytest.approx(value), int(1000 * at)) for at, step, value in seen] == points[number]

    about = until(lambda: ask("plugin/hparams/experiment", experimentName=""), lambda about: about.get("hparamInfos"))
    infos = {info["name"]: info for info in about["hparamInfos"]}
    assert infos["lr"]["domainInterval"] == {"minValue": 0.001, "maxValue": 0.1}
    assert infos["layers"]["domainInterval"] == {"minValue": 1.0, "maxValue": 8.0}
    assert infos["activation"]["domainDiscrete"] == ["relu", "tanh"]
    assert infos["batch"]["domainDiscrete"] == [16.0, 32.0, 64.0]
    assert {info["name"]["tag"]: info["displayName"] for info in about["metricInfos"]} == {
        "final_loss": "final loss",
        "loss": "loss",
    }
    wanted = {"allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]}
    wanted |= {"colParams": [{"metric": {"tag": "final_loss"}}], "startIndex": 0, "sliceSize": 100}
    groups = ask("plugin/hparams/session_groups", experimentName="", **wanted)["sessionGroups"]
    sessions = {session["name"]: (group, session) for group in groups for session in group["sessions"]}
    assert len(sessions) == 4
    for trial in result.trials:
        group, session = sessions[f"trials/{trial.trial_id}"]
        assert group["hparams"] == trial.params
        assert session["status"] == ("STATUS_FAILURE" if trial.error else "STATUS_SUCCESS")
        assert int(1000 * session["endTimeSecs"]) == int(1000 * trial.end)
        if not trial.error:
            assert session["metricValues"][0]["value"] == pytest.approx(trial.final_metric)


def test_its_events_are_whole_for_whoever_reads_them(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = experiment(tmp_path / "experiment", ["tensorboard"], trials=1)
    lagom(
        train, resume=tmp_path / "experiment", force=True, num_trials=2, engine="inline", track="tensorboard", verbose=0
    )
    for number in (0, 1):
        folder = Path(result.experiment_dir, "trials", str(number))
        events = EventAccumulator(str(folder)).Reload()
        assert [point.step for point in events.Scalars("loss")] == [0, 1, 2]
        assert len(list(folder.glob("*tfevents*"))) == 1
    assert "tensorflow" not in sys.modules


def test_the_events_of_a_users_own_writer_are_beside_them(tensorboard, tmp_path):
    pytest.importorskip("tensorboardX")

    def own(hparams, lr, reporter):
        from tensorboardX import SummaryWriter

        import maggy

        assert maggy.tensorboard.logdir() == reporter.logdir
        with SummaryWriter(f"{reporter.logdir}/train") as writer:
            writer.add_scalar("gradient", lr, 7)
        return {"loss": lr}

    result = experiment(tmp_path / "experiment", "tensorboard", own, trials=2, engine="local")
    ask = tensorboard(result.experiment_dir)
    tags = until(lambda: ask("plugin/scalars/tags"), lambda tags: len(tags) == 5)
    for trial in result.trials:
        assert "final_loss" in tags[f"trials/{trial.trial_id}"]
        seen = ask(f"plugin/scalars/scalars?run=trials%2F{trial.trial_id}%2Ftensorboard%2Ftrain&tag=gradient")
        assert [(step, value) for _, step, value in seen] == [(7, pytest.approx(trial.params["lr"]))]


def test_values_of_several_kinds_can_be_chosen_in_the_hparams_tab(tensorboard, tmp_path):
    space = Searchspace(rate=("DISCRETE", [1, 2.5]), size=("CATEGORICAL", [None, 32, 0.5]))
    config = HyperparameterOptConfig(4, "randomsearch", space, experiment_dir=tmp_path / "experiment")
    result = lagom(lambda rate, size: rate, config, engine="inline", track="tensorboard", verbose=0)
    ask = tensorboard(result.experiment_dir)

    def chosen():
        about = ask("plugin/hparams/experiment", experimentName="")
        columns = [
            {"hparam": info["name"], "filterDiscrete": info["domainDiscrete"]} for info in about.get("hparamInfos", [])
        ]
        wanted = {"allowedStatuses": ["STATUS_SUCCESS"], "startIndex": 0, "sliceSize": 10, "colParams": columns}
        groups = ask("plugin/hparams/session_groups", experimentName="", **wanted).get("sessionGroups", [])
        return {group["name"]: group["hparams"] for group in groups} if columns else {}

    seen = until(chosen, lambda seen: len(seen) == 4)
    told = sorted((values["rate"], values["size"]) for values in seen.values())
    assert told == sorted((float(trial.params["rate"]), str(trial.params["size"])) for trial in result.trials)
