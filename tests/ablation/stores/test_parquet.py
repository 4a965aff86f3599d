"""Files in a folder as a feature store."""

import fsspec
import pandas as pd
import pytest
from ablation.stores.contract import COLUMNS, PASSENGERS, FeatureStoreContract, rows
from pyarrow.dataset import Dataset

from maggy.ablation import ParquetStore
from maggy.errors import AblationError, ConfigError


def write(url, frame=PASSENGERS):
    fs, path = fsspec.core.url_to_fs(str(url))
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    with fs.open(path, "wb") as file:
        frame.to_parquet(file, index=False) if path.endswith(".parquet") else frame.to_csv(file, index=False)


class TestOneFile(FeatureStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        write(tmp_path / "titanic_2.parquet")
        return ParquetStore(tmp_path)


class TestAFolderOfFiles(FeatureStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        write(tmp_path / "titanic" / "2" / "part-0.parquet", PASSENGERS[:4])
        write(tmp_path / "titanic" / "2" / "part-1.parquet", PASSENGERS[4:])
        (tmp_path / "titanic" / "2" / "_SUCCESS").touch()
        return ParquetStore(tmp_path)


class TestCsvFiles(FeatureStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        write(tmp_path / "titanic_2" / "first.csv", PASSENGERS[:4])
        write(tmp_path / "titanic_2" / "second.csv", PASSENGERS[4:])
        return ParquetStore(tmp_path)


class TestABucket(FeatureStoreContract):
    @pytest.fixture
    def store(self, s3):
        write(f"{s3}/sets/titanic_2/part-0.parquet", PASSENGERS[:4])
        write(f"{s3}/sets/titanic_2/part-1.parquet", PASSENGERS[4:])
        return ParquetStore(f"{s3}/sets")


def test_the_training_function_gets_a_dataset_that_reads_lazily(tmp_path):
    write(tmp_path / "titanic.parquet")
    data = ParquetStore(tmp_path).read("titanic", None, ["survived", "age"])
    assert isinstance(data, Dataset)
    assert data.schema.names == ["survived", "age"]
    assert data.count_rows() == 6
    assert [batch.schema.names for batch in data.to_batches()] == [["survived", "age"]]


def test_a_dataset_that_spark_has_partitioned_keeps_the_column_of_its_folders(tmp_path):
    for pclass, part in PASSENGERS.groupby("pclass"):
        write(tmp_path / "titanic_2" / f"pclass={pclass}" / "part-0.parquet", part.drop(columns="pclass"))
    store = ParquetStore(tmp_path)
    assert sorted(store.features("titanic", 2)) == sorted(PASSENGERS.columns)
    data = rows(store.read("titanic", 2, COLUMNS))
    pd.testing.assert_frame_equal(data, rows(PASSENGERS)[COLUMNS], check_dtype=False)


def test_folders_above_the_dataset_are_no_columns(tmp_path):
    write(tmp_path / "year=1912" / "titanic.parquet")
    write(tmp_path / "year=1912" / "titanic_2" / "part-0.parquet")
    store = ParquetStore(tmp_path / "year=1912")
    assert store.features("titanic") == store.features("titanic", 2) == list(PASSENGERS.columns)


def test_a_relative_root_is_where_the_driver_runs(tmp_path, monkeypatch):
    write(tmp_path / "sets" / "titanic.csv")
    monkeypatch.chdir(tmp_path)
    store = ParquetStore("sets")
    monkeypatch.chdir("/")
    assert store.features("titanic") == list(PASSENGERS.columns)


def test_a_dataset_that_is_not_there_is_an_error_that_says_where_it_was_looked_for(tmp_path):
    write(tmp_path / "titanic_1.parquet")
    write(tmp_path / "iris.csv")
    with pytest.raises(AblationError) as caught:
        ParquetStore(tmp_path).features("titanic", 3)
    assert str(caught.value) == (
        f"no training dataset 'titanic' version 3: looked for titanic_3, titanic_3.parquet, titanic_3.csv, titanic/3 "
        f"in {tmp_path}. Did you mean 'titanic_1.parquet'? There is: 'iris.csv', 'titanic_1.parquet'."
    )


def test_of_many_datasets_an_error_names_the_first_twenty(tmp_path):
    for number in range(30):
        (tmp_path / f"set{number:02}.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AblationError, match=r"'set19\.csv' and 10 more\.$"):
        ParquetStore(tmp_path).features("titanic")


def test_an_empty_root_has_no_datasets(tmp_path):
    with pytest.raises(AblationError, match=r"There is none\.$"):
        ParquetStore(tmp_path / "nowhere").features("titanic")


def test_a_dataset_that_is_there_twice_is_not_chosen_from(tmp_path):
    write(tmp_path / "titanic_2.parquet")
    write(tmp_path / "titanic" / "2" / "part-0.parquet")
    with pytest.raises(AblationError, match=r"there more than once: titanic_2\.parquet, titanic/2"):
        ParquetStore(tmp_path).features("titanic", 2)


def test_versions_are_not_mixed_where_none_is_named(tmp_path):
    write(tmp_path / "titanic" / "1" / "0.parquet")
    write(tmp_path / "titanic" / "2" / "0.parquet")
    with pytest.raises(AblationError, match=r"has versions in .*: 1, 2\. Name one of them"):
        ParquetStore(tmp_path).read("titanic", None, ["fare"])


def test_files_with_numbers_for_names_are_parts_and_not_versions(tmp_path):
    write(tmp_path / "titanic" / "0.parquet", PASSENGERS[:2])
    write(tmp_path / "titanic" / "1.parquet", PASSENGERS[2:])
    assert ParquetStore(tmp_path).read("titanic", None, ["fare"]).count_rows() == 6


@pytest.mark.parametrize(
    ("files", "held"),
    [
        ([], "no files"),
        (["notes.txt"], r"'\.txt'"),
        (["a.csv", "b.parquet"], r"'\.csv', '\.parquet'"),
    ],
)
def test_a_folder_of_something_else_is_an_error(tmp_path, files, held):
    (tmp_path / "titanic_2").mkdir()
    for file in files:
        (tmp_path / "titanic_2" / file).touch()
    with pytest.raises(AblationError, match=f"titanic_2 has to be a Parquet or CSV file, .*{held}"):
        ParquetStore(tmp_path).features("titanic", 2)


def test_a_root_of_an_unknown_kind_is_an_error():
    with pytest.raises(ConfigError, match="the root 'gopher://hole' of a ParquetStore cannot be used"):
        ParquetStore("gopher://hole").features("titanic")
