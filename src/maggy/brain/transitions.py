"""The life of a trial as a table.

What the table cannot say: a trial that waits (`PENDING`) has no worker; a trial that runs holds exactly one lease,
numbered by its attempt, and only reports that carry this number count. A trial that was told to stop and whose worker
then dies needs no second run: it counts as stopped, with what it reported last. If it has reported no number, it has to
run again: at once if a rule stopped it, under the next driver if the study was stopped. How often a trial may be set
back is counted apart for lost workers, errors and preemptions; a lost driver is nobody's fault and counts for nothing.

A trial that has returned may be promoted: it runs on with a larger budget. If it then fails, its result is what it
returned before.
"""

from __future__ import annotations

from enum import StrEnum

from maggy.trial import TrialState

PENDING, RUNNING, STOPPING = TrialState.PENDING, TrialState.RUNNING, TrialState.STOPPING
FINISHED, STOPPED, FAILED, LOST = TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED, TrialState.LOST


class Cause(StrEnum):
    """What moves a trial from one state to the next."""

    HANDED_OUT = "handed to a worker"
    RETURNED = "function returned"
    RAISED = "function raised"
    LEFT = "function left at a broadcast"
    JUDGED = "rule says stop"
    RAISED_ONCE_MORE = "function raised, to be tried again"
    WORKER_LOST = "worker lost"
    PREEMPTED = "worker told to leave"
    DRIVER_LOST = "driver lost"
    GIVEN_UP = "lost or preempted too often"
    PROMOTED = "optimizer promotes it"
    FELL_BACK = "failed, lost or stopped with a result from before"
    CUT_OFF = "worker or driver lost after a report"


TRANSITIONS: dict[tuple[TrialState, Cause], TrialState] = {
    (PENDING, Cause.HANDED_OUT): RUNNING,
    (RUNNING, Cause.RETURNED): FINISHED,
    (RUNNING, Cause.RAISED): FAILED,
    (RUNNING, Cause.LEFT): STOPPED,  # the function raised EarlyStopException on its own
    (RUNNING, Cause.JUDGED): STOPPING,
    (RUNNING, Cause.RAISED_ONCE_MORE): PENDING,
    (RUNNING, Cause.WORKER_LOST): PENDING,
    (RUNNING, Cause.PREEMPTED): PENDING,
    (RUNNING, Cause.DRIVER_LOST): PENDING,
    (RUNNING, Cause.GIVEN_UP): LOST,
    (RUNNING, Cause.FELL_BACK): FINISHED,
    (STOPPING, Cause.LEFT): STOPPED,
    (STOPPING, Cause.RETURNED): FINISHED,  # it was done before it saw the stop
    (STOPPING, Cause.RAISED): FAILED,
    (STOPPING, Cause.CUT_OFF): STOPPED,
    (STOPPING, Cause.WORKER_LOST): PENDING,
    (STOPPING, Cause.PREEMPTED): PENDING,
    (STOPPING, Cause.DRIVER_LOST): PENDING,
    (STOPPING, Cause.GIVEN_UP): LOST,
    (STOPPING, Cause.FELL_BACK): FINISHED,
    (FINISHED, Cause.PROMOTED): PENDING,
}
