"""What a connection carries: a prefix of fixed size, then one encoded message or nothing.

The prefix holds the number of the message, 0 for one that is not counted (a sign of life, a mere acknowledgement, the
opening of a connection and its answer), and the number up to which the sender has dealt with what it heard.
"""

# msgspec hands `frozen` down to subclasses, which mypy does not know
# mypy: disable-error-code="misc"

from __future__ import annotations

import struct

import msgspec

from maggy.wire.messages import Message, encode_into

PROTOCOL = 4
"""Goes up with every change that the version before does not understand."""

PREFIX = struct.Struct("<QQ")
NAME_BYTES = 16
"""Length of a session's name, which is random: who knows it is the one who made it, or the driver."""


class Opening(Message):
    """First on every connection: whose it is. Its prefix says how far the link has heard.

    protocol  stays the first field in every version
    resumes   whether the driver has ever answered this session
    """

    protocol: int
    name: bytes = b""
    resumes: bool = False


class Opened(Message):
    """Answer: go on. Its prefix says how far the driver has heard."""


class Refused(Message):
    """Answer: go away."""

    reason: str


def frame(message: Message) -> bytearray:
    """A message with an empty prefix in front."""
    body = bytearray(PREFIX.size)
    encode_into(message, body, PREFIX.size)
    return body


decode_opening = msgspec.msgpack.Decoder(Opening).decode
decode_answer = msgspec.msgpack.Decoder(Opened | Refused).decode


def two_versions(theirs: int) -> str:
    """Why a link is refused, for people."""
    return (
        f"this worker speaks version {theirs} of Maggy's protocol and the driver version {PROTOCOL}: "
        "install the same version of Maggy where the workers run"
    )
