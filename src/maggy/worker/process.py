"""The worker process: fetches the training function once, then runs trial after trial."""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import FrameType

import msgspec

from maggy.context import Probe, Task, unpack
from maggy.context.metric import as_number
from maggy.errors import EarlyStopException, MetricValueError
from maggy.ticket import Ticket
from maggy.wire import connect
from maggy.wire.messages import (
    Failed,
    Finished,
    FromDriver,
    GoOnTrial,
    Ready,
    Release,
    RunTrial,
    Stopped,
    StopTrial,
    ToDriver,
    Unfit,
    Welcome,
    WorkerHello,
)
from maggy.worker.checkpoints import Checkpoints
from maggy.worker.reporter import Flusher, Reporter, sendable
from maggy.worker.streams import captured

_TRACEBACK_LIMIT = 20_000  # characters; a deep recursion says nothing new after that


class Worker:
    """Runs trials in the calling thread until the driver releases it.

    holder, process  who this is, see `WorkerHello`
    echo             show what trials print here too
    on_ready         called once the training function is loaded
    """

    def __init__(
        self, ticket: Ticket, *, holder: str, process: int, echo: bool, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        self._hello = WorkerHello(holder, ticket.seat, process, socket.gethostname(), os.getpid())
        self._inbox: queue.SimpleQueue[FromDriver] = queue.SimpleQueue()
        self._unanswered: ToDriver | None = None  # said again on a new connection, as it may have died with the old
        self._echo, self._on_ready = echo, on_ready
        self._released = False
        self._reporter: Reporter | None = None  # of the running trial, or the last
        self._probe: Probe | None = None
        self._flusher = Flusher()
        self._link = connect(ticket, self._greeting, self._receive)

    def work(self) -> None:
        """Take trials until released."""
        try:
            task = self._fetch_task()
            while task is not None:
                order = self._inbox.get()
                if self._released:  # whatever waits before the release is not begun any more
                    return
                if isinstance(order, RunTrial) and self._is_new(order):
                    self._unanswered = None
                    answer = self._run(task, order)
                    if isinstance(answer, Finished) or not self._released:  # cut short by the end is no result
                        self._conclude(order, answer)
        finally:
            self._flusher.close()
            self._link.close()

    def _fetch_task(self) -> Task | None:
        """The task; None if released before it came. An unusable one is reported, and the release awaited."""
        welcome = self._inbox.get()
        while not isinstance(welcome, Welcome | Release):
            welcome = self._inbox.get()
        if isinstance(welcome, Release):
            return None
        try:
            self._probe = Probe(welcome.folder, welcome.experiment)
            task = unpack(welcome.task, self._probe)
        except Exception as error:
            self._answer(Unfit(_last_line(error), _traceback(error)))
            while not isinstance(self._inbox.get(), Release):
                pass
            return None
        self._on_ready()
        self._answer(Ready())
        return task

    def _run(self, task: Task, order: RunTrial) -> ToDriver:
        trial, attempt = order.trial, order.attempt
        checkpoints = Checkpoints(self._probe, trial=trial, attempt=attempt, url=order.checkpoint)
        reporter = self._reporter = Reporter(
            self._send, trial=trial, attempt=attempt, judge_every=order.judge_every, checkpoints=checkpoints
        )
        self._flusher.begin(reporter)
        if self._released:  # looked at last: the end may have come while this trial began
            reporter.stop_now()
        try:
            with captured(reporter.log, echo=self._echo):
                metric, outputs = task.run(order.params, reporter)
            return Finished(trial, attempt, metric, outputs)
        except EarlyStopException as stop:
            last = as_number(stop.metric) if reporter.last is None else reporter.last
            if last is not None and math.isfinite(last):
                return Stopped(trial, attempt, last)
            return _failure(order, MetricValueError(f"the trial was stopped at metric {last}, which is no result"))
        except BaseException as error:  # sys.exit() in user code ends a trial, not the worker
            if _terminated or (isinstance(error, KeyboardInterrupt) and self._echo):
                raise
            return _failure(order, error)
        finally:
            self._flusher.end()
            reporter.end()

    def _is_new(self, order: RunTrial) -> bool:
        """Whether this order was not carried out before; a reconnecting worker may be told twice."""
        done = self._unanswered
        last = (done.trial, done.attempt) if isinstance(done, Finished | Stopped | Failed) else None
        return last != (order.trial, order.attempt)

    def _conclude(self, order: RunTrial, answer: ToDriver) -> None:
        try:
            self._answer(answer)
        except Exception as error:  # a number or text of the user's that no message can hold
            self._answer(_failure(order, error))

    def _answer(self, message: ToDriver) -> None:
        self._unanswered = message
        self._link.send(message)

    def _send(self, message: ToDriver) -> None:
        self._link.send(message)

    def _greeting(self) -> list[ToDriver]:
        hello = self._hello
        if self._reporter is not None and self._reporter.checkpoint is not None:
            hello = msgspec.structs.replace(hello, checkpoint=self._reporter.checkpoint)
        return [hello] if self._unanswered is None else [hello, self._unanswered]

    def _receive(self, message: FromDriver) -> None:
        """In the link's thread."""
        reporter = self._reporter
        if isinstance(message, GoOnTrial | StopTrial):
            if reporter is not None and isinstance(message, GoOnTrial):
                reporter.go_on(message.trial, message.attempt, message.step)
            elif reporter is not None:
                reporter.stop(message.trial, message.attempt)
            return
        if isinstance(message, Release):
            self._released = True
            if reporter is not None:
                reporter.stop_now()
        self._inbox.put(message)


_terminated = False


def work(ticket: Ticket, environment: Mapping[str, str]) -> None:
    """Work in the calling thread; the entry point of the inline engine, which leaves its environment alone."""
    Worker(ticket, holder=f"inline-{ticket.seat}", process=0, echo=True).work()


def main() -> None:
    """The worker process. Its ticket comes on standard input, which stays open as long as its supervisor lives."""
    _die_with_parent()
    orders = json.loads(sys.stdin.readline())
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() in a training function ends at once
    threading.Thread(target=_watch_supervisor, args=(lifeline,), name="maggy-watch", daemon=True).start()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    ticket = Ticket.from_json(orders["ticket"])
    Worker(
        ticket,
        holder=orders["holder"],
        process=orders["process"],
        echo=False,
        on_ready=lambda: _say_ready(orders["ready"]),
    ).work()


def _say_ready(pipe: int) -> None:
    """Tell the supervisor that this process can work, so that its death, if it comes, is no failed start."""
    os.write(pipe, b"\1")
    os.close(pipe)


def _terminate(signum: int, frame: FrameType | None) -> None:
    """Leave through the training function's `finally` blocks."""
    global _terminated
    _terminated = True
    raise SystemExit(128 + signum)


def _watch_supervisor(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass
    os._exit(1)  # the supervisor is gone, and with it whoever could tell this process to leave


def _die_with_parent() -> None:
    """Ask Linux to kill this process with its supervisor, even while native code holds the interpreter lock."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _failure(order: RunTrial, error: BaseException) -> Failed:
    return Failed(order.trial, order.attempt, _last_line(error), _signature(error), _traceback(error))


def _last_line(error: BaseException) -> str:
    return sendable("".join(traceback.format_exception_only(error)).strip()[-2000:])


def _signature(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__} at {place}"


def _traceback(error: BaseException) -> str:
    """The traceback from the user's own code on; Maggy's frames above it help nobody."""
    frame = error.__traceback__
    own = {Worker._run.__code__, Task.run.__code__, Worker._fetch_task.__code__}
    while frame is not None and frame.tb_next is not None and frame.tb_frame.f_code in own:
        frame = frame.tb_next
    text = sendable("".join(traceback.format_exception(type(error), error, frame)))
    half = _TRACEBACK_LIMIT // 2
    return text if len(text) <= _TRACEBACK_LIMIT else f"{text[:half]}\n[...]\n{text[-half:]}"


if __name__ == "__main__":
    main()
