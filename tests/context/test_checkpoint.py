"""A checkpoint is whole or not there, comes back as it was saved, and says what is wrong with it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import maggy
from maggy.context.checkpoint import load, place, save
from maggy.context.store import store_at
from maggy.errors import CheckpointError
from maggy.trial import Checkpoint


@pytest.fixture(params=["path", "memory"])
def folder(request, tmp_path):
    """An empty folder on this machine, or in a store that fsspec knows."""
    if request.param == "path":
        return str(tmp_path / "run")
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def directory(tmp_path):
    """A directory as a library would save it."""
    made = tmp_path / "model"
    (made / "weights" / "shards").mkdir(parents=True)
    (made / "logs").mkdir()
    (made / "config.json").write_text("{}")
    (made / "manifest.json").write_text("mine")
    (made / "weights" / "shards" / "0.bin").write_bytes(bytes(range(256)) * 10_000)
    (made / "empty").touch()
    return made


def content(directory: Path) -> dict[str, bytes | None]:
    """Every file below a directory, and None for folders."""
    return {
        path.relative_to(directory).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in directory.rglob("*")
    }


# --- there and back


@given(state=st.recursive(st.none() | st.integers() | st.text() | st.binary(), lambda x: st.dictionaries(st.text(), x)))
def test_whatever_pickle_knows_comes_back(tmp_path_factory, state):
    if isinstance(state, str):
        state = [state]
    url = str(tmp_path_factory.mktemp("state") / "0-0")
    size = save(url, state, 3)
    assert (load(url).state, load(url).step) == (state, 3)
    assert size == Path(url, "state.pickle").stat().st_size


def test_a_state_of_torch_comes_back_and_trains_on(folder):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    url, rng = f"{folder}/0-0", torch.get_rng_state()
    save(url, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": rng}, 1)

    there = load(url).state
    other = torch.nn.Linear(3, 2)
    other.load_state_dict(there["model"])
    again = torch.optim.Adam(other.parameters())
    again.load_state_dict(there["optimizer"])
    for each, its in ((model, optimizer), (other, again)):
        its.zero_grad()
        each(torch.ones(1, 3)).sum().backward()
        its.step()
    assert all(torch.equal(mine, its) for mine, its in zip(model.parameters(), other.parameters(), strict=True))
    assert torch.equal(there["rng"], rng)


def test_a_directory_comes_back_whole_as_a_copy_that_may_be_written(folder, directory):
    url = f"{folder}/0-0"
    size = save(url, directory, None)
    assert size == sum(len(data) for data in content(directory).values() if data is not None)

    loaded = load(url)
    assert content(loaded.state) == content(directory)
    assert loaded.step is None
    (loaded.state / "config.json").write_text("changed")
    assert content(load(url).state)["config.json"] == b"{}"
    shutil.rmtree(loaded.scratch)


def test_a_directory_may_be_named_by_a_text_and_be_where_the_checkpoint_goes(directory, tmp_path):
    url = str(directory / "checkpoints" / "0-0")
    before = content(directory)
    save(url, str(directory), 0)
    assert content(load(url).state) == before


def test_after_the_experiment_a_checkpoint_is_loaded_by_its_trials_field_or_its_url(folder, directory):
    url = f"{folder}/0-0"
    save(url, {"w": 1}, 4)
    of_trial = Checkpoint(url=url, attempt=0, step=4, size_bytes=1, seconds=0.1)
    assert maggy.load_checkpoint(of_trial) == maggy.load_checkpoint(url) == {"w": 1}
    if "://" not in folder:
        assert maggy.load_checkpoint(Path(url)) == {"w": 1}

    save(f"{folder}/0-1", directory, 5)
    found = maggy.load_checkpoint(f"{folder}/0-1")
    assert content(found) == content(directory)
    assert ("://" in folder) or found == Path(folder, "0-1", "directory")  # here it is the checkpoint itself


def test_a_copy_that_the_user_loaded_lives_as_long_as_the_process(tmp_path):
    code = (
        "import maggy, fsspec, sys\n"
        "from maggy.context.checkpoint import save\n"
        "save('memory://x/0-0', sys.argv[1], 0)\n"
        "print(maggy.load_checkpoint('memory://x/0-0'))\n"
    )
    (tmp_path / "model").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "maggy-checkpoint-" in done.stdout
    assert not Path(done.stdout.strip()).parent.exists()


def test_every_checkpoint_has_a_place_of_its_own(folder):
    places = [f"{folder}/{place(3, attempt, number)}" for attempt in range(2) for number in range(2)]
    for url in places:
        save(url, {"at": url}, 0)
    assert [load(url).state["at"] for url in places] == places
    assert sorted(store_at(f"{folder}/trials/3/checkpoints").names()) == ["0-0", "0-1", "1-0", "1-1"]


def test_a_place_that_a_lost_record_has_left_taken_is_written_anew(folder, directory):
    url = f"{folder}/0-0"
    save(url, directory, 0)
    if "://" not in folder:
        (Path(folder) / ".0-0.partial").mkdir()
        (Path(folder) / ".0-0.partial" / "half").touch()
    save(url, {"w": 2}, 1)
    assert load(url).state == {"w": 2}


# --- whole or not there


def test_a_writer_that_is_killed_leaves_nothing_that_looks_like_a_checkpoint(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from maggy.context.checkpoint import save\n"
        "class Deadly:\n"
        "    def __reduce__(self):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "save(sys.argv[1], {'large': bytes(10_000_000), 'deadly': Deadly()}, 0)\n"
    )
    url = str(tmp_path / "0-0")
    done = subprocess.run([sys.executable, "-c", code, url], timeout=60)
    assert done.returncode == -9
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load(url)
    assert store_at(str(tmp_path)).names() == [".0-0.partial"]


def test_a_call_that_is_interrupted_takes_back_what_it_wrote(folder):
    class Interrupts:
        def __reduce__(self):
            raise KeyboardInterrupt

    save(f"{folder}/0-0", {"w": 1}, 0)
    with pytest.raises(KeyboardInterrupt):
        save(f"{folder}/0-1", {"large": bytes(1_000_000), "then": Interrupts()}, 1)
    assert store_at(folder).names() == ["0-0"]


def test_on_a_store_files_come_before_the_manifest_that_makes_them_a_checkpoint():
    folder = f"memory://{uuid.uuid4().hex}"
    seen = []

    class Looks:
        def __reduce__(self):
            seen.extend(store_at(folder).names())
            with pytest.raises(CheckpointError, match="there is no checkpoint"):
                load(f"{folder}/0-0")
            return dict, ()

    save(f"{folder}/0-0", Looks(), 0)
    assert load(f"{folder}/0-0").state == {}


# --- what cannot be saved


def test_what_cannot_be_pickled_is_named_with_what_to_do(folder):
    with pytest.raises(CheckpointError, match=r"given generator, which cannot be pickled .* e\.g\. model\.state_dict"):
        save(f"{folder}/0-0", (n for n in range(3)), 0)
    assert store_at(folder).names() == []


@pytest.mark.parametrize("kind", [str, Path])
def test_a_name_of_no_directory_is_an_error_and_not_saved_as_text(folder, tmp_path, kind):
    (tmp_path / "model.pt").touch()
    for name in ("model.pt", "absent"):
        with pytest.raises(CheckpointError, match=r"which is no directory; a text or a path names a directory"):
            save(f"{folder}/0-0", kind(tmp_path / name), 0)


def test_a_pipe_in_a_directory_is_an_error_and_not_waited_for(folder, directory):
    os.mkfifo(directory / "pipe")
    with pytest.raises(CheckpointError, match=r"cannot copy .*pipe, which is no file"):
        save(f"{folder}/0-0", directory, 0)
    assert store_at(folder).names() == []


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"checkpoint .*file/0-0 cannot be written: .*Make room there") as caught:
        save(f"{tmp_path}/file/0-0", {"w": 1}, 0)
    assert caught.value.url == f"{tmp_path}/file/0-0"
    assert isinstance(caught.value.__cause__, OSError)


def test_a_disk_that_is_full_takes_nothing_and_says_so(tmp_path):
    code = (
        "import resource, sys, signal\n"
        "from maggy.context.checkpoint import save\n"
        "from maggy.errors import CheckpointError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # stands for a disk without room\n"
        "try:\n"
        "    save(sys.argv[1], {'large': bytes(10_000_000)}, 0)\n"
        "except CheckpointError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "0-0"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "0-0 cannot be written: OSError: [Errno 27] File too large. Make room there" in done.stdout
    assert store_at(str(tmp_path)).names() == []


def test_a_store_that_nobody_knows_is_an_error_on_both_ways():
    with pytest.raises(CheckpointError, match="Protocol not known: s4"):
        save("s4://bucket/0-0", {"w": 1}, 0)
    with pytest.raises(CheckpointError, match="Protocol not known: s4"):
        load("s4://bucket/0-0")


# --- what is damaged


def damage(url: str, name: str, change) -> None:
    """Change a file of a checkpoint; None removes it."""
    store = store_at(url)
    with store.open(name) as file:
        data = change(file.read())
    if "://" not in url:
        Path(url, name).unlink() if data is None else Path(url, name).write_bytes(data)
        return
    import fsspec

    fs, root = fsspec.core.url_to_fs(url)
    fs.rm(f"{root}/{name}") if data is None else fs.pipe_file(f"{root}/{name}", data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:-1], r"it has \d+ bytes in place of \d+"),
        (lambda data: data + b"\0", r"it has \d+ bytes in place of \d+"),
        (lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], "its checksum does not match"),
        (lambda data: None, "it is missing"),
    ],
)
@pytest.mark.parametrize("kind", ["state.pickle", "directory/weights/shards/0.bin"])
def test_damage_is_found_before_anything_is_used_and_its_file_is_named(folder, directory, kind, change, says):
    url = f"{folder}/0-0"
    save(url, {"w": list(range(100))} if kind == "state.pickle" else directory, 0)
    damage(url, kind, change)
    with pytest.raises(CheckpointError, match=f"0-0 is damaged: {kind}: {says}") as caught:
        load(url)
    assert (caught.value.url, caught.value.file) == (url, kind)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: json.dumps({**json.loads(data), "kind": "other"}).encode(),
    ],
)
def test_a_manifest_that_is_cut_short_or_says_nonsense_is_damage(folder, change):
    url = f"{folder}/0-0"
    save(url, {"w": 1}, 0)
    damage(url, "manifest.json", change)
    with pytest.raises(CheckpointError, match=r"0-0 is damaged: manifest\.json: "):
        load(url)


def test_without_a_manifest_there_is_no_checkpoint(folder):
    url = f"{folder}/0-0"
    save(url, {"w": 1}, 0)
    damage(url, "manifest.json", lambda data: None)
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load(url)


def test_a_class_of_a_script_travels_with_its_state(tmp_path):
    code = "import sys\nfrom maggy.context.checkpoint import save\nclass Own:\n    n = 7\nsave(sys.argv[1], Own(), 0)\n"
    url = str(tmp_path / "0-0")
    subprocess.run([sys.executable, "-c", code, url], check=True, timeout=60)
    assert load(url).state.n == 7


def test_a_state_whose_class_is_not_here_says_so(tmp_path):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "only_there.py").write_text("class Own: pass\n")
    code = (
        f"import sys\nsys.path.insert(0, {str(installed)!r})\nfrom only_there import Own\n"
        "from maggy.context.checkpoint import save\nsave(sys.argv[1], Own(), 0)\n"
    )
    url = str(tmp_path / "0-0")
    subprocess.run([sys.executable, "-c", code, url], check=True, timeout=60)
    with pytest.raises(
        CheckpointError, match=r"is whole but cannot be loaded here: ModuleNotFoundError: .*only_there"
    ) as caught:
        load(url)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_loading_leaves_no_temporary_folder_but_that_of_a_directory(folder, directory, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    save(f"{folder}/0-0", {"w": 1}, 0)
    save(f"{folder}/0-1", directory, 0)
    load(f"{folder}/0-0")
    damage(f"{folder}/0-1", "directory/config.json", lambda data: b"xx" + data)
    with pytest.raises(CheckpointError):
        load(f"{folder}/0-1")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_plain_path_loads_no_fsspec(tmp_path):
    code = (
        "import sys\n"
        "from maggy.context.probe import Probe\n"
        "from maggy.context.checkpoint import load, save\n"
        "save(sys.argv[1] + '/0-0', {'w': 1}, 0), load(sys.argv[1] + '/0-0'), Probe(sys.argv[1], 'e')\n"
        "print('fsspec' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_error_of_a_checkpoint_crosses_processes():
    error = pickle.loads(pickle.dumps(CheckpointError("damaged", url="/x/0-0", file="state.pickle")))
    assert (str(error), error.url, error.file) == ("damaged", "/x/0-0", "state.pickle")
