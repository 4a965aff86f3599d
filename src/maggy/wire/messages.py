"""What travels between driver and workers: typed messages, and nothing that runs code when it is read.

Encoded as MessagePack arrays. A field is only ever added at the end and with a default, so that two versions that
differ by one field still understand each other.
"""

# msgspec hands `frozen` down to subclasses, which mypy does not know
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any

import msgspec

MAX_MESSAGE_BYTES = 1 << 20
"""Largest message that the driver accepts; whoever sends more is cut off."""


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all messages."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a worker stands in the gang that runs a trial.

    rank, size              among all
    local_rank, local_size  among those on its host
    """

    rank: int
    size: int
    local_rank: int
    local_size: int


# --- to the driver


class CheckpointSaved(Message):
    """The running trial has saved a checkpoint; see the event of this name."""

    trial: int
    attempt: int
    number: int
    step: int | None
    size_bytes: int
    seconds: float


class SupervisorHello(Message):
    """A supervisor fills a seat.

    holder  a random name for this filling of the seat; the worker processes it starts say it too
    """

    holder: str
    seat: int
    host: str


class WorkerHello(Message):
    """A worker process is up and asks for the training function.

    process     counts the processes that the holder has started
    checkpoint  the last one of its trial, in case the news of it died with the old connection
    """

    holder: str
    seat: int
    process: int
    host: str
    pid: int


class Ready(Message):
    """The worker has loaded the training function and waits for its first trial."""


class Unfit(Message):
    """The worker cannot load the training function."""

    error: str
    traceback: str


class Leaving(Message):
    """The worker was told to leave (SIGTERM): it gives its trial back, and ends."""

    reason: str


class Heartbeat(Message):
    """The supervisor is alive; says nothing about progress."""


class ProcessEnded(Message):
    """A worker process ended without the driver asking it to; `tail` is the last that it printed.

    preempted  the process was told to leave (SIGTERM), alone or with its supervisor
    """

    process: int
    cause: str
    tail: str
    preempted: bool = False


class Output(Message):
    """What a worker process wrote to its standard streams past Python's `print`, line by line."""

    lines: list[str]


class Metrics(Message):
    """Points of a trial's curve, in order; `awaits` is the step for which the trial waits for a verdict."""

    trial: int
    attempt: int
    steps: list[int]
    values: list[float]
    awaits: int | None = None


class Log(Message):
    """Lines that a trial logged or printed."""

    trial: int
    attempt: int
    lines: list[str]


class Finished(Message):
    """The training function returned; also asks for the next trial."""

    trial: int
    attempt: int
    metric: float
    outputs: dict[str, Any] | None = None


class Stopped(Message):
    """The training function left at a broadcast; also asks for the next trial."""

    trial: int
    attempt: int
    metric: float
    outputs: dict[str, Any] | None = None


class Failed(Message):
    """The training function raised; also asks for the next trial.

    peer_lost  it says no more than that another rank of the gang is gone or does not answer
    """

    trial: int
    attempt: int
    error: str
    signature: str
    traceback: str
    peer_lost: bool = False


class Gather(Message):
    """A rank of a gang gives its part, and waits for those of the others.

    number  counts the gathers of an attempt from 0
    what    what for: the same on every rank
    """

    trial: int
    attempt: int
    number: int
    what: str
    part: list[float | str]


class Held(Message):
    """Answer to HoldTrial: the rank waits before it goes on from this broadcast, counted from 0."""

    trial: int
    attempt: int
    broadcast: int


# --- from the driver


class Enlisted(Message):
    """Answer to SupervisorHello: how often to say that it is alive."""

    heartbeat_s: float


class Welcome(Message):
    """Answer to WorkerHello: the pickled task, which holds the training function.

    folder      path or URL of the experiment's folder
    experiment  id of the experiment, by which the worker can tell whether it sees that folder
    """

    task: bytes
    folder: str = ""
    experiment: str = ""


class RunTrial(Message):
    """Run this trial now; a rule judges every `judge_every`-th step (0: never).

    checkpoint  path or URL of what it goes on from, if it goes on
    place       in the gang, where several workers run it
    """

    trial: int
    attempt: int
    params: dict[str, Any]
    judge_every: int = 0
    checkpoint: str | None = None
    place: Place | None = None


class GoOnTrial(Message):
    """The verdict for a step: go on."""

    trial: int
    attempt: int
    step: int


class HoldTrial(Message):
    """A gang is to stop: say which broadcast you go on from next, and wait there for the word where all leave."""

    trial: int
    attempt: int


class StopTrial(Message):
    """Leave at the next broadcast.

    broadcast  of a gang: the number of the broadcast at which every rank leaves
    """

    trial: int
    attempt: int
    broadcast: int | None = None


class Gathered(Message):
    """Answer to Gather: the parts of all ranks, in order of rank."""

    trial: int
    attempt: int
    parts: list[list[float | str]]


class EndProcess(Message):
    """To a supervisor: this worker process has to end within `grace_s` seconds; the next one takes its seat."""

    process: int
    grace_s: float


class Release(Message):
    """The experiment is over; leave within `grace_s` seconds."""

    grace_s: float


ToDriver = (
    SupervisorHello
    | WorkerHello
    | Ready
    | Unfit
    | Leaving
    | Heartbeat
    | ProcessEnded
    | Output
    | Metrics
    | Log
    | Finished
    | Stopped
    | Failed
    | CheckpointSaved
    | Gather
    | Held
)
FromDriver = Enlisted | Welcome | RunTrial | GoOnTrial | HoldTrial | StopTrial | Gathered | EndProcess | Release


def _refuse(code: int, data: memoryview) -> None:
    raise msgspec.ValidationError("messages hold plain values only")


_encoder = msgspec.msgpack.Encoder()
encode, encode_into = _encoder.encode, _encoder.encode_into
decode_to_driver = msgspec.msgpack.Decoder(ToDriver, ext_hook=_refuse).decode
decode_from_driver = msgspec.msgpack.Decoder(FromDriver).decode
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the decoders raise for bytes that are no message."""
