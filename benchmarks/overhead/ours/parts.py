"""Where the processor's time of `lagom`'s process goes in a search of trials that take none. Nothing is switched off:
each thread's own clock is read, and around a few calls of the driver's thread too."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.overhead import work
from benchmarks.overhead.ours.lagom import Lagom


def timed(spent_s: Counter[str], part: str, owner: type, *names: str) -> None:
    """Add what a class's methods take, of the calling thread's time, to a part."""
    for name in names:
        method = getattr(owner, name)

        @functools.wraps(method)
        def run(*arguments: Any, _method: Any = method, **more: Any) -> Any:
            before = time.thread_time()
            try:
                return _method(*arguments, **more)
            finally:
                spent_s[part] += time.thread_time() - before

        setattr(owner, name, run)


def by_thread_s() -> Counter[str]:
    """What each of Python's threads has used, and under "zeromq" what all others have, which are ZeroMQ's."""
    used = Counter({"zeromq": time.process_time()})
    for thread in threading.enumerate():
        assert thread.ident is not None
        seconds = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        used[thread.name] += seconds
        used["zeromq"] -= seconds
    return used


def measure(engine: str, trials: int, folder: Path) -> dict[str, float]:
    """Microseconds a trial of each part, after the first tenth of the trials."""
    from maggy.driver import Advisor, Decider
    from maggy.journal import JournalWriter
    from maggy.optimizer import RandomSearch
    from maggy.wire.listener import SocketListener
    from maggy.wire.memory import MemoryListener

    spent_s: Counter[str] = Counter()
    timed(spent_s, "decide", Decider, "learn")
    timed(spent_s, "decide", Advisor, "prepare")
    timed(spent_s, "journal", JournalWriter, "append", "flush", "sync_soon")
    for listener in (SocketListener, MemoryListener):
        timed(spent_s, "messages", listener, "receive", "send")
    seen: list[dict[str, float]] = []

    class Watched(RandomSearch):
        told = 0

        def observe(self, report: Any) -> None:
            self.told += 1
            if self.told in (trials // 10, trials):
                seen.append({**by_thread_s(), **spent_s})

    Lagom(engine, folder).search(work.nothing, trials, Watched())
    early, late = seen
    used = {name: late[name] - early[name] for name in late}
    driver = used.pop("maggy-driver")
    main, zeromq = used.pop("MainThread"), used.pop("zeromq")
    parts = {part: used.pop(part) for part in ("decide", "journal", "messages")}
    parts |= {"loop": driver - sum(parts.values()), "function": main, "zeromq": zeromq, "others": sum(used.values())}
    return {part: seconds * 1e6 / (trials - trials // 10) for part, seconds in parts.items()}


def main() -> None:
    engine, trials = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        work.answer(**measure(engine, int(trials), Path(folder)))


if __name__ == "__main__":
    main()
