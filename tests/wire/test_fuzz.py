"""A stated number of damaged and random inputs to everything that reads what came from the network."""

from __future__ import annotations

import random

import msgspec
import pytest
from wire.helpers import NAME, Experiment, numbered, opening

from maggy.testing.channels import HELLO, points
from maggy.wire import messages as msg
from maggy.wire.frames import PREFIX, Opened, Opening, Refused, decode_answer, decode_opening
from maggy.wire.messages import UNREADABLE, Log, Ready, decode_from_driver, decode_to_driver, encode

INPUTS = 100_000
SOAK_INPUTS = 2_000_000
SEED = 20_240

SAMPLES: list[bytes] = [
    encode(message)
    for message in (
        msg.SupervisorHello("holder", 0, "node-a"),
        msg.WorkerHello("holder", 0, 1, "node-a", 4711),
        msg.Unfit("error", "traceback"),
        msg.Heartbeat(),
        msg.ProcessEnded(1, "SIGKILL", "tail"),
        msg.Output(["one", "two"]),
        msg.Metrics(3, 0, [1, 2], [0.5, float("nan")], 2),
        msg.Log(3, 0, ["a line", "größe"]),
        msg.Finished(3, 0, 0.5, {"Metric": 0.5, "list": [1, {"a": None}]}),
        msg.Failed(3, 0, "KeyError", "KeyError at x", "Traceback"),
        msg.Welcome(b"task" * 10),
        msg.RunTrial(3, 0, {"lr": 0.1, "layers": [64, 32]}, 2),
        msg.GoOnTrial(3, 0, 7),
        msg.Release(5.0),
        Opening(2, NAME, True),
        Opened(),
        Refused("no"),
    )
]
DECODERS = {
    decode_to_driver: msg.ToDriver,
    decode_from_driver: msg.FromDriver,
    decode_opening: Opening,
    decode_answer: Opened | Refused,
}


def damaged(chance: random.Random) -> bytes:
    """One of the samples with some bytes changed, cut, doubled or joined; or bytes by chance."""
    body = bytearray(chance.choice(SAMPLES))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(body) + 1)
        match chance.randrange(6):
            case 0:
                body[place : place + 1] = chance.randbytes(1)
            case 1:
                body[place:] = b""
            case 2:
                body[place:place] = body[: chance.randrange(len(body) + 1)]
            case 3:
                body[place:place] = chance.choice(SAMPLES)
            case 4:  # lengths, depths and types beyond all measure
                body[place : place + 1] = chance.choice(
                    [b"\xdd\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff", b"\x91" * 50]
                )
            case 5:
                body = bytearray(chance.randbytes(chance.randrange(64)))
    return bytes(body)


def feed(count: int) -> int:
    """Give so many inputs to every decoder; how many were read as a message."""
    chance = random.Random(SEED)
    read = 0
    for _ in range(count):
        body = damaged(chance)
        for decode, kind in DECODERS.items():
            try:
                message = decode(body)
            except UNREADABLE:
                continue
            assert isinstance(message, kind)
            read += 1
    return read


def test_a_decoder_makes_a_message_of_any_bytes_or_refuses_them():
    assert feed(INPUTS) > 1000  # some are still messages, so the damage goes deep


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_decoder_makes_a_message_of_any_bytes_or_refuses_them_for_long():
    assert feed(SOAK_INPUTS) > 20_000


def test_damaged_frames_in_a_session_harm_neither_it_nor_others():
    experiment = Experiment()
    with experiment.closing:
        link = experiment.link()
        peer, _ = experiment.take()
        dealer = experiment.session()
        chance = random.Random(SEED)
        number = 1
        while number < 5000:
            prefix = PREFIX.pack(number, chance.choice([0, 1, 2**63]))
            if chance.random() < 0.2:
                prefix = chance.randbytes(chance.randrange(20))
            else:
                number += 1
            dealer.send(prefix + damaged(chance))
            if number % 100 == 0:
                experiment.serve()
        dealer.send(opening(resumes=True))
        dealer.send(numbered(number, Log(7, 7, ["the end"])))
        link.send(points(1))
        seen = []
        while (peer, points(1)) not in seen or (NAME, Log(7, 7, ["the end"])) not in seen:
            seen.append(experiment.take())
        assert len(seen) > 20  # some are still messages
        assert {who for who, _ in seen} <= {peer, NAME}

        other = experiment.session(NAME[::-1])
        other.send(numbered(1, HELLO))
        other.send(numbered(2, Ready()))
        while seen[-1] != (NAME[::-1], Ready()):
            seen.append(experiment.take())
        assert (NAME[::-1], HELLO) in seen


def test_the_samples_are_messages():
    assert all(isinstance(msgspec.msgpack.decode(sample), list) for sample in SAMPLES)
