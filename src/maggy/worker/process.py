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
from contextlib import suppress
from types import FrameType

from maggy.context import Probe, Task, unpack
from maggy.context.distributed import is_peer_error
from maggy.context.metric import as_number, as_outputs
from maggy.errors import EarlyStopException, MetricValueError
from maggy.ticket import MarkJobs, Ticket
from maggy.wire import connect
from maggy.wire.address import own_address
from maggy.wire.messages import (
    Failed,
    Finished,
    FromDriver,
    Gathered,
    GoOnTrial,
    Held,
    HoldTrial,
    Leaving,
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
from maggy.worker.gang import WorkerGang
from maggy.worker.jobs import Jobs
from maggy.worker.logdir import LogDir
from maggy.worker.reporter import Flusher, Reporter, sendable
from maggy.worker.running import made_known
from maggy.worker.streams import captured, captured_in_thread
from maggy.worker.surroundings import Surroundings

_TRACEBACK_LIMIT = 20_000  # characters; a deep recursion says nothing new after that
PREEMPTED_S = 15.0
"""After a warning, a trial that neither broadcasts nor looks at `reporter.preempted` is ended after so many seconds."""


class Worker:
    """Runs trials in the calling thread until the driver releases it.

    holder, process  who this is, see `WorkerHello`
    echo             show what trials print here too
    on_ready         called once the training function is loaded
    surroundings     what is put back after each trial; None: nothing, the process is the user's own
    mark_jobs        of a worker beside others in this process: see `MarkJobs`
    """

    def __init__(
        self,
        ticket: Ticket,
        *,
        holder: str,
        process: int,
        echo: bool,
        on_ready: Callable[[], None] = lambda: None,
        surroundings: Surroundings | None = None,
        mark_jobs: MarkJobs | None = None,
    ) -> None:
        self._inbox: queue.SimpleQueue[FromDriver | None] = queue.SimpleQueue()  # None: look what has changed
        self._echo, self._on_ready = echo, on_ready
        self._surroundings = surroundings
        self._experiment, self._mark_jobs = ticket.experiment, mark_jobs
        self._jobs: Jobs | None = None  # of the running trial
        self._process = os.getpid()
        self._released = self._preempted = False
        self._reporter: Reporter | None = None  # of the running trial
        self._told: list[HoldTrial | StopTrial] = []  # of the last lease, perhaps of a trial that is still to begin
        self._gang: WorkerGang | None = None  # of the running trial
        self.had_gang = False
        """Whether it has run a trial together with others."""
        self._address = ticket.address
        self._probe: Probe | None = None
        self._flusher = Flusher()
        self._link = connect(ticket, self._receive)
        self._link.send(WorkerHello(holder, ticket.seat, process, socket.gethostname(), os.getpid()))

    def work(self) -> None:
        """Take trials until released."""
        try:
            task = self._fetch_task()
            while task is not None:
                order = self._inbox.get()
                if self._released or self._preempted:  # whatever waits before the end is not begun any more
                    break
                if isinstance(order, RunTrial):
                    answer = self._run(task, order)
                    if self._counts(answer):
                        self._conclude(order, answer)
                    if self._surroundings is not None and not self._preempted:  # then no other trial follows
                        self._surroundings.restore()  # while the driver looks for the next trial
            if self._preempted and not self._released:
                self._link.send(Leaving("it was told to leave (SIGTERM)"))
                raise SystemExit(128 + signal.SIGTERM)  # tells the supervisor too: its word may be heard first
        finally:
            self._flusher.close()
            self._link.close()

    def warn(self) -> None:
        """The process got SIGTERM; in the main thread, between two instructions of whatever runs.

        Nothing here may wait for a lock: what was interrupted may hold it.
        """
        if self._released:  # it had its time to leave
            raise SystemExit(128 + signal.SIGTERM)
        if self._preempted:
            return
        self._preempted = True
        if self._reporter is not None:
            self._reporter.preempt()
        self._inbox.put(None)
        signal.signal(signal.SIGALRM, lambda signum, frame: self._insist())
        signal.setitimer(signal.ITIMER_REAL, PREEMPTED_S, 1.0)

    def _insist(self) -> None:
        """Leave through the training function's `finally` blocks, unless that is leaving already."""
        if self._reporter is None or not self._reporter.is_leaving:
            if self._reporter is not None:
                self._reporter.noticed = True
            raise SystemExit(128 + signal.SIGTERM)

    def _counts(self, answer: ToDriver) -> bool:
        """Whether this is how the trial has ended; what is cut short by the end of the worker is no result."""
        if self._released:
            return isinstance(answer, Finished)
        if self._preempted:
            assert self._reporter is not None
            return isinstance(answer, Finished | Stopped) and not self._reporter.noticed
        return True

    def _fetch_task(self) -> Task | None:
        """The task; None if the end came before it. An unusable one is reported, and the end awaited."""
        while not isinstance(welcome := self._inbox.get(), Welcome):
            if self._released or self._preempted:
                return None
        try:
            self._probe = Probe(welcome.folder, welcome.experiment)
            task = unpack(welcome.task, self._probe)
        except Exception as error:
            self._link.send(Unfit(_last_line(error), _traceback(error)))
            print(_traceback(error), file=sys.stderr)
            while not (self._released or self._preempted):
                self._inbox.get()
            return None
        self._on_ready()
        self._link.send(Ready())
        return task

    def _run(self, task: Task, order: RunTrial) -> ToDriver:
        self._gang = None
        if order.place is not None:
            self._gang = WorkerGang(self._link.send, order, own_address(self._address))
            self.had_gang = True
        checkpoints = Checkpoints(
            self._probe, trial=order.trial, attempt=order.attempt, url=order.checkpoint, gang=self._gang
        )
        self._jobs = None
        if self._mark_jobs is not None:
            self._jobs = Jobs(self._mark_jobs(f"maggy-{self._experiment}-trial-{order.trial}-{order.attempt}"))
        reporter = self._reporter = Reporter(
            self._link.send,
            trial=order.trial,
            attempt=order.attempt,
            judge_every=order.judge_every,
            checkpoints=checkpoints,
            logdir=LogDir(self._probe, trial=order.trial, gang=self._gang),
            full=lambda: self._link.full,
            on_stop=self._jobs.cancel if self._jobs is not None else lambda: None,
        )
        self._flusher.begin(reporter)
        for message in self._told:
            _pass_on(message, reporter)
        if self._released:  # looked at last: the end may have come while this trial began
            reporter.stop_now()
            if self._gang is not None:
                self._gang.call_off()
        if self._preempted:
            reporter.preempt()
        try:
            answer = self._attempt(task, order, reporter)
            if os.getpid() != self._process:
                _end_child(answer)
            return answer
        finally:
            if self._jobs is not None:
                self._jobs.end()
            self._flusher.end()
            reporter.end()

    def _attempt(self, task: Task, order: RunTrial, reporter: Reporter) -> ToDriver:
        trial, attempt = order.trial, order.attempt
        log = reporter.log
        capture = captured(log, echo=self._echo) if self._jobs is None else captured_in_thread(log)
        try:
            with capture, made_known(reporter):
                metric, outputs = task.run(order.params, reporter, self._gang)
            return stopped(order, reporter.last) if reporter.cut_short else Finished(trial, attempt, metric, outputs)
        except EarlyStopException as stop:
            return stopped(order, as_number(stop.metric) if reporter.last is None else reporter.last, stop.outputs)
        except BaseException as error:  # sys.exit() in user code ends a trial, not the worker
            if isinstance(error, KeyboardInterrupt) and self._echo:
                raise
            if self._jobs is not None and self._jobs.cancelled:  # it is to stop: this is how it got to know
                return stopped(order, reporter.last)
            return failure(order, error)

    def _conclude(self, order: RunTrial, answer: ToDriver) -> None:
        try:
            self._link.send(answer)
        except Exception as error:  # a number or text of the user's that no message can hold
            self._link.send(failure(order, error))

    def _receive(self, message: FromDriver) -> None:
        """In the link's thread."""
        match message:
            case GoOnTrial():
                if (reporter := self._reporter) is not None:
                    reporter.go_on(message.trial, message.attempt, message.step)
            case HoldTrial() | StopTrial():
                lease = message.trial, message.attempt
                self._told = [*(each for each in self._told if (each.trial, each.attempt) == lease), message]
                reporter = self._reporter  # looked at last: a trial may have begun while this was written down
                broadcast = 0 if reporter is None else _pass_on(message, reporter)
                if isinstance(message, HoldTrial):
                    self._link.send(Held(*lease, broadcast))
            case Gathered():
                if (gang := self._gang) is not None:
                    gang.hear(message)
            case Release():
                self._released = True
                if (reporter := self._reporter) is not None:
                    reporter.stop_now()
                if (gang := self._gang) is not None:
                    gang.call_off()
                self._inbox.put(message)
            case _:
                self._inbox.put(message)


def _pass_on(message: HoldTrial | StopTrial, reporter: Reporter) -> int:
    """Tell a reporter to hold or to stop. Returns the broadcast that it goes on from next."""
    if isinstance(message, HoldTrial):
        return reporter.hold(message.trial, message.attempt)
    reporter.stop(message.trial, message.attempt, message.broadcast)
    return 0


def work(ticket: Ticket, environment: Mapping[str, str]) -> None:
    """Work in the calling thread; the entry point of the inline engine, which leaves its environment alone."""
    Worker(ticket, holder=f"inline-{ticket.seat}", process=0, echo=True).work()


def main() -> None:
    """The worker process. Its ticket comes on standard input, which stays open as long as its supervisor lives."""
    orders = json.loads(sys.stdin.readline())
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() in a training function ends at once
    threading.Thread(target=_watch_supervisor, args=(lifeline,), name="maggy-watch", daemon=True).start()
    worker: Worker | None = None

    def warn(signum: int, frame: FrameType | None) -> None:
        if worker is None:
            raise SystemExit(128 + signum)
        worker.warn()

    signal.signal(signal.SIGTERM, warn)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    worker = Worker(
        Ticket.from_json(orders["ticket"]),
        holder=orders["holder"],
        process=orders["process"],
        echo=False,
        on_ready=lambda: _say_ready(orders["ready"]),
        surroundings=Surroundings(),
    )
    worker.work()
    if worker.had_gang:  # threads of the frameworks' collectives abort the interpreter's own way out, now and then
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(0)


def _say_ready(pipe: int) -> None:
    """Tell the supervisor that this process can work, so that its death, if it comes, is no failed start."""
    os.write(pipe, b"\1")
    os.close(pipe)


def _watch_supervisor(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass
    os._exit(1)  # the supervisor is gone, and with it whoever could tell this process to leave


def _end_child(answer: ToDriver) -> None:
    """End a process that the training function has forked and let return: it must not speak for the worker."""
    if isinstance(answer, Failed):
        print(answer.traceback, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(1 if isinstance(answer, Failed) else 0)


def stopped(order: RunTrial, last: float | None, outputs: Mapping[str, object] | None = None) -> Stopped | Failed:
    """What the driver is told of a trial that was stopped when it had reported this."""
    if last is not None and math.isfinite(last):
        return Stopped(order.trial, order.attempt, last, None if outputs is None else as_outputs(outputs))
    return failure(order, MetricValueError(f"the trial was stopped at metric {last}, which is no result"))


def failure(order: RunTrial, error: BaseException) -> Failed:
    """What the driver is told of a trial whose function has raised this."""
    try:
        lost = order.place is not None and is_peer_error(error)
        return Failed(order.trial, order.attempt, _last_line(error), _signature(error), _traceback(error), lost)
    except Exception:  # no memory is left, or the error cannot be shown
        traceback.clear_frames(error.__traceback__)  # what the training function holds is free now
        name = type(error).__name__
        return Failed(order.trial, order.attempt, name, name, f"{name}, which cannot be shown")


def _last_line(error: BaseException) -> str:
    return sendable("".join(traceback.format_exception_only(error)).strip()[-2000:])


def _signature(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__} at {place}"


def _traceback(error: BaseException) -> str:
    """The traceback from the user's own code on; Maggy's frames above it help nobody."""
    frame = error.__traceback__
    own = {Worker._attempt.__code__, Task.run.__code__, Worker._fetch_task.__code__}
    while frame is not None and frame.tb_next is not None and frame.tb_frame.f_code in own:
        frame = frame.tb_next
    text = sendable("".join(traceback.format_exception(type(error), error, frame)))
    half = _TRACEBACK_LIMIT // 2
    return text if len(text) <= _TRACEBACK_LIMIT else f"{text[:half]}\n[...]\n{text[-half:]}"
