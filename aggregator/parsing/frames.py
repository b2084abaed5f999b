"""What the pool and its processes say to each other. Data only: nothing that a worker sends can run anything here."""

import struct
from typing import Final

import msgspec

from aggregator.config import Limits
from aggregator.models import ParsedFeed, ParseFailed, ParseJob

__all__ = [
    "FORK",
    "KILL",
    "LENGTH",
    "READY",
    "TELL",
    "Order",
    "decode_order",
    "decode_result",
    "encode",
    "encode_result",
]

LENGTH: Final = struct.Struct("!I")  # stands before every order
ANSWER: Final = struct.Struct("!If")  # stands before every result: its length, and the seconds of CPU that it took
TELL: Final = struct.Struct("!ci")  # what the template is told: FORK and a niceness, KILL and a process id
FORK: Final = b"F"
KILL: Final = b"K"
READY: Final = 0  # the template's first number; the others are process ids

_FEED: Final = b"+"
_FAILURE: Final = b"-"


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A job, and the seconds of CPU that it may take."""

    cpu_s: int
    limits: Limits
    job: ParseJob


encode: Final = msgspec.msgpack.Encoder().encode
decode_order: Final = msgspec.msgpack.Decoder(Order).decode
_decode_feed: Final = msgspec.msgpack.Decoder(ParsedFeed).decode
_decode_failure: Final = msgspec.msgpack.Decoder(ParseFailed).decode


def encode_result(result: ParsedFeed | ParseFailed) -> bytes:
    """A result, its kind in the first byte. Raises ValueError or UnicodeError when a text holds half a character."""
    return (_FEED if isinstance(result, ParsedFeed) else _FAILURE) + encode(result)


def decode_result(payload: bytes) -> ParsedFeed | ParseFailed:
    """The inverse. Raises msgspec.MsgspecError for what is neither."""
    rest = memoryview(payload)[1:]
    return _decode_feed(rest) if payload[:1] == _FEED else _decode_failure(rest)
