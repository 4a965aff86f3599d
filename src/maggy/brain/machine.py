"""The brain: events in, commands out.

It never reads a clock, draws a number or touches the world: `now` is an argument, time that matters comes back as an
event from `due`. A live run, a resumed one and a simulated one are this machine fed from a socket, a journal or a
virtual clock.

Two kinds of news reach it. Events (`handle`) are facts that the journal keeps. Signs of life (`heard`, `away`) are
not kept: they only move the time at which a worker counts as lost, and that loss is an event again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf, isfinite
from typing import Any

from maggy.brain import events as ev
from maggy.brain.commands import AnyCommand, Ask, Conclude, Ending, Fence, GoOn, Judge, Replace, Run, Settle, Stop
from maggy.brain.gang import Shortage, choose
from maggy.brain.liveness import Liveness
from maggy.brain.state import Live, Rules, Worker
from maggy.brain.transitions import TRANSITIONS, Cause
from maggy.errors import ImpossibleTransitionError
from maggy.trial import TrialState


class Brain:
    """Who runs what, what to ask next, and when it is over."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.workers: dict[int, Worker] = {}
        self._liveness = Liveness(self.workers, patience_s=rules.patience_s, grace_s=rules.grace_s)
        self.live: dict[int, Live] = {}
        self.ended: Counter[TrialState] = Counter()
        self.suggested = 0
        self.settled = 0  # how often a trial has come to a final state; a promoted one does so again
        self.ending: Ending | None = None
        self._seats: dict[int, int] = {}  # seat -> the worker that holds it, parked ones aside
        self._parked: dict[int, list[int]] = {}  # seat -> workers that wait for it, in the order in which they came
        self._asking = False  # one ask at a time: what comes of it decides whether there is another
        self._next_ask = 0
        self._idle: dict[int, None] = {}  # an ordered set: whoever waits longest is served first
        self._queue: deque[int] = deque()  # trials that wait for a worker
        self._resting: dict[int, bytes] = {}  # trials that have returned and may be promoted: see `Live.packed`
        self._exhausted = self._study_over = False
        self._retry_at = inf
        self._first_errors: set[str] | None = set()  # until a trial has a result
        self._shortage = Shortage(rules.workers_timeout_s)
        self._shorthanded = False  # trials run on fewer workers than they should
        self._had_workers = False  # under this driver; how long the first may take is for others to say
        self._handlers: dict[type[ev.Event], Callable[[Any, float], list[AnyCommand]]] = {
            ev.DriverStarted: self._driver_started,
            ev.WorkerJoined: self._joined,
            ev.WorkerLost: self._lost,
            ev.WorkersMissing: self._missing,
            ev.GangBroke: self._broke,
            ev.Suggested: self._suggested,
            ev.Promoted: self._promoted,
            ev.Idled: self._idled,
            ev.Exhausted: self._out_of_ideas,
            ev.RetryFell: self._retry,
            ev.MetricsReported: self._reported,
            ev.Judged: self._judged,
            ev.StopAsked: self._stop_asked,
            ev.StudyStopped: self._study_stopped,
            ev.TrialFinished: self._finished,
            ev.TrialStopped: self._left,
            ev.TrialFailed: self._raised,
            ev.CheckpointSaved: self._nothing_follows,
            ev.CheckpointDropped: self._nothing_follows,
            ev.Interrupted: self._interrupted,
        }

    # --- the machine

    def handle(self, event: ev.Event, now: float) -> list[AnyCommand]:
        """Learn a fact; return what is to be done about it, in order.

        Raises ImpossibleTransitionError for a step that the table does not have.
        """
        commands = self._handlers[type(event)](event, now)
        if self.ending is not None:
            # A trial that finishes while the workers are leaving is a result all the same.
            return [command for command in commands if isinstance(command, Settle | Conclude)]
        commands += self._fill(now)
        if self.ending is None and self._nothing_left():
            commands.append(self._conclude(Ending.HOPELESS if self._all_fail_alike() else Ending.COMPLETE))
            return [command for command in commands if not isinstance(command, Replace)]
        self._shortage.see(now, short=self._too_few())
        return commands

    def holds(self, trial: int, attempt: int) -> bool:
        """Whether this attempt is the one that counts; a report of any other changes nothing."""
        live = self.live.get(trial)
        return live is not None and live.attempt == attempt and live.gang != ()

    @property
    def tried(self) -> int:
        """How many configurations have come to a final state at least once."""
        return self.ended.total() + sum(live.promoted for live in self.live.values())

    def goes_on_from(self, trial: int, attempt: int) -> bool:
        """Whether a checkpoint of this attempt counts: of the one that runs, or the one that was set back last."""
        live = self.live.get(trial)
        if live is None:
            return False
        return attempt == live.attempt if live.gang else bool(live.setbacks) and attempt + 1 == live.attempt

    # --- time and signs of life

    def heard(self, worker: int, now: float) -> None:
        """A worker gave a sign of life."""
        self._liveness.heard(worker, now)

    def away(self, worker: int, now: float) -> None:
        """A worker's connection broke; it may come back."""
        self._liveness.away(worker, now)

    def deadline(self) -> float:
        """When `due` has something to say at the earliest; infinity if never."""
        return (
            inf if self.ending is not None else min(self._liveness.check_at, self._retry_at, self._shortage.deadline())
        )

    def due(self, now: float) -> list[ev.AnyEvent]:
        """What has happened because time went by; the caller hands each to `handle`."""
        happened: list[ev.AnyEvent] = list(self._liveness.due(now))
        if now >= self._retry_at:
            happened.append(ev.RetryFell())
        if self.ending is None and now >= self._shortage.deadline():
            since = self._shortage.since
            assert since is not None
            over = now >= since + self.rules.workers_timeout_s
            happened.append(ev.WorkersMissing(there=len(self._seats), waited_s=now - since, over=over))
        return happened

    def rest(self, seconds: float) -> None:
        """The driver has heard nobody for so long, by its own doing: that time counts for nothing."""
        self._liveness.rest(seconds)
        if self._shortage.since is not None:
            self._shortage.since += seconds

    def occupant(self, seat: int) -> int | None:
        """The worker that holds a seat, parked ones aside."""
        return self._seats.get(seat)

    def is_away(self, worker: int) -> bool:
        """Whether a worker's connection is broken."""
        return self.workers[worker].away_since is not None

    # --- drivers and workers

    def _driver_started(self, event: ev.DriverStarted, now: float) -> list[AnyCommand]:
        if event.num_trials > self.rules.num_trials:
            self._exhausted = False
        self._study_over = False
        self.rules = replace(
            self.rules,
            num_trials=event.num_trials,
            lost_limit=event.lost_limit,
            error_limit=event.error_limit,
            preempted_limit=event.preempted_limit,
            alike_limit=event.alike_limit,
            promotes=event.promotes,
            workers_per_trial=event.workers_per_trial,
            min_workers=event.min_workers,
            fresh=event.fresh,
        )
        self.ending = None
        commands: list[AnyCommand] = []
        for worker in sorted(self.workers, reverse=True):  # each puts its trial first, so the oldest ends up foremost
            if worker in self.workers:  # and not gone with the others of its gang
                commands += self._remove(worker, Cause.DRIVER_LOST, "the driver was lost", now)
        self._retry_at = inf
        self._shortage = Shortage(self.rules.workers_timeout_s)
        self._shorthanded = self._had_workers = False
        return commands

    def _joined(self, event: ev.WorkerJoined, now: float) -> list[AnyCommand]:
        commands: list[AnyCommand] = []
        if event.replaces is not None and event.replaces in self.workers:
            reason = "replaced by a newer worker on the same seat"
            commands += self._remove(event.replaces, Cause.WORKER_LOST, reason, now)
        taken = self.occupant(event.seat) is not None
        self.workers[event.worker] = Worker(event.seat, now, parked=taken, host=event.host)
        self._liveness.joined(now)
        self._had_workers = True
        if taken:
            self._parked.setdefault(event.seat, []).append(event.worker)
        else:
            self._sit(event.seat, event.worker)
        if len(self._seats) >= self.rules.workers_per_trial:
            self._shorthanded = False
        return commands

    def _lost(self, event: ev.WorkerLost, now: float) -> list[AnyCommand]:
        if event.worker not in self.workers:
            return []
        return self._remove(event.worker, Cause.PREEMPTED if event.preempted else Cause.WORKER_LOST, event.reason, now)

    def _remove(self, number: int, cause: Cause, reason: str, now: float) -> list[AnyCommand]:
        trial = self._vacate(number)
        if trial is None:
            return []
        live = self.live[trial]
        fence = Fence(worker=number, trial=trial, attempt=live.attempt)
        others = self._replace(trial, [other for other in live.gang if other != number])
        return [fence, *others, *self._set_back(trial, cause, reason, now)]

    def _broke(self, event: ev.GangBroke, now: float) -> list[AnyCommand]:
        if not self.holds(event.trial, event.attempt):
            return []
        everybody = self._replace(event.trial, self.live[event.trial].gang)
        return [*everybody, *self._set_back(event.trial, Cause.WORKER_LOST, event.reason, now)]

    def _vacate(self, number: int) -> int | None:
        """A worker is gone. Returns the trial that it ran."""
        worker = self.workers.pop(number)
        self._idle.pop(number, None)
        parked = self._parked.get(worker.seat, [])
        if worker.parked:
            parked.remove(number)
        else:
            del self._seats[worker.seat]
            if parked:
                self._sit(worker.seat, parked.pop(0))
        if not parked:
            self._parked.pop(worker.seat, None)
        return worker.trial

    def _replace(self, trial: int, workers: Iterable[int]) -> list[AnyCommand]:
        """Workers whose processes may be stuck, or are used up: they are gone, and others take their seats."""
        for worker in workers:
            self._vacate(worker)
        return [Replace(worker=worker, trial=trial, attempt=self.live[trial].attempt) for worker in workers]

    def _set_back(self, trial: int, cause: Cause, reason: str, now: float) -> list[AnyCommand]:
        """A trial has lost its workers: it runs again, unless that has happened too often."""
        live = self.live[trial]
        live.setbacks[cause] += 1
        limits = {Cause.WORKER_LOST: self.rules.lost_limit, Cause.PREEMPTED: self.rules.preempted_limit}
        if live.state is TrialState.STOPPING and live.reported:
            return self._settle(trial, Cause.CUT_OFF, now)
        if live.setbacks[cause] >= limits.get(cause, inf):
            times = live.setbacks[cause]
            error = reason if times == 1 else f"{reason} ({cause} {times} times)"
            return self._settle(trial, Cause.GIVEN_UP, now, error=error, signature=reason)
        self._run_again(trial, cause, now)
        return []

    def _run_again(self, trial: int, cause: Cause, now: float) -> None:
        live = self.live[trial]
        live.gang = ()
        live.reported = False
        live.attempt += 1
        self._move(trial, cause, now)
        self._queue.appendleft(trial)  # whoever has waited once comes first

    def _sit(self, seat: int, worker: int) -> None:
        self.workers[worker].parked = False
        self._seats[seat] = worker
        self._idle[worker] = None

    # --- answers of the optimizer

    def _suggested(self, event: ev.Suggested, now: float) -> list[AnyCommand]:
        self._asking = False
        self.suggested += 1
        self.live[event.trial] = Live(event.params, event.budget, event.resumable)
        self._queue.append(event.trial)
        return []

    def _promoted(self, event: ev.Promoted, now: float) -> list[AnyCommand]:
        self._asking = False
        live = self.live[event.trial] = Live.unpacked(self._resting.pop(event.trial))
        live.budget, live.resumable, live.promoted = event.budget, event.resumable, True
        live.attempt += 1
        self.ended[live.state] -= 1
        self._move(event.trial, Cause.PROMOTED, now)
        self._queue.append(event.trial)
        return []

    def _idled(self, event: ev.Idled, now: float) -> list[AnyCommand]:
        self._asking = False
        self._retry_at = now + self.rules.retry_s
        return []

    def _out_of_ideas(self, event: ev.Exhausted, now: float) -> list[AnyCommand]:
        self._asking = False
        self._exhausted = True
        return []

    def _retry(self, event: ev.RetryFell, now: float) -> list[AnyCommand]:
        self._retry_at = inf
        return []

    def _study_stopped(self, event: ev.StudyStopped, now: float) -> list[AnyCommand]:
        self._study_over = True  # what waits for a worker goes on waiting, for a driver that resumes
        return [command for trial in self.live for command in self._stop(trial, event.reason, now)]

    def _stop_asked(self, event: ev.StopAsked, now: float) -> list[AnyCommand]:
        return self._stop(event.trial, event.reason, now)

    def _stop(self, trial: int, reason: str, now: float) -> list[AnyCommand]:
        """Tell a trial to stop, if it runs."""
        live = self.live.get(trial)
        if live is None or live.state is not TrialState.RUNNING or live.worker is None:
            return []
        self._move(trial, Cause.JUDGED, now)
        return [Stop(worker=live.worker, trial=trial, attempt=live.attempt, reason=reason)]

    # --- news of trials

    def _reported(self, event: ev.MetricsReported, now: float) -> list[AnyCommand]:
        if not self.holds(event.trial, event.attempt):
            return []
        live = self.live[event.trial]
        live.reported = live.reported or any(isfinite(float(value)) for value in event.values)
        if event.awaits is None:
            return []
        if live.state is TrialState.STOPPING:
            return []  # it will see the stop
        return [Judge(trial=event.trial, attempt=event.attempt, step=event.awaits)]

    def _judged(self, event: ev.Judged, now: float) -> list[AnyCommand]:
        if not self.holds(event.trial, event.attempt):
            return []
        live = self.live[event.trial]
        worker = live.worker
        assert worker is not None
        if not event.stop:
            return [GoOn(worker=worker, trial=event.trial, attempt=event.attempt, step=event.step)]
        return self._stop(event.trial, event.reason, now)

    def _finished(self, event: ev.TrialFinished, now: float) -> list[AnyCommand]:
        return self._end(event.trial, event.attempt, Cause.RETURNED, now)

    def _left(self, event: ev.TrialStopped, now: float) -> list[AnyCommand]:
        return self._end(event.trial, event.attempt, Cause.LEFT, now)

    def _raised(self, event: ev.TrialFailed, now: float) -> list[AnyCommand]:
        if self.holds(event.trial, event.attempt):
            live = self.live[event.trial]
            live.setbacks[Cause.RAISED] += 1
            if live.state is TrialState.RUNNING and live.setbacks[Cause.RAISED] < self.rules.error_limit:
                replaced = self._free(event.trial, cleanly=False)
                self._run_again(event.trial, Cause.RAISED_ONCE_MORE, now)
                return replaced
        return self._end(event.trial, event.attempt, Cause.RAISED, now, event.error, event.signature)

    def _end(
        self, trial: int, attempt: int, cause: Cause, now: float, error: str | None = None, signature: str = ""
    ) -> list[AnyCommand]:
        if not self.holds(trial, attempt):
            return []
        replaced = self._free(trial, cleanly=cause is not Cause.RAISED)
        return [*replaced, *self._settle(trial, cause, now, error, signature)]

    def _free(self, trial: int, *, cleanly: bool) -> list[AnyCommand]:
        """The workers of a trial wait for the next, if they can: of a gang that failed, some may hang."""
        gang = self.live[trial].gang
        if self.rules.fresh or not (cleanly or len(gang) == 1):
            return self._replace(trial, gang)
        for worker in gang:
            self.workers[worker].trial = None
            self._idle[worker] = None
        return []

    def _nothing_follows(self, event: ev.CheckpointSaved | ev.CheckpointDropped, now: float) -> list[AnyCommand]:
        return []

    def _interrupted(self, event: ev.Interrupted, now: float) -> list[AnyCommand]:
        return [] if self.ending is not None else [self._conclude(Ending.INTERRUPTED, event.reason)]

    # --- what follows

    def _fill(self, now: float) -> list[AnyCommand]:
        """Give idle workers trials, to each as many as it needs or none; if there are not enough, ask for one."""
        commands: list[AnyCommand] = []
        while len(self._idle) >= self._gang_size() and self.ending is None and not self._study_over:
            if self._queue:
                gang = choose(self._idle, self.workers, self._gang_size())
                trial = self._queue.popleft()
                live = self.live[trial]
                live.gang = gang
                for worker in gang:
                    del self._idle[worker]
                    self.workers[worker].trial = trial
                self._move(trial, Cause.HANDED_OUT, now)
                commands.append(
                    Run(
                        worker=gang[0],
                        trial=trial,
                        attempt=live.attempt,
                        params=live.params,
                        budget=live.budget,
                        gang=gang if len(gang) > 1 else (),
                    )
                )
            elif self._may_ask():
                commands.append(Ask(number=self._next_ask))
                self._next_ask += 1
                self._asking = True
            else:
                break
        return commands

    def _gang_size(self) -> int:
        """How many workers a trial gets that begins now."""
        usual = self.rules.workers_per_trial
        return min(usual, max(len(self._seats), self.rules.min_workers)) if self._shorthanded else usual

    def _too_few(self) -> bool:
        """Whether a trial could begin if there were more workers than there are."""
        wanted = bool(self._queue) or self._asking or self._may_ask()
        return self._had_workers and wanted and not self._study_over and len(self._seats) < self._gang_size() > 1

    def _missing(self, event: ev.WorkersMissing, now: float) -> list[AnyCommand]:
        self._shortage.told = True
        if self.ending is not None or not event.over:
            return []
        if not self._shorthanded and event.there >= self.rules.min_workers:
            self._shorthanded = True
            return []
        needed, there = self._gang_size(), event.there
        reason = f"a trial needs {needed} workers, and after {event.waited_s:.0f} s there were {there}"
        return [self._conclude(Ending.SHORTHANDED, reason)]

    def _may_ask(self) -> bool:
        if self._exhausted or self._asking or self._retry_at != inf:
            return False
        return self.rules.promotes or self.suggested < self.rules.num_trials

    def _nothing_left(self) -> bool:
        if self._study_over:
            return len(self.live) == len(self._queue) and not self._asking
        no_more = self._exhausted or (not self.rules.promotes and self.suggested >= self.rules.num_trials)
        return no_more and not self.live and not self._asking

    def _move(self, trial: int, cause: Cause, now: float) -> TrialState:
        live = self.live[trial]
        after = TRANSITIONS.get((live.state, cause))
        if after is None:
            story = tuple(f"{at:.3f} s: {why} -> {state}" for at, why, state in live.story)
            raise ImpossibleTransitionError(f"trial {trial} is {live.state}: '{cause}' cannot happen", story)
        live.state = after
        live.story.append((now, cause, after))
        return after

    def _settle(
        self, trial: int, cause: Cause, now: float, error: str | None = None, signature: str = ""
    ) -> list[AnyCommand]:
        """A trial comes to a final state."""
        fell_back = self.live[trial].promoted and cause is not Cause.RETURNED
        state = self._move(trial, Cause.FELL_BACK if fell_back else cause, now)
        live = self.live.pop(trial)
        if live.resumable and cause is Cause.RETURNED:
            self._resting[trial] = live.packed()
        self.ended[state] += 1
        self.settled += 1
        self._retry_at = inf  # something happened: an idle optimizer may have an idea now
        shown = error if fell_back or not state.has_result else None
        commands: list[AnyCommand] = [Settle(trial=trial, state=state, error=shown, fell_back=fell_back)]
        if state.has_result:
            self._first_errors = None
        elif self._first_errors is not None:
            self._first_errors.add(signature)
            if self.ending is None and self._all_fail_alike():
                commands.append(self._conclude(Ending.HOPELESS, error or ""))
        return commands

    def _all_fail_alike(self) -> bool:
        """Whether enough trials have ended, none with a result, and all for the same reason."""
        enough = self.ended.total() >= min(self.rules.alike_limit, self.rules.num_trials)
        return enough and self._first_errors is not None and len(self._first_errors) == 1

    def _conclude(self, ending: Ending, reason: str = "") -> Conclude:
        self.ending = ending
        return Conclude(ending=ending, reason=reason)
