"""A path or a URL arrives as a dataset that reads the files; what is no table is refused before anything starts."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from maggy.context.data import Files, materialise, resolve
from maggy.errors import ConfigError

TABLE = pa.table({"a": [1, 2], "b": ["x", "y"]})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with tables in several formats."""
    (tmp_path / "csv").mkdir()
    (tmp_path / "parts/_temporary").mkdir(parents=True)
    pq.write_table(TABLE, tmp_path / "one.parquet")
    for part in (1, 2):
        pq.write_table(TABLE, tmp_path / f"parts/part-{part}.PARQUET")
        (tmp_path / f"csv/{part}.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "parts/_SUCCESS").touch()
    (tmp_path / "parts/.part-1.PARQUET.crc").write_bytes(b"?")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "rows"),
    [("one.parquet", 2), ("parts", 4), ("parts/", 4), ("csv", 4), ("csv/1.csv", 2), ("packed.csv.gz", 2)],
)
def test_a_path_arrives_as_a_dataset_wherever_the_worker_works(path, rows, here, monkeypatch):
    packed = [pickle.dumps(materialise("train_set", given, str(here / "run"))) for given in (path, Path(path))]
    packed.append(pickle.dumps(materialise("train_set", f"file://{here}/{path}", str(here / "run"))))
    assert not (here / "run").exists()
    monkeypatch.chdir("/")
    for each in packed:
        dataset = resolve(pickle.loads(each))
        assert isinstance(dataset, pads.Dataset)
        assert dataset.schema.names == ["a", "b"] and dataset.count_rows() == rows


def test_a_url_is_read_with_the_settings_of_fsspec_which_stay_where_they_are(here, s3):
    fs = fsspec.filesystem("s3")
    fs.put(f"{here}/parts", "bucket/parts", recursive=True)
    fs.put(f"{here}/csv", "bucket/csv", recursive=True)
    for url in (f"{s3}/parts", f"{s3}/csv"):
        packed = pickle.dumps(materialise("train_set", url, str(here / "run")))
        assert b"something" not in packed and b"s3://bucket" in packed
        assert resolve(pickle.loads(packed)).to_table().num_rows == 4


def test_a_list_of_paths_arrives_as_a_list_and_folders_named_after_a_column_become_one(here):
    (here / "by/year=2024").mkdir(parents=True)
    pq.write_table(TABLE, here / "by/year=2024/one.parquet")
    one, many = resolve(materialise("dataset", ["one.parquet", "by"], str(here / "run")))
    assert one.schema.names == ["a", "b"]
    assert many.to_table().to_pydict()["year"] == [2024, 2024]


def test_a_dataset_is_opened_once_for_all_trials_and_travels_closed(here):
    handle = materialise("train_set", "one.parquet", str(here / "run"))
    assert resolve(handle) is resolve(handle)
    assert len(pickle.dumps(handle)) < 1000


def test_what_is_no_table_is_refused_with_what_to_do(here):
    (here / "empty").mkdir()
    (here / "both").mkdir()
    (here / "both/a.csv").write_text("a\n1\n")
    pq.write_table(TABLE, here / "both/b.parquet")
    (here / "broken.parquet").write_bytes(b"PAR1 but no more")
    (here / "notes.txt").write_text("hello")
    (here / "delta/_delta_log").mkdir(parents=True)
    (here / "delta/_delta_log/0.json").touch()
    for path, says in {
        "cifar10": rf"train_set='cifar10': there is no {here}/cifar10. A text is taken as .*hyperparameter, or a func",
        "empty": "a folder without files",
        "both": "holds both Parquet and CSV",
        "broken.parquet": "cannot be read as parquet",
        "notes.txt": "holds 'notes.txt', whose name does not end in one of .parquet.*or give a function that reads it",
        "delta": "a table of Delta Lake; read it with Spark",
        "s4://bucket/table": "cannot be read: ValueError: Protocol not known: s4",
    }.items():
        with pytest.raises(ConfigError, match=says):
            materialise("train_set", path, str(here / "run"))
    with pytest.raises(ConfigError, match="test_set-1='cifar10'"):
        materialise("test_set", ["one.parquet", "cifar10"], str(here / "run"))


def test_a_worker_that_does_not_see_the_files_says_so(here):
    with pytest.raises(FileNotFoundError, match=r"does not see /no/such.parquet: .*where every worker reaches them"):
        resolve(Files("/no/such.parquet"))
