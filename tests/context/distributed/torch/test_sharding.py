"""Checkpoints of a gang; those of tensors that are sharded over its ranks, by FSDP2 itself."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from context.distributed.processes import PipeGang, run_gang

import maggy
from maggy import Reporter
from maggy.context import Probe
from maggy.driver.janitor import Janitor
from maggy.driver.keeper import Sweep
from maggy.errors import CheckpointError, MaggyError
from maggy.worker.checkpoints import Checkpoints

pytestmark = pytest.mark.distributed

STEPS, PLACE = 3, "trials/3/checkpoints/0-0"
SHARDED = {"manifest.json", "state.pickle", "shard-0.pickle", "shard-1.pickle"}


@pytest.fixture
def folder(tmp_path):
    """An experiment's folder."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "experiment.json").write_text(json.dumps({"id": "e"}))
    return run


def reporter_of(gang, folder, attempt=0, url=None):
    """The reporter of a rank; what it tells the driver is in `sent`."""
    sent = []
    checkpoints = Checkpoints(Probe(str(folder), "e"), trial=3, attempt=attempt, url=url, gang=gang)
    reporter = Reporter(sent.append, trial=3, attempt=attempt, checkpoints=checkpoints)
    reporter.sent = sent
    return reporter


def meet(gang, store):
    """The ranks of a gang meet at a file that is not there yet."""
    method = f"file://{store}"
    torch.distributed.init_process_group("gloo", init_method=method, rank=gang.rank, world_size=gang.size)


def network(sharded=True):
    """A network that no two ranks can share equally, one of whose layers has a single row; and its optimizer."""
    from torch.distributed.fsdp import fully_shard

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 1))
    if sharded:
        fully_shard(model)
    return model, torch.optim.AdamW(model.parameters(), 0.1)


def train(model, optimizer, steps):
    """Some steps over the same data on every rank; the last loss."""
    x = torch.linspace(-1, 1, 24).reshape(8, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def state_of(model, optimizer):
    weight = model.state_dict()["0.weight"]
    return {"model": model.state_dict(), "nested": [{"optimizer": optimizer.state_dict()}], "tied": (weight, weight)}


def restore(model, optimizer, state):
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["nested"][0]["optimizer"])


def plain(state):
    """A copy of a state, with whole tensors."""
    if isinstance(state, torch.Tensor):
        return state.full_tensor() if hasattr(state, "full_tensor") else state.clone()
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return [plain(value) for value in state] if isinstance(state, list | tuple) else state


def equal(one, other):
    """Whether two plain states are the same to the last bit."""
    if isinstance(one, torch.Tensor):
        return type(one) is type(other) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


# --- sharded


def saves(gang, folder, store):
    """Trains, saves, trains on; and so does another one that loads."""
    meet(gang, store)
    model, optimizer = network()
    train(model, optimizer, STEPS)
    reporter = reporter_of(gang, folder)
    reporter.save_checkpoint(state_of(model, optimizer), step=STEPS)
    whole = plain(state_of(model, optimizer))

    state = reporter.load_checkpoint()
    assert state["tied"][0] is state["tied"][1]
    assert state["tied"][0].device_mesh == model.state_dict()["0.weight"].device_mesh
    others = network()
    restore(*others, state)
    loss = train(model, optimizer, 2)
    assert train(*others, 2) == loss
    assert equal(plain(state_of(model, optimizer)), plain(state_of(*others)))
    return reporter.sent, whole, loss


def goes_on(gang, folder, store):
    """A later attempt."""
    meet(gang, store)
    reporter = reporter_of(gang, folder, attempt=1, url=f"{folder}/{PLACE}")
    others = network()
    restore(*others, reporter.load_checkpoint())
    return reporter.last_step, train(*others, 2)


def test_a_training_goes_on_from_its_shards_as_if_undisturbed_on_however_many_ranks(folder, tmp_path):
    (sent, whole, loss), (sent_by_other, _, _) = run_gang(saves, 2, folder, tmp_path / "store")

    files = {path.name: path.stat().st_size for path in (folder / PLACE).iterdir()}
    assert files.keys() == SHARDED
    assert [message.size_bytes for message in sent] == [sum(files.values()) - files["manifest.json"]]
    assert sent_by_other == []

    url = f"{folder}/{PLACE}"
    state = maggy.load_checkpoint(url)  # where nobody trains together
    assert equal(plain(state), whole)
    assert type(state["tied"][0]) is torch.Tensor and state["tied"][0] is state["tied"][1]
    model, optimizer = network(sharded=False)
    restore(model, optimizer, Checkpoints(Probe(str(folder), "e"), trial=3, attempt=1, url=url).load()[0])
    assert train(model, optimizer, 2) == pytest.approx(loss, rel=1e-6)

    for size in (1, 3):
        for result in run_gang(goes_on, size, folder, tmp_path / f"store-{size}"):
            assert result == (STEPS, pytest.approx(loss, rel=1e-6))

    damaged = folder / PLACE / "shard-1.pickle"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"is damaged: shard-1\.pickle: its checksum does not match"):
        maggy.load_checkpoint(url)


def cannot_save(gang, folder, store):
    """What `save_checkpoint` says on this rank, and whether there is a checkpoint then."""
    import resource

    meet(gang, store)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    model, optimizer = network()
    train(model, optimizer, 1)
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2, 1), mesh_dim_names=("a", "b"))
    shard, replicate = torch.distributed.tensor.Shard(0), torch.distributed.tensor.Replicate()
    said = []

    def says(reporter, state):
        with pytest.raises(CheckpointError) as caught:
            reporter.save_checkpoint(state)
        gang.gather("said")
        said.append(str(caught.value))
        assert reporter.load_checkpoint() is None

    for url in (str(folder), f"file://{folder}"):  # a path, and a store that knows no renaming
        reporter = reporter_of(gang, url)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        if gang.rank == 1:  # stands for a disk without room
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
        says(reporter, state_of(model, optimizer))
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        says(reporter, {**state_of(model, optimizer), "what": (n for n in range(3))})
        says(reporter, {**state_of(model, optimizer), "more": SimpleNamespace(weight=model.state_dict()["3.weight"])})
        says(reporter, [torch.distributed.tensor.distribute_tensor(torch.ones(4), mesh, [shard, replicate])])
        reporter.save_checkpoint(state_of(model, optimizer))
        assert equal(plain(reporter.load_checkpoint()), plain(state_of(model, optimizer)))
    with pytest.raises(CheckpointError, match=r"over 2 processes, and 1 run this trial"):
        Reporter().save_checkpoint(state_of(model, optimizer))
    return said


def test_what_one_rank_cannot_write_is_an_error_on_all_and_nothing_is_left(folder, tmp_path):
    first, second = run_gang(cannot_save, 2, folder, tmp_path / "store")
    for first_said, second_said in ((first[:4], second[:4]), (first[4:], second[4:])):
        full, pickles, hidden, unfit = zip(first_said, second_said, strict=True)
        assert full[0].startswith("rank 1 could not write a checkpoint: OSError: [Errno 27] File too large")
        assert "cannot be written: OSError: [Errno 27] File too large" in full[1]
        assert "given dict, which cannot be pickled" in pickles[0]
        assert pickles[1].startswith("rank 0 could not write a checkpoint: CheckpointError: save_checkpoint was given")
        assert "within an object of another kind than dict, list and tuple" in hidden[0]
        assert hidden[1].startswith("rank 0 could not write")
        assert all("Else save its full_tensor()" in said for said in unfit)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"experiment.json", *(f"trials/3/checkpoints/0-4/{name}" for name in SHARDED)}


class Mortal(PipeGang):
    """A rank that is killed when it has written its part of a checkpoint."""

    def gather(self, what, *part):
        if self.rank == 1 and what == "write a checkpoint":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().gather(what, *part)


def dies(gang, folder, store):
    meet(gang, store)
    gang.__class__ = Mortal
    reporter_of(gang, folder).save_checkpoint(state_of(*network()))


def test_a_rank_that_is_killed_leaves_nothing_that_looks_like_a_checkpoint_and_the_janitor_takes_it(folder, tmp_path):
    with pytest.raises(AssertionError, match="rank 1 died"):
        run_gang(dies, 2, folder, tmp_path / "store")
    checkpoints = (folder / PLACE).parent
    assert {path.name for path in checkpoints.rglob("*")} >= {".0-0.partial", "shard-1.pickle"}
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        maggy.load_checkpoint(folder / PLACE)
    janitor = Janitor(str(folder), 0.0, pytest.fail)
    janitor.delete([Sweep(3, 0, (), late=False)])
    janitor.close()
    assert list(checkpoints.iterdir()) == []


# --- not sharded


def saves_plainly(gang, folder, model):
    reporter = reporter_of(gang, folder)
    assert reporter.load_checkpoint() is None
    reporter.save_checkpoint({"rank": gang.rank}, step=1)
    loaded = [reporter.load_checkpoint()]
    if gang.rank == 0:
        reporter.save_checkpoint(model)
    copy = reporter.load_checkpoint()
    loaded += [(copy / "weights").read_text(), reporter.last_step, len(reporter.sent)]
    reporter.end()
    return loaded, copy.exists()


def test_rank_0_saves_for_all_and_all_load_what_it_saved(folder, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("w")
    first, second = run_gang(saves_plainly, 2, folder, tmp_path / "model")
    assert first == ([{"rank": 0}, "w", 1, 2], False)
    assert second == ([{"rank": 0}, "w", 1, 0], False)
    assert {path.name for path in (folder / PLACE).iterdir()} == {"manifest.json", "state.pickle"}


def loads_what_only_one_rank_sees(gang, folder):
    reporter = reporter_of(gang, folder if gang.rank == 0 else "/nowhere")
    if gang.rank == 0:
        reporter.save_checkpoint({"w": 1})
    with pytest.raises(MaggyError) as caught:
        reporter.load_checkpoint()
    return f"{type(caught.value).__name__}: {caught.value}"


def test_none_goes_on_from_a_checkpoint_that_one_rank_cannot_load(folder):
    first, second = run_gang(loads_what_only_one_rank_sees, 2, folder)
    assert first.startswith("CheckpointError: rank 1 could not load a checkpoint: ExperimentDirError: the worker on")
    assert second.startswith("ExperimentDirError: the worker on")
