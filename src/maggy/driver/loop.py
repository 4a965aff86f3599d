"""The driver: the only loop. Messages become events, events commands, commands messages.

One turn: read what has arrived, feed the brain, ask the policies, write the journal once, and only then send. So
nothing that a worker was told is ever unknown to the journal.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

import msgspec

from maggy.brain import commands as do
from maggy.brain import events as ev
from maggy.config import Combine
from maggy.driver.crew import Crew, Member
from maggy.driver.decider import Decider
from maggy.driver.gangs import Gangs, places
from maggy.driver.news import News
from maggy.driver.outside import CheckpointStore, Clock, Journal, LogFiles
from maggy.errors import EngineError, ExperimentFailedError, JournalError, MaggyError, NoWorkersError
from maggy.wire import messages as msg
from maggy.wire.channel import Item, Listener, Peer, Sign, WrongVersion

_LAST_WORDS_S = 1.0  # nobody runs any more, so what was said is on its way
_PAUSE_RETRY_S, _PAUSE_LIMIT_S = 1.0, 3600.0  # while the journal cannot be written
_STILLBORN_LIMIT = 5  # worker processes that die before one ever was ready
_REPLACE_S = 3.0  # time for a worker process to leave by itself where another one takes its seat


class Driver(threading.Thread):
    """Runs one experiment.

    heartbeat_s      how often supervisors say that they are alive
    start_timeout_s  time for the first worker to be ready
    describe         what the engine offers, for the error when nobody comes
    experiment       id of the experiment
    janitor          deletes the checkpoints that are not kept
    begin            what happens first: `DriverStarted`, after answers that the driver before it left unwritten
    say              called with a line that the user should read
    combine          what becomes of the metrics of the workers that run one trial together
    gang_timeout_s   how long one of them waits for the others
    clock            what the time is; a simulation has its own
    """

    def __init__(
        self,
        *,
        listener: Listener,
        decider: Decider,
        begin: Sequence[ev.AnyEvent],
        journal: Journal,
        logs: LogFiles,
        task: bytes,
        heartbeat_s: float,
        start_timeout_s: float,
        describe: Callable[[], str],
        experiment: str,
        janitor: CheckpointStore,
        say: Callable[[str], None],
        combine: Combine = "mean",
        gang_timeout_s: float = inf,
        clock: Clock = time,
    ) -> None:
        super().__init__(name="maggy-driver", daemon=True)
        self.brain, self.advisor = decider.brain, decider.advisor
        self._decider, self._begin = decider, begin
        self.error: BaseException | None = None
        self.begun = threading.Event()
        """Set when what happens first has happened; an experiment that was complete is over by then."""
        self.over = threading.Event()
        """Set when the experiment has ended; workers are being released, late ones still answered."""
        self._listener, self._journal, self._logs, self._task = listener, journal, logs, task
        self._heartbeat_s, self._judge_every = heartbeat_s, self.advisor.judge_every
        self._start_timeout_s, self._describe = start_timeout_s, describe
        self._experiment, self._keeper, self._janitor = experiment, decider.keeper, janitor
        self._say, self._said_full = say, False
        self._clock = clock
        self._crew = Crew(self.brain)
        self._gangs = Gangs(
            tell=self._tell, log=logs.trial, holds=self.brain.holds, combine=combine, timeout_s=gang_timeout_s
        )
        self._wants_out = threading.Event()
        self._outbox: list[tuple[Peer, msg.FromDriver]] = []
        self._posts: deque[Callable[[], None]] = deque()
        self._grace_s = 5.0
        self._ended = False  # as soon as it is decided; `over` once it is on record
        self._writes = True
        self._stillborn = 0
        self._check_study_at = inf
        self._closing = False
        self._receivers: dict[type[Item], Callable[[Peer, Any, float], None]] = {
            Sign: self._on_sign,
            WrongVersion: self._on_wrong_version,
            msg.SupervisorHello: self._on_supervisor,
            msg.WorkerHello: self._on_worker,
            msg.Ready: self._on_ready,
            msg.Unfit: self._on_unfit,
            msg.Leaving: self._on_leaving,
            msg.Heartbeat: self._on_heartbeat,
            msg.ProcessEnded: self._on_process_ended,
            msg.Output: self._on_output,
            msg.Metrics: self._on_news,
            msg.Log: self._on_log,
            msg.Finished: self._on_news,
            msg.Stopped: self._on_news,
            msg.Failed: self._on_news,
            msg.CheckpointSaved: self._on_news,
            msg.Gather: self._on_gather,
            msg.Held: self._on_held,
        }
        self._doers: dict[type[do.Command], Callable[[Any], None]] = {
            do.Run: self._do_run,
            do.GoOn: self._do_go_on,
            do.Stop: self._do_stop,
            do.Fence: self._do_fence,
            do.Replace: self._do_replace,
            do.Conclude: self._do_conclude,
        }

    # --- for other threads

    def interrupt(self, reason: str) -> None:
        """End the experiment now and keep what has finished."""
        self._wants_out.set()
        self._post(lambda: self._interrupt(reason))

    def stop_trial(self, trial: int, reason: str) -> None:
        """Tell one trial to stop, if it runs; what it has reported last is its result."""
        self._post(lambda: self._stop_trial(trial, reason))

    def hurry(self) -> None:
        """End the experiment at once: workers get no time to leave."""
        self._post(lambda: self._release_all(grace_s=0.0))

    def fail(self, error: BaseException) -> None:
        """End the experiment with an error."""
        self._wants_out.set()
        self._post(lambda: self._give_up(error))

    def close(self) -> None:
        """End the loop; call it when no worker can come any more.

        Where the loop runs in the calling thread, by `run`, it ends when its turn is over.
        """
        self._closing = True
        self._listener.wake()
        if self.is_alive():
            self.join()

    @property
    def interrupted(self) -> bool:
        """Whether somebody has ended the experiment before it was complete."""
        return self.brain.ending is do.Ending.INTERRUPTED

    @property
    def trials_ended(self) -> int:
        """How often trials have come to a final state."""
        return self.brain.settled

    @property
    def had_workers(self) -> bool:
        """Whether a worker was ever ready; whoever was not has nothing to put away."""
        return self._crew.joined > 0

    # --- the loop

    def run(self) -> None:
        try:
            try:
                self._run()
            except JournalError as error:
                self._run_unwritten(error)
        except BaseException as error:
            self.error = error
            self._release_all(grace_s=2.0)
            self.over.set()
            self.begun.set()
            self._answer_until_closed()
        finally:
            self.begun.set()
            self._listener.close()

    def _run(self) -> None:
        start_by = self._clock.monotonic() + self._start_timeout_s
        for event in self._begin:
            self._happen(event)
        self._turn(self._clock.monotonic())
        self.begun.set()
        while not self._closing:
            deadline = min(self.brain.deadline(), self._gangs.deadline(), self._check_study_at)
            if not (self._crew.joined or self._ended):
                deadline = min(deadline, start_by)
            self._turn(deadline)
            if not self._crew.joined and self._clock.monotonic() >= start_by and not self._ended:
                self.fail(NoWorkersError(f"no worker was ready within {self._start_timeout_s:g} s. {self._describe()}"))
        self._hear_out()

    def _run_unwritten(self, error: JournalError) -> None:
        """The journal takes nothing any more: end the experiment, and still take in how the running trials end."""
        self.error, self._writes = error, False
        self._outbox.clear()  # nobody begins a trial that is not on record
        if self._ended:
            self._release_all(self._grace_s)  # whoever was to be told so was not
        else:
            self._interrupt(str(error).partition("\n")[0])
        self._turn(self._clock.monotonic())
        while not self._closing:
            self._turn(inf)
        self._hear_out()

    def _hear_out(self) -> None:
        """Take what the leaving workers have said last, until every connection is closed."""
        until = self._clock.monotonic() + _LAST_WORDS_S
        while self._crew.anyone_here and self._clock.monotonic() < until:
            self._turn(until)

    def _turn(self, deadline: float) -> None:
        arrived = self._listener.receive(deadline if deadline == inf else max(0.0, deadline - self._clock.monotonic()))
        now = self._clock.monotonic()
        for peer, item in arrived:
            self._receivers[type(item)](peer, item, now)
        for event in [*self.brain.due(now), *self._gangs.due(now)]:
            self._happen(event)
            if isinstance(event, ev.WorkerLost):
                self._dismiss(event.worker)
        self._watch_study(now)
        while self._posts:
            self._posts.popleft()()
        self._drop_surplus()
        self._write_down()
        for peer, reply in self._outbox:
            self._listener.send(peer, reply)
        self._outbox.clear()
        if self._ended:
            self.over.set()
        # Workers have what they waited for; now there is time.
        self._journal.sync_soon()
        if self._writes:  # what is not on record may still be needed by whoever resumes
            self._janitor.delete(self._keeper.deletions())
        if self.begun.is_set() and not self._ended:  # workers start meanwhile: the first draw has much to load
            self.advisor.prepare()

    def _happen(self, event: ev.AnyEvent) -> None:
        """Write an event down, let the brain draw its conclusions, carry them out, and so on until all is done."""
        events = deque([event])
        while events:
            event = events.popleft()
            if isinstance(event, ev.WorkerLost) and (rank := self._gangs.rank_of(event.worker)) is not None:
                event = msgspec.structs.replace(event, reason=f"rank {rank}: {event.reason}")
            t = self._clock.time()
            self._journal.append(event, t)
            commands, answers = self._decider.learn(event, now=self._clock.monotonic(), t=t)
            self._explain(event, commands)
            for command in commands:
                if (doer := self._doers.get(type(command))) is not None:
                    doer(command)
            events.extend(answers)
            settled = any(isinstance(command, do.Settle) for command in commands)
            if settled and (stopped := self._study_stopped()) is not None:
                events.appendleft(stopped)  # before the worker that has become free begins anything else

    def _explain(self, event: ev.AnyEvent, commands: Sequence[do.AnyCommand]) -> None:
        """Write into a trial's log why it was promoted, stopped, or begun with what it was; say for what it waits."""
        if isinstance(event, ev.Suggested | ev.Promoted | ev.Judged | ev.StopAsked) and event.reason:
            self._logs.trial(event.trial, [f"[maggy] {event.reason}"])
        elif isinstance(event, ev.WorkerLost | ev.GangBroke):
            for command in commands:
                if isinstance(command, do.Fence | do.Replace):
                    self._logs.trial(command.trial, [f"[maggy] attempt {command.attempt} is over: {event.reason}"])
                    break
        elif isinstance(event, ev.WorkersMissing):
            needed = self.brain.rules.workers_per_trial
            self._say(
                f"a trial needs {needed} workers, and after {event.waited_s:.0f} s there are {event.there}"
                + (", with which it goes on" if event.over and self.brain.ending is None else "")
            )

    def _write_down(self) -> None:
        """Write what the turn has added. A disk that refuses it pauses the experiment until it has space again.

        Nobody is heard or answered meanwhile, so nothing goes on that is not on record.

        Raises JournalError if the pause takes too long, or somebody ends the experiment.
        """
        paused_at: float | None = None
        while self._writes:
            try:
                self._journal.flush()
                break
            except JournalError as error:
                if error.final:
                    raise
                if paused_at is None:
                    paused_at = self._clock.monotonic()
                    self._say(f"paused: {error}. It goes on as soon as it can be written; Ctrl-C ends it here")
                too_long = self._clock.monotonic() - paused_at > _PAUSE_LIMIT_S
                if too_long or self._wants_out.wait(_PAUSE_RETRY_S):
                    raise
        if paused_at is not None:
            self.brain.rest(self._clock.monotonic() - paused_at)
            self._gangs.rest(self._clock.monotonic() - paused_at)
            self._say("goes on: the journal can be written again")

    def _post(self, work: Callable[[], None]) -> None:
        self._posts.append(work)
        self._listener.wake()

    def _interrupt(self, reason: str) -> None:
        if not self._ended:
            self._happen(ev.Interrupted(reason=reason))

    def _stop_trial(self, trial: int, reason: str) -> None:
        if not self._ended and trial in self.brain.live:
            self._happen(ev.StopAsked(trial=trial, reason=reason))

    def _give_up(self, error: BaseException) -> None:
        if not self._ended:
            self.error = error
            self._interrupt(str(error).partition("\n")[0])

    def _answer_until_closed(self) -> None:
        """The loop is broken; still tell everyone who asks that it is over."""
        while not self._closing:
            for peer, reply in self._outbox:
                self._listener.send(peer, reply)
            self._outbox.clear()
            for peer, message in self._listener.receive(inf):
                if isinstance(message, msg.SupervisorHello | msg.WorkerHello):
                    self._outbox.append((peer, msg.Release(self._grace_s)))

    # --- messages in

    def _on_sign(self, peer: Peer, sign: Sign, now: float) -> None:
        if sign is Sign.BACK:
            self._crew.come_back(peer, now)
        elif not self._crew.hang_up(peer, now):
            self._listener.forget(peer)

    def _on_wrong_version(self, peer: Peer, version: WrongVersion, now: float) -> None:
        if not self._crew.joined:  # later it is one worker's mishap, which its own machine reports
            self._give_up(
                EngineError(
                    f"a worker speaks version {version.theirs} of Maggy's protocol and this driver version "
                    f"{version.ours}: install the same version of Maggy where the workers run"
                )
            )

    def _on_supervisor(self, peer: Peer, hello: msg.SupervisorHello, now: float) -> None:
        self._crew.greet_supervisor(peer, hello, now)
        self._reply(peer, msg.Release(self._grace_s) if self._ended else msg.Enlisted(self._heartbeat_s))

    def _on_worker(self, peer: Peer, hello: msg.WorkerHello, now: float) -> None:
        if self._ended:
            self._reply(peer, msg.Release(self._grace_s))
            return
        self._crew.greet_worker(peer, hello)
        self._reply(peer, msg.Welcome(self._task, self._janitor.folder, self._experiment))

    def _on_ready(self, peer: Peer, message: msg.Ready, now: float) -> None:
        member = self._crew.member_at(peer)
        if member is not None and member.number is None:
            if not self._crew.joined:
                self.advisor.draws.warm_up()
            joined = self._crew.enrol(member)
            self._happen(joined)
            if joined.replaces is not None:
                self._dismiss(joined.replaces)

    def _on_unfit(self, peer: Peer, message: msg.Unfit, now: float) -> None:
        member = self._crew.member_at(peer)
        if member is not None and member.is_guest:
            self._reply(peer, msg.Release(self._grace_s))  # its supervisor tells those who have sent it
            return
        self._give_up(
            ExperimentFailedError(
                f"a worker cannot load the training function: {message.error}\n{message.traceback}\n"
                f"Whatever it imports has to be installed where the workers run, and its data has to lie where they "
                f"can read it.",
                error=message.error,
                traceback=message.traceback,
            )
        )

    def _on_leaving(self, peer: Peer, message: msg.Leaving, now: float) -> None:
        for event in self._crew.leave(peer, message.reason):
            self._happen(event)

    def _on_heartbeat(self, peer: Peer, message: msg.Heartbeat, now: float) -> None:
        self._crew.hear(peer, now)

    def _on_process_ended(self, peer: Peer, message: msg.ProcessEnded, now: float) -> None:
        member, gone = self._crew.process_ended(peer, message.process)
        if member is not None and gone:
            self._listener.forget(member.peer)  # else once its connection is gone: it may have said something last
        if member is not None and member.number is not None and not member.leaves:
            self._happen(ev.WorkerLost(worker=member.number, reason=message.cause, preempted=message.preempted))
        if not self._crew.joined:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN_LIMIT:
                self._give_up(
                    EngineError(f"worker processes die before they can work: {message.cause}\n{message.tail}")
                )

    def _on_output(self, peer: Peer, message: msg.Output, now: float) -> None:
        for member in self._crew.supervised_by(peer)[-1:]:
            if member.number is not None:
                self._logs.worker(member.number, message.lines)

    def _on_log(self, peer: Peer, message: msg.Log, now: float) -> None:
        rank = self._gangs.rank(self._crew.worker_at(peer), message.trial, message.attempt)
        lines = message.lines if rank is None else [f"[rank {rank}] {line}" for line in message.lines]
        self._logs.trial(message.trial, lines)

    def _on_news(self, peer: Peer, message: News, now: float) -> None:
        self._take(self._gangs.hear(self._crew.worker_at(peer), message, now))

    def _on_gather(self, peer: Peer, message: msg.Gather, now: float) -> None:
        self._take(self._gangs.gather(self._crew.worker_at(peer), message, now))

    def _on_held(self, peer: Peer, message: msg.Held, now: float) -> None:
        self._take(self._gangs.held(self._crew.worker_at(peer), message))

    def _take(self, events: Iterator[ev.AnyEvent]) -> None:
        for event in events:
            if isinstance(event, ev.TrialFailed):
                self._logs.trial(event.trial, event.traceback.splitlines())
            self._happen(event)

    def _watch_study(self, now: float) -> None:
        """End the study if a stopper says so, and know when to ask it again."""
        self._check_study_at = inf
        if (stopped := self._study_stopped()) is not None:
            self._happen(stopped)
        elif not self._ended and self.advisor.watch.stopped is None:
            self._check_study_at = now + self.advisor.study_check_in_s()

    def _study_stopped(self) -> ev.StudyStopped | None:
        """What happens if a stopper ends the study now."""
        if self._ended or self.advisor.watch.stopped is not None:
            return None
        reason = self.advisor.study_verdict(self._clock.time())
        return None if reason is None else ev.StudyStopped(reason=reason)

    def _drop_surplus(self) -> None:
        """Let checkpoints go that do not fit into the quota any more."""
        for event in self._keeper.surplus():
            self._happen(event)
        if self._keeper.over_quota and not self._said_full:
            self._said_full = True
            self._say(
                f"checkpoints that are needed take {self._keeper.total_bytes / 1e6:.0f} MB, more than "
                f"checkpoint_quota_bytes; they are kept"
            )

    # --- commands out

    def _do_run(self, run: do.Run) -> None:
        checkpoint = self.advisor.book.running[run.trial].checkpoint
        url = None if checkpoint is None else checkpoint.url
        params = run.params if run.budget is None else {**run.params, "budget": run.budget}
        order = msg.RunTrial(run.trial, run.attempt, params, self._judge_every, url)
        if not run.gang:
            self._tell(run.worker, order)
            return
        self._gangs.begin(run)
        for worker, place in zip(run.gang, places([self.brain.workers[each].host for each in run.gang]), strict=True):
            self._tell(worker, msgspec.structs.replace(order, place=place))

    def _do_go_on(self, command: do.GoOn) -> None:
        for worker in self._gangs.workers(command.trial, command.attempt) or [command.worker]:
            self._tell(worker, msg.GoOnTrial(command.trial, command.attempt, command.step))

    def _do_stop(self, command: do.Stop) -> None:
        if self._gangs.workers(command.trial, command.attempt):
            self._gangs.stop(command, self._clock.monotonic())
        else:
            self._tell(command.worker, msg.StopTrial(command.trial, command.attempt))

    def _do_fence(self, command: do.Fence) -> None:
        self._tell(command.worker, msg.StopTrial(command.trial, command.attempt))

    def _do_replace(self, command: do.Replace) -> None:
        if (member := self._crew.member(command.worker)) is not None:
            self._end_process(member, _REPLACE_S)

    def _do_conclude(self, command: do.Conclude) -> None:
        if command.ending is do.Ending.HOPELESS:
            self.error = self._hopeless()
        if command.ending is do.Ending.SHORTHANDED:
            self.error = NoWorkersError(f"{command.reason}. {self._describe()}")
        self._release_all(grace_s=5.0 if command.ending is do.Ending.COMPLETE else 2.0)

    def _hopeless(self) -> MaggyError:
        failed = self.advisor.book.ended
        error, traceback = failed[0].error or "", failed[0].traceback or ""
        what = "the trial failed"
        if len(failed) > 1:
            what = f"the first {len(failed)} trials all failed with the same error, so the experiment was ended"
        return ExperimentFailedError(
            f"{what}: {error}\n{traceback}".rstrip(),
            error=error,
            traceback=traceback,
            failed=len(failed),
        )

    def _release_all(self, grace_s: float) -> None:
        self._grace_s = grace_s
        for peer in self._crew.peers:
            self._reply(peer, msg.Release(grace_s))
        self._ended = True

    def _dismiss(self, worker: int) -> None:
        """A worker was given up: it leaves, now or when it is back, and its supervisor fills the seat afresh."""
        if (member := self._crew.member(worker)) is not None:
            self._end_process(member, self._grace_s)

    def _end_process(self, member: Member, grace_s: float) -> None:
        """Have a process leave; its supervisor ends it if it has not after `grace_s`, for it may hang."""
        member.leaves = True
        self._reply(member.peer, msg.Release(grace_s))
        if (supervisor := self._crew.supervisor_of(member)) is not None:
            self._reply(supervisor, msg.EndProcess(member.hello.process, grace_s))

    def _tell(self, worker: int, message: msg.FromDriver) -> None:
        peer = self._crew.peer_of(worker)
        if peer is not None:
            self._reply(peer, message)

    def _reply(self, peer: Peer, message: msg.FromDriver) -> None:
        self._outbox.append((peer, message))
