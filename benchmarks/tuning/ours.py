"""`python -m benchmarks.tuning.ours spark|native PARTITIONS`: the same here."""

from __future__ import annotations

from benchmarks.tuning.session import main
from maggy import tune
from maggy.engine.java import provide_java

if __name__ == "__main__":
    provide_java(17)
    main(tune)
