"""Feast for real: a local registry, SQLite online, Parquet offline."""

from datetime import timedelta
from importlib.util import find_spec

import fsspec
import pandas as pd
import pytest
from ablation.stores.contract import PASSENGERS, FeatureStoreContract

from maggy.ablation import FeastStore
from maggy.errors import AblationError, ConfigError

SAILED = pd.Timestamp("1912-04-10", tz="UTC")
SANK = pd.Timestamp("1912-04-15", tz="UTC")


@pytest.mark.skipif(find_spec("feast") is not None, reason="Feast is there")
def test_without_feast_an_error_says_how_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match="FeastStore needs feast, on driver and workers: pip install feast"):
        FeastStore(tmp_path, entity_df=PASSENGERS).features("titanic")


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """Tickets are known of all passengers, cabins of some only up to a time that is too long ago."""
    feast = pytest.importorskip("feast")
    from feast.types import Float64, Int64

    folder = tmp_path_factory.mktemp("feast")
    (folder / "feature_store.yaml").write_text(
        "project: ship\nprovider: local\nregistry: registry.db\nentity_key_serialization_version: 3\n"
        "offline_store: {type: file}\nonline_store: {type: sqlite, path: online.db}\n"
    )
    passenger = feast.Entity(name="passenger", join_keys=["passenger"], value_type=feast.ValueType.INT64)
    seen = PASSENGERS.assign(event_timestamp=SAILED, deck=PASSENGERS["fare"] * 10)
    stale = SAILED - pd.to_timedelta([0, 40, 0, 40, 0, 0], unit="D")

    def view(name, frame, ttl, **fields):
        path = folder / f"{name}.parquet"
        frame[["passenger", "event_timestamp", *fields]].to_parquet(path)
        source = feast.FileSource(name=f"{name}_file", path=str(path), timestamp_field="event_timestamp")
        schema = [feast.Field(name=field, dtype=dtype) for field, dtype in fields.items()]
        return feast.FeatureView(name=name, entities=[passenger], ttl=ttl, schema=schema, source=source)

    tickets = view("tickets", seen, timedelta(days=100), fare=Float64, pclass=Int64)
    people = view("people", seen, timedelta(days=100), age=Float64)
    cabins = view("cabins", seen.assign(event_timestamp=stale), timedelta(days=30), deck=Float64)
    copies = view("copies_v3", seen, timedelta(days=100), fare=Float64)
    services = [
        feast.FeatureService(name="titanic_v2", features=[tickets, people]),
        feast.FeatureService(name="cabins_v2", features=[tickets, cabins]),
        feast.FeatureService(name="twice", features=[tickets, copies]),
        feast.FeatureService(name="buyers", features=[tickets[["fare"]].with_join_key_map({"passenger": "buyer"})]),
    ]
    feast.FeatureStore(repo_path=str(folder)).apply([passenger, tickets, people, cabins, copies, *services])
    return folder


@pytest.fixture(scope="module")
def labels():
    return PASSENGERS[["passenger", "survived"]].assign(event_timestamp=SANK)


@pytest.mark.soak
class TestEntitiesInAFile(FeatureStoreContract):
    @pytest.fixture
    def store(self, repo, labels, tmp_path):
        labels.to_parquet(tmp_path / "labels.parquet")
        return FeastStore(repo, entity_df=tmp_path / "labels.parquet")


@pytest.mark.soak
class TestEntitiesAtAUrl(FeatureStoreContract):
    @pytest.fixture
    def store(self, repo, labels):
        with fsspec.open("memory://labels.parquet", "wb") as file:
            labels.to_parquet(file)
        return FeastStore(repo, entity_df="memory://labels.parquet")


@pytest.mark.soak
def test_keys_and_timestamps_are_no_features(repo, labels):
    store = FeastStore(repo, entity_df=labels)
    assert store.features("titanic", 2) == ["survived", "fare", "pclass", "age"]
    assert FeastStore(repo, entity_df=labels.rename(columns={"event_timestamp": "seen"})).features("people") == [
        "survived",
        "age",
    ]
    buyers = FeastStore(repo, entity_df=labels.rename(columns={"passenger": "buyer"}))
    assert buyers.features("buyers") == ["survived", "fare"]
    assert sorted(buyers.read("buyers", None, ["fare"])["fare"]) == sorted(PASSENGERS["fare"])


@pytest.mark.soak
def test_where_there_is_no_service_of_a_name_the_feature_view_is_meant(repo, labels):
    store = FeastStore(repo, entity_df=labels)
    assert store.features("copies", 3) == ["survived", "fare"]
    assert list(store.read("copies", 3, ["fare", "survived"]).columns) == ["fare", "survived"]
    with pytest.raises(AblationError, match=r"nor a feature view 'ticket'\. Did you mean 'tickets'"):
        store.features("ticket")


@pytest.mark.soak
def test_leaving_a_feature_out_leaves_the_rows_as_they_are(repo, labels):
    import feast

    # Feast itself drops the rows whose cabin is stale, and so would keep them where no cabin is asked for.
    plain = feast.FeatureStore(repo_path=str(repo))
    service = plain.get_feature_service("cabins_v2")
    both = plain.get_historical_features(entity_df=labels, features=service).to_df()
    fares = plain.get_historical_features(entity_df=labels, features=["tickets:fare"]).to_df()
    assert (len(both), len(fares)) == (4, 6)

    store = FeastStore(repo, entity_df=labels)
    everything = store.read("cabins", 2, ["survived", "fare", "deck"])
    without = store.read("cabins", 2, ["survived", "fare"])
    pd.testing.assert_frame_equal(without, everything[["survived", "fare"]])


@pytest.mark.soak
def test_a_name_that_two_views_share_is_an_error_before_anything_starts(repo, labels):
    with pytest.raises(AblationError, match="'twice' has more than one column 'fare'"):
        FeastStore(repo, entity_df=labels).features("twice")


@pytest.mark.soak
def test_the_entity_rows_are_not_shown(repo, labels):
    assert repr(FeastStore(repo, entity_df=labels)) == f"FeastStore(repo_path={str(repo)!r})"
