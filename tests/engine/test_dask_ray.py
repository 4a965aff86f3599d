"""What is particular about the engines for Dask and Ray; what they share with others is in the contract suite."""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import time

import pytest
from reliability.processes import descendants

from maggy.assembly import find_engine
from maggy.errors import EngineError
from maggy.testing.lobby import Lobby
from maggy.ticket import Ticket

pytestmark = pytest.mark.engines

PATIENCE_S = 60


@pytest.fixture(params=["dask", "ray"])
def engine(request):
    """Each engine on the cluster of the test run: two processes with one thread each."""
    request.getfixturevalue({"dask": "dask_client", "ray": "ray_session"}[request.param])
    return find_engine(request.param)


@pytest.fixture
def lobby():
    lobby = Lobby("127.0.0.1")
    yield lobby
    lobby.close()


@pytest.fixture
def exits():
    """What engines said through `on_exit`, in order."""
    return queue.Queue()


def tickets(number, entry, lobby):
    address = f"tcp://{lobby.address[0]}:{lobby.address[1]}"
    return [Ticket(address=address, experiment="exp", seat=seat, entry=entry) for seat in range(number)]


STAY = "engine.lingering:stay"


def test_there_are_as_many_slots_as_fit_into_the_parts_of_the_cluster(engine):
    assert engine.slots({}) == 2
    with pytest.raises(EngineError, match=r"a worker needs 3 .*and no .* that large: .*resources_per_worker"):
        engine.slots({"cpu": 3})
    with pytest.raises(EngineError, match=r"a worker needs 1 .* and 1 GPUs"):
        engine.slots({"gpu": 1})


def test_stop_ends_who_does_not_leave_and_who_still_waits_and_leaves_other_launches_alone(engine, lobby, exits):
    staying = engine.launch(tickets(1, STAY, lobby), {}, exits.put)
    first = lobby.next()
    ending = engine.launch(tickets(2, STAY, lobby), {}, exits.put)  # there is room for one of them
    second = lobby.next()

    ending.stop(grace_s=0)
    assert second.has_gone()
    assert exits.get(timeout=PATIENCE_S) is None

    first.tell("go")
    staying.stop(grace_s=PATIENCE_S)
    assert first.has_gone()
    assert exits.get_nowait() is None
    third = engine.launch(tickets(2, STAY, lobby), {}, exits.put)  # nothing is in its way
    for _ in range(2):
        lobby.next().tell("go")
    third.stop(grace_s=PATIENCE_S)
    assert exits.get_nowait() is None


def test_a_seat_that_can_never_be_filled_ends_with_the_error_of_python(engine, lobby, exits):
    engine.launch(tickets(2, "no_such_module:work", lobby), {}, exits.put)
    reason = exits.get(timeout=PATIENCE_S)
    assert isinstance(reason, EngineError)
    assert "No module named 'no_such_module'" in str(reason)
    assert exits.empty()


# --- Dask alone


def test_a_seat_is_filled_again_also_when_dask_has_given_up_its_task(dask_client, lobby, exits):
    def set_patience(dask_scheduler, failures):
        before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, failures
        return before

    before = dask_client.run_on_scheduler(set_patience, failures=0)
    try:
        launched = find_engine(dask_client).launch(tickets(1, STAY, lobby), {}, exits.put)
        for _ in range(2):
            os.kill(lobby.next().holder, signal.SIGKILL)
        lobby.next().tell("go")
        launched.stop(grace_s=PATIENCE_S)
    finally:
        dask_client.run_on_scheduler(set_patience, failures=before)
    assert exits.get_nowait() is None


def test_gpus_that_dask_workers_announce_are_shared_out(lobby, exits, monkeypatch):
    from distributed import Client, LocalCluster

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=4, resources={"GPU": 2}, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        engine = find_engine(client)
        assert (engine.slots({"gpu": 1}), engine.slots({"gpu": 0.5}), engine.slots({"cpu": 3})) == (2, 4, 1)
        launched = engine.launch(tickets(2, STAY, lobby), {"cpu": 2, "gpu": 1}, exits.put)
        visitors = [lobby.next(), lobby.next()]
        for visitor in visitors:
            visitor.tell("go")
        launched.stop(grace_s=PATIENCE_S)
    assert sorted(visitor.environment["CUDA_VISIBLE_DEVICES"] for visitor in visitors) == ["4", "7"]
    assert {visitor.environment["OMP_NUM_THREADS"] for visitor in visitors} == {"2"}
    with pytest.raises(EngineError, match="the Dask client given to DaskEngine is closed; connect another one"):
        engine.slots({})


# --- a cluster of its own, in another process

SCRIPT = """
import sys
import threading
from pathlib import Path
from maggy import Searchspace, lagom
from maggy.config import HyperparameterOptConfig


def train(x):
    if x > 0.5:
        Path(f"stuck-{x}").touch()
        threading.Event().wait()
    return x


if __name__ == "__main__":  # Dask starts its processes with `spawn`
    config = HyperparameterOptConfig(1000, "randomsearch", Searchspace(x=("DOUBLE", [0.0, 1.0])), seed=1)
    result = lagom(train, config, engine=sys.argv[1], verbose=0)
    print("returned", result.interrupted)
"""


LOSES_ITS_CLUSTER = """
import sys
import threading
from pathlib import Path
from maggy import lagom


def train():
    Path("stuck").touch()
    threading.Event().wait()


def shut_down():
    while not Path("stuck").exists():
        threading.Event().wait(0.01)
    if engine == "ray":
        ray.shutdown()
    else:
        client.close()


if __name__ == "__main__":
    engine = sys.argv[1]
    if engine == "ray":
        import ray

        ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=100 << 20,
                 log_to_driver=False, logging_level="ERROR")
    else:
        from distributed import Client, LocalCluster

        client = Client(LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"))
    threading.Thread(target=shut_down).start()
    try:
        lagom(train, engine=engine, verbose=0)
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dask", "EngineError the connection to Dask's scheduler is lost, the client is closed"),
        ("ray", "EngineError the Ray session of the workers was shut down; start another one."),
    ],
)
def test_an_experiment_whose_cluster_is_taken_away_ends_with_an_error_and_starts_no_other(name, says, tmp_path):
    (tmp_path / "script.py").write_text(LOSES_ITS_CLUSTER)
    done = subprocess.run(
        [sys.executable, "script.py", name], cwd=tmp_path, capture_output=True, text=True, timeout=2 * PATIENCE_S
    )
    assert done.stdout == f"{says}\n", done.stderr


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_ctrl_c_in_a_terminal_ends_the_experiment_and_the_own_cluster_leaves_nothing_behind(name, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    program = subprocess.Popen(
        [sys.executable, "-W", "error", "script.py", name],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list(tmp_path.glob("stuck-*"))) < min(2, len(os.sched_getaffinity(0))):
        assert program.poll() is None
        time.sleep(0.01)
    started = descendants(program.pid)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = program.communicate(timeout=PATIENCE_S)
    assert out == "returned True\n"
    assert err == "\nCtrl-C: ending, finished trials are kept; again to end at once\n"
    assert len(started) >= 4
    assert [command for pid, command in started.items() if not has_ended(pid)] == []


def has_ended(pid):
    """Whether a process is gone, at the latest after a while."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], PATIENCE_S)[0])
    finally:
        os.close(process)
