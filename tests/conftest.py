from __future__ import annotations

import os

import hypothesis

os.environ.setdefault("KERAS_BACKEND", "torch")  # for worker processes too; another environment has another backend

hypothesis.settings.register_profile("tests", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("tests")

pytest_plugins = ["dashboard_fixture", "dask_ray_fixture", "s3_fixture", "spark_fixture"]
