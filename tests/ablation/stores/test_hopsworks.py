"""The calls of Hopsworks' client, to a stand-in, and its requests, to a server of ours. There is no Hopsworks here."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import cloudpickle
import pandas as pd
import pytest
from ablation.stores.contract import PASSENGERS, FeatureStoreContract
from ablation.stores.hopsworks_server import STORE, serving

from maggy.ablation import HopsworksStore
from maggy.errors import AblationError, ConfigError

KEY = "the-key-to-the-store"


@dataclass
class View:
    """A feature view as the client shows it."""

    name: str
    version: int

    def get_training_datasets(self):
        return [SimpleNamespace(version=1, splits=[]), SimpleNamespace(version=5, splits=["train", "test"])]

    def get_training_dataset_schema(self, training_dataset_version=None):
        return [
            SimpleNamespace(
                name=name, inference_helper_column=False, training_helper_column=training_dataset_version != 1
            )
            for name in PASSENGERS.columns
        ]

    def get_training_data(self, training_dataset_version, dataframe_type):
        assert (training_dataset_version, dataframe_type) == (1, "pandas")
        return PASSENGERS.drop(columns="survived"), PASSENGERS[["survived"]]


class Ship:
    """A project, and its feature store."""

    def __init__(self, **settings):
        where = {"host": None, "port": 443, "project": "ship"}
        assert settings == where | {"engine": "python", "hostname_verification": True}

    def get_feature_store(self):
        return self

    def get_feature_view(self, name, version):
        return View(name, version) if (name, version) == ("titanic", 2) else None

    def get_feature_views(self, name):
        return [View(name, 2)] if name == "titanic" else []


class TestTheCallsOfTheClient(FeatureStoreContract):
    @pytest.fixture
    def store(self):
        return HopsworksStore("ship", connect=Ship)


@pytest.mark.skipif(find_spec("hopsworks") is not None, reason="the client is there")
def test_without_the_client_an_error_says_how_to_get_it():
    with pytest.raises(
        ConfigError, match="HopsworksStore needs hopsworks, on driver and workers: pip install 'hopsworks"
    ):
        HopsworksStore("ship").features("titanic", 2)


def test_a_training_dataset_that_was_not_made_is_an_error_that_says_which_were():
    message = r"training_dataset_version=4 of feature view 'titanic' 2 has not been made\. There are versions \[1, 5\]"
    with pytest.raises(AblationError, match=message):
        HopsworksStore("ship", training_dataset_version=4, connect=Ship).features("titanic", 2)


def test_a_training_dataset_in_splits_is_an_error_that_says_what_to_do():
    with pytest.raises(AblationError, match="is split: make one with create_training_data"):
        HopsworksStore("ship", training_dataset_version=5, connect=Ship).read("titanic", 2, ["fare"])


@pytest.fixture
def client(monkeypatch, tmp_path):
    """The real client, with nothing of it in the environment."""
    hopsworks = pytest.importorskip("hopsworks")
    for name in [name for name in os.environ if name.startswith("HOPSWORKS_") or name == "REST_ENDPOINT"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOPSWORKS_CERT_FOLDER", str(tmp_path / "certificates"))
    yield hopsworks
    hopsworks.logout()


@pytest.fixture
def server(client, monkeypatch, tmp_path):
    with serving(PASSENGERS, tmp_path) as server:
        monkeypatch.setenv("HOPSWORKS_TRUST_STORE_PATH", str(server.certificate))
        yield server


@pytest.fixture
def hopsworks_store(server, tmp_path):
    (tmp_path / "api.key").write_text(f"{KEY}\n")
    return HopsworksStore("ship", "localhost", server.port, tmp_path / "api.key")


@pytest.mark.soak
class TestTheRequestsOfTheClient(FeatureStoreContract):
    @pytest.fixture
    def store(self, hopsworks_store):
        return hopsworks_store


@pytest.mark.soak
def test_the_client_asks_for_the_training_dataset_of_the_feature_view(hopsworks_store, server):
    assert hopsworks_store.features("titanic", 2) == ["fare", "age", "pclass", "survived"]
    data = hopsworks_store.read("titanic", 2, ["survived", "age"])
    pd.testing.assert_frame_equal(data, PASSENGERS[["survived", "age"]])

    view = f"{STORE}/featureview/titanic/version/2"
    paths = [path for path, _ in server.asked]
    assert {view, f"{view}/trainingdatasets", f"{view}/trainingdatasets/version/1"} <= set(paths)
    assert [path.rpartition("/")[2] for path in paths if "/download/" in path] == ["titanic_2"]
    assert {key for _, key in server.asked} == {f"ApiKey {KEY}"}


@pytest.mark.soak
def test_a_worker_fetches_the_data_once_whatever_the_trials_leave_out(hopsworks_store, server):
    hopsworks_store.read("titanic", 2, ["survived", "age"])
    server.asked.clear()
    hopsworks_store.read("titanic", 2, ["survived", "fare"])
    assert server.asked == []


@pytest.mark.soak
def test_the_key_is_in_nothing_that_travels_or_is_shown(hopsworks_store, server, monkeypatch, capfd):
    monkeypatch.setenv("HOPSWORKS_API_KEY", KEY)
    for store in (hopsworks_store, HopsworksStore("ship", "localhost", server.port)):
        store.read("titanic", 2, ["survived"])
        assert KEY not in repr(store)
        assert KEY.encode() not in cloudpickle.dumps(store)
    shown = capfd.readouterr()
    assert "Logged in to project" in shown.out
    assert KEY not in shown.out + shown.err


@pytest.mark.soak
def test_a_server_whose_certificate_nobody_trusts_does_not_get_the_key(hopsworks_store, server, client, monkeypatch):
    monkeypatch.delenv("HOPSWORKS_TRUST_STORE_PATH")
    with pytest.raises(client.client.exceptions.HopsworksSSLClientError, match="HOPSWORKS_HOSTNAME_VERIFICATION"):
        hopsworks_store.features("titanic", 2)
    assert server.asked == []


@pytest.mark.soak
def test_what_the_client_would_ask_on_a_terminal_is_an_error(server, monkeypatch):
    with pytest.raises(ConfigError, match="needs project=, or HOPSWORKS_PROJECT"):
        HopsworksStore(host="localhost", port=server.port).features("titanic", 2)
    with pytest.raises(ConfigError, match="needs an API key: api_key_file="):
        HopsworksStore("ship", "localhost", server.port).features("titanic", 2)
    monkeypatch.setenv("HOPSWORKS_API_KEY", KEY)
    monkeypatch.setenv("HOPSWORKS_PROJECT", "ship")
    assert "fare" in HopsworksStore(host="localhost", port=server.port).features("titanic", 2)
