"""A process pool: `python -m benchmarks.faults.pool FOLDER`. It is broken by the first kill, for good."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from benchmarks.faults.killer import Killer
from benchmarks.faults.work import TRIALS, WORKERS, aftermath, answer, attempts, train


def main() -> None:
    folder = sys.argv[1]
    results: list[float] = []
    noticed_at: list[float] = []
    killer = Killer(folder, 1, patience_s=2.0)
    killer.start()
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(train, folder, number) for number in range(TRIALS)]:
            try:
                results.append(future.result())
            except BrokenProcessPool:
                noticed_at.append(time.time())
    killer.join()
    answer(kills=aftermath(killer.kills, attempts(folder), noticed_at), lost=TRIALS - len(results))


if __name__ == "__main__":
    main()
