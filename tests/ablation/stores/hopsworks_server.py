"""As much of Hopsworks' REST API as its client asks for on the way to a training dataset. It notes what it is asked."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

ROOT = "/hopsworks-api/api"
STORE = "/project/119/featurestores/67"
TYPES = {"int64": "bigint", "float64": "double"}


@dataclass
class Server:
    """What it listens on, the certificate to trust, and what it was asked: path and authorization of each request."""

    port: int
    certificate: Path
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(frame: pd.DataFrame, folder: Path) -> Iterator[Server]:
    """Serve a table over HTTPS as version 1 of the training datasets of the feature view "titanic", version 2.

    Its label is "survived", and "passenger" is a helper column. Version 5 of the training datasets is split.
    """
    answers = _answers(frame)
    certificate, key = _certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).removeprefix(ROOT)
            server.asked.append((path, self.headers["Authorization"] or ""))
            answer = answers.get(path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer or {"errorCode": 270181}).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        http.socket = context.wrap_socket(http.socket, server_side=True)
        server = Server(http.server_address[1], certificate)
        thread = threading.Thread(target=http.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def _answers(frame: pd.DataFrame) -> dict[str, Any]:
    columns = [{"name": name, "type": TYPES[str(dtype)]} for name, dtype in frame.dtypes.items()]
    features = [
        column
        | {"index": index, "label": column["name"] == "survived"}
        | {"inferenceHelperColumn": False, "trainingHelperColumn": column["name"] == "passenger"}
        for index, column in enumerate(columns)
    ]
    group = {"type": "cachedFeaturegroupDTO", "id": 1, "name": "passengers", "version": 1, "featurestoreId": 67}
    group |= {"featurestoreName": "ship_featurestore", "features": columns}
    group |= {"timeTravelFormat": "NONE", "onlineEnabled": False}
    query = {"leftFeatureGroup": group, "leftFeatures": columns, "joins": [], "featureStoreId": 67}
    view = {"id": 3, "name": "titanic", "version": 2, "featurestoreId": 67, "query": query, "features": features}
    connector = {"id": 1, "name": "hopsfs", "featurestoreId": 67, "storageConnectorType": "HOPSFS"}
    location = "hopsfs:///Projects/ship/ship_Training_Datasets/titanic_2_1"
    made = {"name": "titanic_2", "version": 1, "featurestoreId": 67, "created": "1912-04-10", "splits": []}
    made |= {"trainingDatasetType": "HOPSFS_TRAINING_DATASET", "dataFormat": "csv", "location": location}
    made |= {"statisticsConfig": {}, "dataSource": {"storageConnector": connector}}
    split = made | {"version": 5, "splits": [{"name": "train", "percentage": 0.8}, {"name": "test", "percentage": 0.2}]}
    datasets = f"{STORE}/featureview/titanic/version/2/trainingdatasets"
    store = {"featurestoreId": 67, "featurestoreName": "ship_featurestore", "projectId": 119, "projectName": "ship"}
    return {
        "/variables/versions": [{"software": "hopsworks", "version": "5.2.0"}],
        "/project/getProjectInfo/ship": {"projectId": 119, "projectName": "ship"},
        "/project": [{"user": {"username": "lookout"}}],
        "/project/119/credentials": dict.fromkeys(
            ["kStore", "tStore", "password", "caChain", "clientCert", "clientKey"], ""
        ),
        "/project/119/featurestores/ship_featurestore": store
        | {"created": "1912-04-10", "offlineFeaturestoreName": "ship", "onlineEnabled": False},
        f"{STORE}/featureview/titanic": {"items": [view]},
        f"{STORE}/featureview/titanic/version/2": view,
        datasets: {"count": 2, "items": [made, split]},
        f"{datasets}/version/1": made,
        f"{datasets}/version/5": split,
        f"/project/119/dataset/{location}/titanic_2": {"attributes": {"dir": False}},
        f"/project/119/dataset/download/with_auth/{location[1:]}/titanic_2": frame.to_csv(index=False).encode(),
    }


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for "localhost" that only who has this file trusts, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
