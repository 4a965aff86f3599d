from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("tests", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("tests")

pytest_plugins = ["s3_fixture", "spark_fixture"]
