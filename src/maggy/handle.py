"""An experiment in the background: what `lagom(..., block=False)` returns."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from maggy.result import Result
from maggy.tracking.standing import Standing


class Runnable(Protocol):
    """An experiment that was checked and can be run.

    url  of its folder; None until it is made
    """

    url: str | None

    def run(self) -> Result: ...

    def interrupt(self, reason: str) -> None: ...


class Run:
    """An experiment that runs in the background of this process.

    The program does not end before it: call `stop`, or let it come to its end.
    """

    def __init__(self, experiment: Runnable, standing: Standing) -> None:
        self._experiment, self._standing = experiment, standing
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maggy-run")
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    @property
    def experiment_dir(self) -> str | None:
        """The folder that holds everything; None in the first moment."""
        return self._experiment.url

    def status(self) -> dict[str, Any]:
        """Where it stands: `state` ("starting", "running", "complete", "interrupted" or "failed"), the counts
        `num_trials ended running finished stopped failed workers`, `best`, `best_trial`, `best_config`, `utilisation`,
        `time_left_s` with its bounds, `last_reason`, `experiment_dir`. What is not known yet is None or missing."""
        status = {"state": "starting", **self._standing.status(), "experiment_dir": self.experiment_dir}
        if self._error is not None:
            status |= {"state": "failed", "error": f"{type(self._error).__name__}: {self._error}".partition("\n")[0]}
        return status

    def stop(self) -> None:
        """End it now and keep what has finished; returns at once. `result` waits for the end."""
        self._experiment.interrupt("stopped by run.stop()")

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end.

        timeout  seconds; None: as long as it takes

        Returns what `lagom` would have returned, and raises what it would have raised; TimeoutError if it takes longer.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"the experiment still runs after {timeout:g} s: call result() again, or stop() first")
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def __repr__(self) -> str:
        status = self.status()
        counts = f", {status['ended']} of {status['num_trials']} trials" if "ended" in status else ""
        return f"<Run: {status['state']}{counts}, {self.experiment_dir}>"

    def _run(self) -> None:
        try:
            self._result = self._experiment.run()
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()
