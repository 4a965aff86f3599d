"""What a worker says of its trial, as the event that it is."""

from __future__ import annotations

from math import isfinite

from maggy.brain import events as ev
from maggy.wire import messages as msg

News = msg.Metrics | msg.Finished | msg.Stopped | msg.Failed | msg.CheckpointSaved


def event_of(message: News) -> ev.AnyEvent:
    """The event that a message tells of."""
    which = {"trial": message.trial, "attempt": message.attempt}
    match message:
        case msg.Metrics():
            values = [value if isfinite(value) else str(value) for value in message.values]
            return ev.MetricsReported(**which, steps=message.steps, values=values, awaits=message.awaits)
        case msg.Finished() | msg.Stopped() if not isfinite(message.metric):
            # Our own workers send no such metric; the journal could not hold it.
            error = f"MetricValueError: the trial ended with the metric {message.metric}"
            return ev.TrialFailed(**which, error=error, signature="metric that is not finite", traceback="")
        case msg.Finished():
            return ev.TrialFinished(**which, metric=message.metric, outputs=message.outputs)
        case msg.Stopped():
            return ev.TrialStopped(**which, metric=message.metric, outputs=message.outputs)
        case msg.Failed():
            return ev.TrialFailed(
                **which, error=message.error, signature=message.signature, traceback=message.traceback
            )
        case msg.CheckpointSaved():
            return ev.CheckpointSaved(
                **which,
                number=message.number,
                step=message.step,
                size_bytes=message.size_bytes,
                seconds=message.seconds,
            )
