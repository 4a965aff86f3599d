"""Workers from their launch to the last one's end, with Ctrl-C and SIGTERM in between."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from maggy.driver import Driver
from maggy.engine.base import Engine, Launched
from maggy.errors import EngineError
from maggy.ticket import Ticket

_GRACE_S = 10.0  # more than the driver gives the workers to leave
_RELAUNCHES = 3  # how often in a row, without the end of a trial in between, an engine that lost every worker is
# started again


def run_workers(engine: Engine, tickets: Sequence[Ticket], resources: Mapping[str, float], driver: Driver) -> bool:
    """Start driver and workers, wait for the end, leave nothing running. Returns whether somebody ended it.

    Raises KeyboardInterrupt at a second Ctrl-C, and SystemExit where SIGTERM has ended it: nobody waits for a result.
    """
    driver.start()
    launch = _Launch(engine, tickets, resources, driver)
    with _heeding_signals(driver, in_this_thread=engine.in_calling_thread) as came:
        try:
            driver.begun.wait()
            if not driver.over.is_set():
                launch.start()
            driver.over.wait()
        finally:
            driver.interrupt("lagom is leaving")  # nothing to a driver that has ended
            try:
                launch.stop(grace_s=_GRACE_S if driver.had_workers else 0.0)
            except KeyboardInterrupt:
                launch.stop(grace_s=0.0)
                raise
            finally:
                driver.close()
    if signal.SIGTERM in came:
        raise SystemExit(128 + signal.SIGTERM)
    return bool(came) or driver.interrupted


class _Launch:
    """Keeps an engine's workers launched until the experiment is over."""

    def __init__(
        self, engine: Engine, tickets: Sequence[Ticket], resources: Mapping[str, float], driver: Driver
    ) -> None:
        self._engine, self._tickets, self._resources, self._driver = engine, tickets, resources, driver
        self._left, self._ended_before = _RELAUNCHES, 0
        self._launched: list[Launched] = []
        self._stop_asked = False
        # A launch and the question for the end exclude each other: nothing is launched that `stop` does not know of.
        self._lock = threading.RLock()  # again by the same thread where an engine exits within `launch`

    def start(self) -> None:
        try:
            with self._lock:
                if not self._stop_asked:
                    self._launched.append(self._engine.launch(self._tickets, self._resources, self._on_exit))
        except KeyboardInterrupt:  # only an engine that works in this thread can be hit here
            self._driver.interrupt("Ctrl-C")

    def stop(self, grace_s: float) -> None:
        """Return when nothing that was ever launched runs any more, and launch nothing again."""
        with self._lock:
            self._stop_asked = True
        for launched in self._launched:  # without the lock: they may have to wait for an `_on_exit`
            launched.stop(grace_s)

    def _on_exit(self, error: BaseException | None) -> None:
        if self._stop_asked or self._driver.over.is_set():
            return
        if self._driver.trials_ended > self._ended_before:
            self._left, self._ended_before = _RELAUNCHES, self._driver.trials_ended
        if self._left == 0:
            why = f": {error}" if error is not None else ""
            self._driver.fail(EngineError(f"the {self._engine.name} engine lost all workers{why}"))
            return
        self._left -= 1
        try:
            self.start()
        except Exception as failure:
            self._driver.fail(failure)


@contextmanager
def _heeding_signals(driver: Driver, *, in_this_thread: bool) -> Iterator[list[int]]:
    """Let Ctrl-C or SIGTERM end the experiment and keep what has finished; a second one ends at once.

    Yields a list of the signals that came. Spark's own handler of Ctrl-C, which would cancel every job of the session,
    rests meanwhile; a handler of SIGTERM that the program has set itself stays.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # only the main thread gets signals
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        came.append(signum)
        if len(came) > 1:
            driver.hurry()
            raise KeyboardInterrupt
        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        with suppress(OSError):  # nobody reads it any more
            print(f"\n{name}: ending, finished trials are kept; again to end at once", file=sys.stderr)
        driver.interrupt(name)
        if in_this_thread:
            raise KeyboardInterrupt

    heeded = [signal.SIGINT]
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        heeded.append(signal.SIGTERM)
    before = {signum: signal.signal(signum, handle) for signum in heeded}
    try:
        yield came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
