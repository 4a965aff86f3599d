"""An experiment's folder: nobody's files are lost, and nothing is half there."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maggy.errors import ExperimentDirError
from maggy.journal import ExperimentFolder
from maggy.journal.folder import _as_path, to_json


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# --- which folder


def test_experiments_are_numbered_below_their_name(tmp_path):
    assert ExperimentFolder.create(None, "MNIST").local == tmp_path / "maggy-runs" / "MNIST" / "1"
    assert ExperimentFolder.create(None, "MNIST").local == tmp_path / "maggy-runs" / "MNIST" / "2"
    assert ExperimentFolder.create(None, "CIFAR").local == tmp_path / "maggy-runs" / "CIFAR" / "1"


def test_the_next_number_is_one_more_than_the_largest_whatever_else_lies_there(tmp_path):
    for name in ("1", "7", "notes", "12.old"):
        (tmp_path / "maggy-runs" / "MNIST" / name).mkdir(parents=True)
    assert ExperimentFolder.create(None, "MNIST").local.name == "8"


def test_two_experiments_that_start_at_once_never_share_a_folder():
    made, start = [], threading.Barrier(8)

    def create():
        start.wait()
        made.append(ExperimentFolder.create(None, "MNIST").url)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("MNIST", "MNIST"),
        ("learning rate / batch size", "learning-rate---batch-size"),
        ("../../etc", "-..-etc"),
        ("..", "experiment"),
        ("v2.1", "v2.1"),
        ("größe", "größe"),
        ("C:\\temp", "C--temp"),
    ],
)
def test_a_name_becomes_one_folder_name(name, folder):
    assert _as_path(name) == folder


@given(st.text(min_size=1))
@settings(deadline=None)
def test_no_name_leads_out_of_the_folder_of_all_runs(name):
    folder = _as_path(name)
    assert folder not in ("", ".", "..")
    assert "/" not in folder and "\\" not in folder and "\0" not in folder


def test_a_folder_that_is_named_is_used_itself(tmp_path):
    folder = ExperimentFolder.create("runs/first", "MNIST")
    assert folder.url == str(tmp_path / "runs" / "first")
    assert not folder.is_remote
    assert (folder.local / "experiment.json").exists()
    assert ExperimentFolder.create(tmp_path / "second", "MNIST").local == tmp_path / "second"
    assert ExperimentFolder.create(f"file://{tmp_path}/third", "MNIST").local == tmp_path / "third"


def test_a_folder_that_holds_an_experiment_is_not_used_again(tmp_path):
    ExperimentFolder.create(tmp_path / "run", "MNIST").write("experiment.json", b"{}")
    with pytest.raises(ExperimentDirError, match="already holds an experiment; name another folder, or leave"):
        ExperimentFolder.create(tmp_path / "run", "MNIST")
    assert (tmp_path / "run" / "experiment.json").read_bytes() == b"{}"


def test_of_two_experiments_that_want_the_same_folder_one_gets_it(tmp_path):
    made, refused, start = [], [], threading.Barrier(8)

    def create():
        start.wait()
        try:
            made.append(ExperimentFolder.create(tmp_path / "run", "MNIST"))
        except ExperimentDirError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert ["already holds an experiment" in why for why in refused] == [True] * 7


def test_a_folder_that_cannot_be_written_is_an_error_that_says_where_one_could_go(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ExperimentDirError, match=r"cannot be written: .*e\.g\. experiment_dir='/tmp/maggy/MNIST'"):
        ExperimentFolder.create(tmp_path / "file" / "run", "MNIST")
    with pytest.raises(ExperimentDirError, match="cannot be written"):
        ExperimentFolder.create(tmp_path / "file", "MNIST")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_working_directory_that_cannot_be_written_is_an_error_that_names_experiment_dir(tmp_path):
    (tmp_path / "maggy-runs").write_text("not a folder")
    with pytest.raises(ExperimentDirError, match=r"no experiment folder can be made under .* with experiment_dir="):
        ExperimentFolder.create(None, "MNIST")


def test_a_url_of_an_unknown_kind_is_an_error():
    with pytest.raises(ExperimentDirError, match="experiment_dir 'nosuch://bucket/run' cannot be used: "):
        ExperimentFolder.create("nosuch://bucket/run", "MNIST")


# --- an experiment that never started


def test_an_experiment_that_never_started_leaves_no_folder(tmp_path):
    ExperimentFolder.create(tmp_path / "run", "MNIST").discard()
    assert not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    ExperimentFolder.create(tmp_path / "empty", "MNIST").discard()
    numbered = ExperimentFolder.create(None, "MNIST")
    numbered.discard()
    assert not numbered.local.exists()


def test_files_that_lay_in_the_folder_before_are_never_removed(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.tex").write_text("three years of work")
    ExperimentFolder.create(tmp_path / "project", "MNIST").discard()
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["thesis.tex"]


# --- files


def test_a_file_is_replaced_in_one_step(tmp_path):
    folder = ExperimentFolder.create(tmp_path / "run", "MNIST")
    versions = [b"a" * 1_000_000, b"b" * 1_000_000]
    folder.write("result.json", versions[0])
    done = threading.Event()
    seen = []

    def look():
        while not done.is_set():
            seen.append(folder.read("result.json"))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(50):
        folder.write("result.json", versions[number % 2])
    done.set()
    reader.join()
    assert {*seen} <= {*versions}
    folder.close()
    assert sorted(path.name for path in folder.local.iterdir()) == ["experiment.json", "journal", "result.json"]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path):
    folder = ExperimentFolder.create(tmp_path / "run", "MNIST")
    folder.write("trials/3/note", b"old")
    (folder.local / "trials" / "3" / ".note.partial").mkdir()  # in the way
    with pytest.raises(OSError, match="Is a directory"):
        folder.write("trials/3/note", b"new")
    assert folder.read("trials/3/note") == b"old"


def test_json_for_people_is_indented_and_whatever_json_does_not_know_is_text(tmp_path):
    assert to_json({"lr": 0.1, "where": tmp_path, "layers": [1]}) == (
        f'{{\n  "lr": 0.1,\n  "where": "{tmp_path}",\n  "layers": [\n    1\n  ]\n}}\n'.encode()
    )


# --- folders elsewhere


@pytest.fixture
def bucket(request):
    """A URL on a file system that knows no append."""
    import fsspec

    yield f"memory://{request.node.name}"
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


def test_what_is_new_is_copied_and_nothing_twice(bucket):
    import fsspec

    folder = ExperimentFolder.create(bucket, "MNIST")
    assert folder.is_remote
    assert folder.url == bucket
    folder.write("trials/0/output.log", b"epoch 1\n")
    folder.upload()
    assert folder.read("trials/0/output.log") == b"epoch 1\n"

    fsspec.filesystem("memory").pipe_file(f"{bucket}/trials/0/output.log", b"untouched")
    folder.write("result.json", b"{}")
    folder.close()
    assert folder.read("result.json") == b"{}"
    assert folder.read("trials/0/output.log") == b"untouched"


def test_a_file_that_is_still_being_written_is_not_copied(bucket):
    import fsspec

    folder = ExperimentFolder.create(bucket, "MNIST")
    (folder.local / ".result.json.partial").write_bytes(b"{")
    folder.upload()
    names = [path.rpartition("/")[2] for path in fsspec.filesystem("memory").find(bucket)]
    assert names == ["experiment.json", "00000000.claim"]


def test_an_experiment_elsewhere_is_found_again_and_its_place_not_used_twice(bucket):
    ExperimentFolder.create(bucket, "MNIST").close()
    with pytest.raises(ExperimentDirError, match="already holds an experiment"):
        ExperimentFolder.create(bucket, "MNIST")


def test_an_experiment_that_never_started_elsewhere_leaves_what_others_have_there(bucket):
    import fsspec

    memory = fsspec.filesystem("memory")
    folder = ExperimentFolder.create(f"{bucket}/new", "MNIST")
    folder.discard()
    assert not memory.exists(f"{bucket}/new")
    assert not folder.local.exists()

    memory.pipe_file(f"{bucket}/shared/data.csv", b"1,2")
    ExperimentFolder.create(f"{bucket}/shared", "MNIST").discard()
    assert [path.rpartition("/")[2] for path in memory.find(f"{bucket}/shared")] == ["data.csv"]
