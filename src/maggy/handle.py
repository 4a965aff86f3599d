"""An experiment in the background: what `lagom(..., block=False)` returns."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any, Protocol

from maggy.result import Result
from maggy.tracking.notebook import in_notebook
from maggy.tracking.standing import Standing
from maggy.tracking.words import counts, show_metric, show_params


class Runnable(Protocol):
    """An experiment that was checked and can be run.

    url    of its folder; None until it is made
    shown  set when whatever shows it has begun
    """

    url: str | None
    shown: threading.Event

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
        # With the context, whatever a notebook shows of it appears below the cell that began it; not every front end
        # takes it when the cell has ended.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="maggy-run")
        self._thread.start()
        if in_notebook():
            experiment.shown.wait()

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
        `time_left_s` with its bounds, `last_reason`, `experiment_dir`. What is not known yet is None."""
        status = {**self._standing.status(), "experiment_dir": self.experiment_dir}
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
        said = f", {_counts(status)}" if status["num_trials"] else ""
        return f"<Run: {status['state']}{said}, {self.experiment_dir}>"

    def _repr_html_(self) -> str:
        """Where it stands, as the last expression of a notebook's cell."""
        from html import escape  # brings a table of every entity of HTML

        status = self.status()
        shown = {"state": status["state"], "error": status.get("error")}
        if status["num_trials"]:
            shown["trials"] = _counts(status)
        if status.get("best") is not None:
            config = show_params(status["best_config"] or {})
            shown["best"] = f"{show_metric(status['best'])} in trial {status['best_trial']}: {config}"
        shown["folder"] = self.experiment_dir
        cell = "<tr><th style='text-align:left'>{}</th><td style='text-align:left'>{}</td></tr>"
        rows = "".join(cell.format(label, escape(str(text))) for label, text in shown.items() if text)
        return f"<table aria-label='an experiment of Maggy'>{rows}</table>"

    def _run(self) -> None:
        try:
            self._result = self._experiment.run()
        except BaseException as error:
            self._error = error
        finally:
            self._experiment.shown.set()
            self._over.set()


def _counts(status: dict[str, Any]) -> str:
    return ", ".join(counts(status["ended"], status["num_trials"], status["running"], status))
