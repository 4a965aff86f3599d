"""What an ablation study expects of every feature store."""

from __future__ import annotations

import cloudpickle
import pandas as pd
import pytest

from maggy.ablation.stores import FeatureStore
from maggy.errors import AblationError

PASSENGERS = pd.DataFrame(
    {
        "passenger": range(1, 7),
        "fare": [7.25, 71.28, 7.92, 53.1, 8.05, 8.46],
        "age": [22.0, 38.0, 26.0, 35.0, 35.0, 29.0],
        "pclass": [3, 1, 3, 1, 3, 3],
        "survived": [0, 1, 1, 1, 0, 0],
    }
)
COLUMNS = ["fare", "age", "pclass", "survived"]


def rows(data) -> pd.DataFrame:
    """What a training function reads, by fare: stores have orders of their own."""
    frame = data if isinstance(data, pd.DataFrame) else data.to_table().to_pandas()
    return frame.sort_values("fare", ignore_index=True)


class FeatureStoreContract:
    """Subclass it with a fixture `store` that knows PASSENGERS as "titanic" version 2, with COLUMNS at least."""

    def test_the_columns_are_there_and_the_label_is_one_of_them(self, store: FeatureStore):
        assert set(COLUMNS) <= set(store.features("titanic", 2))

    @pytest.mark.parametrize("columns", [["survived", "fare"], ["fare", "pclass", "survived"], COLUMNS])
    def test_exactly_the_columns_that_are_asked_for_arrive_in_their_order(self, store, columns):
        data = rows(store.read("titanic", 2, columns))
        assert list(data.columns) == columns
        pd.testing.assert_frame_equal(data, rows(PASSENGERS)[columns])

    def test_a_store_that_has_been_used_travels_without_its_connection_and_makes_a_new_one(self, store):
        before = rows(store.read("titanic", 2, ["fare", "survived"]))
        packed = cloudpickle.dumps(store)
        assert len(packed) < 2_000
        there = cloudpickle.loads(packed)
        assert there == store
        pd.testing.assert_frame_equal(rows(there.read("titanic", 2, ["fare", "survived"])), before)

    def test_an_unknown_version_is_an_error_that_says_which_there_are(self, store):
        for ask in (lambda: store.features("titanic", 7), lambda: store.read("titanic", 7, ["fare"])):
            with pytest.raises(AblationError, match=r"no training dataset 'titanic' version 7.*2"):
                ask()

    def test_an_unknown_name_is_an_error_that_says_it(self, store):
        for ask in (lambda: store.features("titanik", 2), lambda: store.read("titanik", 2, ["fare"])):
            with pytest.raises(AblationError, match="no training dataset 'titanik' version 2"):
                ask()

    def test_an_unknown_column_is_an_error_with_the_close_ones_and_all_that_there_are(self, store):
        message = r"'titanic' version 2 has no column 'faer'\. Did you mean 'fare'\? There is: .*'survived'"
        with pytest.raises(AblationError, match=message):
            store.read("titanic", 2, ["faer", "survived"])

    def test_what_a_trial_does_to_its_data_does_not_reach_the_next_one(self, store):
        first = rows(store.read("titanic", 2, ["fare", "survived"]))
        data = store.read("titanic", 2, ["fare", "survived"])
        if isinstance(data, pd.DataFrame):
            data["fare"] = 0.0
        pd.testing.assert_frame_equal(rows(store.read("titanic", 2, ["fare", "survived"])), first)
