"""Content codings undone with a bound: whatever a server sends, no more than the limit is ever unpacked.

gzip (RFC 1952, several members too), deflate (RFC 1950 as the standard says, RFC 1951 as some servers do), br (RFC 7932),
zstd (RFC 8878, window at most 8 MB as RFC 9659 says). One layer.
"""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import brotli
import zstandard

from aggregator.models import FailureReason
from aggregator.polling.refused import Refused

__all__ = ["ACCEPT_ENCODING", "Body"]

ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"

_STEP: Final = 65_536  # bytes unpacked at once
_ZSTD_STEP: Final = 256  # packed bytes at once: its decoder has no bound on output, and 4 bytes can mean 128 kB
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
_MEMBERS: Final = 1000  # of gzip or zstd; a flood of empty ones is work without a body
_ZLIB_METHOD: Final = 8


class _Coding(Protocol):
    """One coding: `feed` gives what `data` unpacks to piece by piece to `put`; `complete` is True after a proper end."""

    @property
    def complete(self) -> bool: ...

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None: ...


class _Identity:
    complete = True

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None:
        put(data)


class _Gzip:
    complete = False

    def __init__(self) -> None:
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._members = 1

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None:
        while data:
            if self.complete:  # the last member has ended: another one, or padding that nobody reads
                if not data.startswith(b"\x1f"):
                    return
                self._members = _count(self._members)
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            _inflate(self._member, data, put)
            self.complete = self._member.eof
            data = self._member.unused_data


class _Deflate:
    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._start = b""

    @property
    def complete(self) -> bool:
        return self._stream is not None and self._stream.eof

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None:
        if self._stream is None:
            data = self._start = self._start + data
            if len(data) < 2:  # noqa: PLR2004 - a zlib header has two bytes
                return
            zlib_header = data[0] & 15 == _ZLIB_METHOD and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)
        if not self._stream.eof:
            _inflate(self._stream, data, put)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None:
        while not self.complete:
            piece = self._stream.process(data, output_buffer_limit=_STEP)
            put(piece)
            data = b""
            if len(piece) < _STEP and self._stream.can_accept_more_data():
                return


class _Zstd:
    complete = False

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._decoder.decompressobj()
        self._frames = 1

    def feed(self, data: bytes, put: Callable[[bytes], None]) -> None:
        for start in range(0, len(data), _ZSTD_STEP):
            step = data[start : start + _ZSTD_STEP]
            while step:
                if self.complete:
                    self._frames = _count(self._frames)
                    self._frame = self._decoder.decompressobj()
                put(self._frame.decompress(step))
                self.complete = self._frame.eof
                step = self._frame.unused_data if self.complete else b""


# What servers name there that is no coding: charsets and the like. The body is as it is.
_NO_CODINGS: Final = frozenset({"8bit", "7bit", "binary", "identity", "none", "null", "plain", "text", "utf-8", "utf8"})
_CODINGS: Final[dict[str, Callable[[], _Coding]]] = {
    "": _Identity,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


class Body:
    """A body that grows as it arrives: `feed` it, then `finish`. Both raise Refused.

    Args:
        coding: the Content-Encoding header; several layers are refused.
        limit: bytes that the body may have once unpacked.
    """

    def __init__(self, coding: str, limit: int) -> None:
        names = [name for name in map(str.strip, coding.lower().split(",")) if name not in _NO_CODINGS]
        name = ", ".join(filter(None, names))
        if name not in _CODINGS:
            raise Refused(FailureReason.ENCODING, f"content-encoding {name[:60]!r} is none of: {ACCEPT_ENCODING}")
        self._name = name
        self._coding = _CODINGS[name]()
        self._limit = limit
        self._bytes = bytearray()
        self._fed = False

    @property
    def size(self) -> int:
        """Bytes so far, unpacked."""
        return len(self._bytes)

    def feed(self, data: bytes) -> None:
        """The next bytes from the wire."""
        self._fed = self._fed or bool(data)
        try:
            # What a decoder leaves over is copied each time: small pieces keep that from growing with the square.
            for start in range(0, len(data), _STEP):
                self._coding.feed(data[start : start + _STEP], self._put)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise Refused(
                FailureReason.ENCODING, f"the body is not the {self._name} that it claims to be: {error}"
            ) from None

    def finish(self) -> bytes:
        """The whole body, now that the server has said that there is no more."""
        if self._fed and not self._coding.complete:
            raise Refused(FailureReason.TRUNCATED, f"the {self._name} body ends before its end")
        return bytes(self._bytes)

    def _put(self, piece: bytes) -> None:
        self._bytes += piece
        if len(self._bytes) > self._limit:
            raise Refused(FailureReason.TOO_LARGE, f"the body is larger than {self._limit} bytes")


def _inflate(stream: "zlib._Decompress", data: bytes, put: Callable[[bytes], None]) -> None:
    while True:
        piece = stream.decompress(data, _STEP)
        put(piece)
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < _STEP):
            return


def _count(members: int) -> int:
    if members >= _MEMBERS:
        raise Refused(FailureReason.ENCODING, f"the body consists of more than {_MEMBERS} packed parts")
    return members + 1
