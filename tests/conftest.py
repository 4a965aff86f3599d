from __future__ import annotations

pytest_plugins = ["spark_fixture"]
