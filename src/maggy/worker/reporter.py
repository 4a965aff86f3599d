"""What the training function reports to, and how a stop reaches it."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any, TypeVar

from maggy.context.metric import as_number
from maggy.errors import (
    BroadcastMetricTypeError,
    BroadcastMetricValueError,
    BroadcastStepTypeError,
    BroadcastStepValueError,
    CheckpointError,
    EarlyStopException,
    PreemptedException,
)
from maggy.wire.messages import CheckpointSaved, Log, Metrics, ToDriver
from maggy.worker.checkpoints import Checkpoints
from maggy.worker.interruption import Interruption
from maggy.worker.logdir import LogDir

_T = TypeVar("_T")

BATCH_S = 0.1  # points that no rule waits for are sent this often
_COALESCE_S = 0.005  # steps faster than a verdict can travel are judged in batches this far apart
_WAIT_SHARE = 0.1  # a broadcast waits for its verdict for at most this share of a step ...
_WAIT_LIMIT_S = 0.05  # ... and never longer than this
_HOLD_S = 0.05  # a driver that takes nothing is tried again this often
_ROUND_TRIP_S = 0.0002  # waiting for less than a round trip is in vain
_POINTS_PER_MESSAGE = 20_000
_CHARACTERS_PER_MESSAGE = 100_000
_LAST_STEP = 2**63 - 1
_LINE_LIMIT = 100_000  # characters; a longer line is cut
_LOG_LIMIT = 16 << 20  # characters of log that one trial may send


class Reporter:
    """Reports the metric of the running trial to the driver, and learns whether it should stop.

    The training function gets one as its argument `reporter`. Calling `Reporter()` gives one for use by hand: it
    prints what it is told.
    """

    def __init__(
        self,
        send: Callable[[ToDriver], None] | None = None,
        *,
        trial: int = -1,
        attempt: int = 0,
        judge_every: int = 0,
        full: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        logdir: LogDir | None = None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._checkpoints, self._logdir = checkpoints or Checkpoints(), logdir or LogDir()
        self._send, self._trial, self._attempt, self._judge_every = send, trial, attempt, judge_every
        self._on_stop = on_stop  # called as soon as it is known that the trial is to stop, from any thread
        self._full = full  # whether the driver takes nothing at present
        self._held = False  # points wait here because of that, and so does whoever reports more
        self._unsaid = 0  # lines that were dropped because of that
        self.last: float | None = None
        self._step = -1
        self._stop = self._preempted = self._saving = False
        self._loaded_step = -1  # of a checkpoint
        self._ended = False
        self._process = os.getpid()
        self.noticed = False
        """Whether the training function knows that it is preempted: what it returns then is no result."""
        self.cut_short = False
        """Whether a callback has ended training at a stop, in its library's own way: the function then returns, and is
        stopped all the same."""
        self._points: deque[tuple[int, float]] = deque()
        self._lines: deque[str] = deque()
        self._logged = 0
        self._flushing = threading.Lock()  # keeps two flushes in order; never held while anything is written
        self._flushed_at = 0.0
        self._answered = threading.Event()
        self._due: int | None = None
        self._gate = threading.Lock()
        self._passed = 0  # how many broadcasts the training function has come back from, or is about to
        self._holding = False  # nobody comes back from a broadcast until it is said where all ranks leave
        self._leave_at: int | None = None
        self._word = threading.Event()
        self._interruption = Interruption()
        self._step_times: deque[float] = deque(maxlen=11)
        self._judged_step, self._resumed_at = -1, perf_counter()

    # --- for the training function

    @property
    def trial_id(self) -> int | None:
        """Number of the running trial; None outside an experiment."""
        return self._trial if self._trial >= 0 else None

    @property
    def last_step(self) -> int:
        """Step of the last broadcast; before it that of the checkpoint that was loaded, or -1."""
        return self._step if self._step >= 0 else self._loaded_step

    @property
    def logdir(self) -> str:
        """The trial's own folder for event files of TensorBoard, see `maggy.tensorboard.logdir`."""
        return self._logdir.path()

    @property
    def preempted(self) -> bool:
        """Whether this worker is being taken away: save what is needed, and return or broadcast.

        The trial runs again elsewhere, and what the function returns after it has seen this is no result. A machine
        usually gives it 30 seconds.
        """
        self.noticed = self.noticed or self._preempted
        return self._preempted

    def broadcast(self, metric: Any, step: int | None = None, *, wait: bool = False) -> None:
        """Report the metric at a step. Returns at once, unless an early-stopping rule judges this step.

        It also waits while the driver takes nothing and too much is unsent: a driver that pauses pauses its trials.

        metric  a finite number; NumPy scalars and 0-d tensors are numbers too
        step    epoch or batch, whole, never smaller than the one before; None: the one before plus one, from 0 or
                from the step of the checkpoint that was loaded
        wait    for the verdict on this step, if it is judged, however long that takes: for few, long steps. Else it is
                waited for a tenth of a step at most, and a stop that comes later leaves at the next broadcast

        Raises BroadcastMetricTypeError, BroadcastStepTypeError, BroadcastStepValueError for an argument that is
        wrong, BroadcastMetricValueError for NaN or infinity (the point is kept, to show where training diverged),
        EarlyStopException if the driver has decided to stop the trial, and PreemptedException, which is one, if the
        worker is being taken away. Clean up in a `finally`.
        """
        if type(metric) is not float:
            metric = _number(metric)
        if step is None:
            step = self.last_step + 1
        elif type(step) is not int:
            step = _whole("broadcast", step)
        if step < self._step or not 0 <= step <= _LAST_STEP:
            after = f" after step {self._step}" if self._step >= 0 else ""
            raise BroadcastStepValueError(f"broadcast was given step {step}{after}: steps count upwards from 0")
        self._step = step
        self.last = metric
        self._points.append((step, metric))
        # NaN and infinity are the only floats with that. Where all leave, this one does too, diverged or not.
        if metric - metric != 0.0 and not self._leaves_here():
            raise BroadcastMetricValueError(f"broadcast was given {metric} at step {step}: the training has diverged")
        if self._judge_every and step % self._judge_every == 0 and step:
            self._await_verdict(step, wait)
        elif self._send is None:
            self._say()
        if self._held:
            self._hold()
        if self._leaves_here():
            raise PreemptedException(metric) if self.preempted else EarlyStopException(metric)

    def log(self, message: object, jupyter: bool = False) -> None:
        """Write a line to the trial's log.

        jupyter  taken for compatibility; `lagom(verbose=2)` shows every line live
        """
        if not self._ended and self._logged <= _LOG_LIMIT:
            self._lines.append(str(message))
        if self._send is None:
            self._say()

    def save_checkpoint(self, state: Any, step: int | None = None) -> None:
        """Save what a later attempt can go on from, should this worker be lost. Returns when it is written.

        Of workers that run a trial together rank 0 writes, and of tensors that are sharded over them each its part.

        The last checkpoint of a trial is kept, see `checkpoint_quota_bytes` of the config, and is `trial.checkpoint`
        in the result. A call that is interrupted leaves the one before as it was.

        state  any object that pickle knows, e.g. a dict of tensors; a str or a path names a directory, which is
               copied whole
        step   step it belongs to; None: that of the last broadcast

        Raises CheckpointError if it cannot be pickled or written, ExperimentDirError if this machine does not see the
        experiment's folder, BroadcastStepTypeError or BroadcastStepValueError for a wrong step. Outside an experiment
        it is written to a temporary folder, for `load_checkpoint` of the same reporter.
        """
        if step is None:
            step = self.last_step if self.last_step >= 0 else None
        else:
            step = _whole("save_checkpoint", step)
            if not 0 <= step <= _LAST_STEP:
                raise BroadcastStepValueError(f"save_checkpoint was given step {step}: steps count upwards from 0")
        if self._ended:
            raise CheckpointError("save_checkpoint was called after the end of its trial")
        self._saving = True
        try:
            saved = self._checkpoints.save(state, step)
        finally:
            self._saving = False
        self.flush()  # points come first, those of all ranks
        if self._send is not None and saved is not None:
            self._send(saved)

    def load_checkpoint(self) -> Any:
        """What this trial saved last, in this attempt or an earlier one; None if it has saved nothing.

        Workers that run a trial together all have to call it, and get what rank 0 saved.

        Where a directory was saved, the path of a copy of it, which is removed when the trial ends.

        Raises CheckpointError if it is damaged, ExperimentDirError if this machine does not see the experiment's
        folder.
        """
        state, step = self._checkpoints.load()
        if step is not None:
            self._loaded_step = step
        return state

    def interruptibly(self, function: Callable[[], _T], error: type[BaseException]) -> _T:
        """Call a function that does not broadcast; a stop raises the error in the middle of it.

        Between two instructions of Python: what a library computes on its own, or waits for, ends first.
        """
        return self._interruption.call(function, error)

    # --- for the worker

    @property
    def checkpoint(self) -> CheckpointSaved | None:
        """What was saved last, in this attempt."""
        return self._checkpoints.saved

    def end(self) -> None:
        """The trial is over: send what is left. What it has left running is stopped at its next broadcast."""
        try:
            self._logdir.end()
        except Exception as error:  # each file system has errors of its own; none takes a result away
            self.log(f"[maggy: event files for TensorBoard could not be copied: {type(error).__name__}: {error}]")
        self.flush()
        self._hold()
        self._ended = self._stop = True
        self._judge_every = 0
        self._checkpoints.end()

    def stop(self, trial: int, attempt: int, broadcast: int | None = None) -> None:
        """The driver says: stop. From any thread.

        broadcast  number of the broadcast to stop at, counted from 0; None: the next one
        """
        if (trial, attempt) != (self._trial, self._attempt):
            return
        if broadcast is None:
            self.stop_now()
        else:
            self._leave_at = broadcast
            self._word.set()

    def stop_now(self) -> None:
        """Stop, whatever the trial: the experiment is over. From any thread."""
        self._stop = True
        self._answered.set()
        self._word.set()
        self._on_stop()
        self._interruption.stop()

    def hold(self, trial: int, attempt: int) -> int:
        """The driver says: wait at the next broadcast, until it is known where all ranks leave. From any thread.

        Returns the number of that broadcast.
        """
        if (trial, attempt) != (self._trial, self._attempt):
            return 0
        with self._gate:
            self._holding = True
            self._answered.set()
            return self._passed

    def preempt(self) -> None:
        """Stop because the worker is being taken away. From a signal handler, so without any lock."""
        if not self._stop:
            self._preempted = self._stop = True

    @property
    def is_leaving(self) -> bool:
        """Whether the training function still runs, and is saving or knows that it is preempted."""
        return (self.noticed or self._saving) and not self._ended

    def go_on(self, trial: int, attempt: int, step: int) -> None:
        """The driver says: go on. From any thread. An answer that comes too late for its step is passed over."""
        if (trial, attempt, step) == (self._trial, self._attempt, self._judged_step):
            self._answered.set()

    def flush(self) -> None:
        """Hand every point and line to the link, in order. While it is full, points stay here and lines are dropped."""
        if self._send is None or self._ended or os.getpid() != self._process:  # a forked child is not the worker
            return
        with self._flushing:
            # A trial that is told to stop, or released, waits no more; what it has left is little.
            self._held = self._full() and not self._stop
            if self._held:
                self._unsaid += len(self._lines)
                self._lines.clear()
                return
            due, self._due = self._due, None
            while self._points or due is not None:
                batch = [self._points.popleft() for _ in range(min(len(self._points), _POINTS_PER_MESSAGE))]
                awaits = None if self._points else due
                due = due if self._points else None
                self._send(
                    Metrics(self._trial, self._attempt, [s for s, _ in batch], [value for _, value in batch], awaits)
                )
            while lines := self._next_lines():
                self._send(Log(self._trial, self._attempt, lines))

    # --- inside

    def _await_verdict(self, step: int, wait: bool) -> None:
        now = perf_counter()
        self._step_times.append((now - self._resumed_at) / max(1, step - self._judged_step))
        self._judged_step = step
        self._due = step
        usual_s = sorted(self._step_times)[len(self._step_times) // 2]
        patience_s = min(_WAIT_SHARE * usual_s, _WAIT_LIMIT_S)
        if wait or patience_s > _ROUND_TRIP_S:
            self._answered.clear()
            self.flush()
            if not (self._stop or self._holding):
                self._answered.wait(patience_s)
            while wait and not (self._stop or self._holding or self._answered.wait(_HOLD_S)):
                self._hold()
        elif now - self._flushed_at > _COALESCE_S:
            self._flushed_at = now
            self.flush()
        self._resumed_at = perf_counter()

    def _leaves_here(self) -> bool:
        """Whether the training function is to leave at this broadcast."""
        with self._gate:
            if not self._holding:
                self._passed += not self._stop
                return self._stop
        self.flush()
        while not (self._word.wait(_HOLD_S) or self._stop):
            pass
        self._resumed_at = perf_counter()
        with self._gate:
            leaves = self._stop or (self._leave_at is not None and self._passed >= self._leave_at)
            self._passed += not leaves
            return leaves

    def _hold(self) -> None:
        """Wait until the driver takes more, or wants this trial to stop."""
        while self._held:
            if not self._stop:
                sleep(_HOLD_S)
            self.flush()
        self._resumed_at = perf_counter()

    def _next_lines(self) -> list[str]:
        """Lines for one message: few enough for the driver to accept, none once the trial's log is full."""
        lines: list[str] = []
        size = 0
        if self._unsaid:
            lines.append(f"[maggy: {self._unsaid} lines were dropped, as the driver did not take them]")
            self._unsaid = 0
        while self._lines and size < _CHARACTERS_PER_MESSAGE:
            line = sendable(self._lines.popleft()[:_LINE_LIMIT])
            if self._logged <= _LOG_LIMIT:
                lines.append(line)
                size += len(line) + 1
                self._logged += len(line) + 1
                if self._logged > _LOG_LIMIT:
                    lines.append(
                        f"[maggy: the log of this trial is full at {_LOG_LIMIT >> 20} MiB; the rest is dropped]"
                    )
        return lines

    def _say(self) -> None:
        """Outside an experiment: print what would have been sent."""
        while self._points:
            step, metric = self._points.popleft()
            print(f"step {step}: {metric:g}")
        while self._lines:
            print(self._lines.popleft())


class Flusher(threading.Thread):
    """Sends, every `BATCH_S` seconds, what the running trial has reported; idle between trials.

    reporter  the running trial's; None between trials
    """

    def __init__(self) -> None:
        super().__init__(name="maggy-flusher", daemon=True)
        self.reporter: Reporter | None = None
        self._busy = threading.Event()
        self._closed = threading.Event()
        self.start()

    def begin(self, reporter: Reporter) -> None:
        """A trial starts."""
        self.reporter = reporter
        self._busy.set()

    def end(self) -> None:
        """The trial is over."""
        self._busy.clear()
        self.reporter = None

    def close(self) -> None:
        """No trial follows."""
        self._closed.set()
        self._busy.set()
        self.join()

    def run(self) -> None:
        while not self._closed.is_set():
            self._busy.wait()
            self._closed.wait(BATCH_S)
            if (reporter := self.reporter) is not None:
                reporter.flush()


def sendable(text: str) -> str:
    """The text without the halves of characters that UTF-8 cannot hold; file names and bad decoding bring them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _number(metric: object) -> float:
    number = as_number(metric)
    if number is None:
        raise BroadcastMetricTypeError(
            f"broadcast was given {type(metric).__name__} {str(metric)[:60]!r}; a metric has to be one number"
        )
    return number


def _whole(call: str, step: object) -> int:
    number = as_number(step)
    if number is None or not math.isfinite(number) or number != int(number):
        raise BroadcastStepTypeError(
            f"{call} was given step {type(step).__name__} {str(step)[:60]!r}; a step has to be a whole number"
        )
    return int(number)
