"""Data of a config: handles stay handles until a worker opens them, everything else stays as it is."""

import pytest

from maggy.context import Task, materialise, pack, unpack
from maggy.context.data import ParquetFolder, is_spark_table


def test_what_is_no_spark_table_is_handed_over_as_it_is(tmp_path):
    images = {"train": [1, 2, 3]}
    assert materialise("dataset", images, str(tmp_path)) is images
    assert materialise("dataset", [images, None], str(tmp_path)) == [images, None]
    assert not is_spark_table(images)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_parquet_files_is_opened_where_the_training_runs(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import dataset, parquet

    parquet.write_table(pyarrow.table({"x": [1, 2, 3]}), tmp_path / "part-0.parquet")
    folder = ParquetFolder(str(tmp_path))

    def train(train_set, test_set):
        assert isinstance(train_set, dataset.Dataset)
        return train_set.count_rows() + sum(part.count_rows() for part in test_set)

    task = Task(function=train, optimization_key="Metric", fixed={"train_set": folder, "test_set": [folder, folder]})
    assert unpack(pack(task)).run({}, None) == (9.0, None)
