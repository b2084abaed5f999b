"""Connections as httpcore asks for them: names resolved once, every address checked, and the checked literal dialled.

Between the check and the connection no name is looked up again, so a name that changes its address in between (DNS
rebinding) gains nothing. The host name stays what TLS verifies, as httpcore passes it to `start_tls`.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Final

import httpcore

from aggregator.models import FailureReason
from aggregator.polling.address import Network, refusal
from aggregator.polling.refused import Refused

__all__ = ["Budget", "GuardedBackend", "Resolver", "budget", "resolve"]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]

_TRIED: Final = 4  # addresses of one name that are tried
_LOOKUPS: Final = 256  # names being looked up at once
_SLACK: Final = 131_072  # bytes a connection may have read ahead of what the body got: two reads of 64 kB


class Budget:
    """What an exchange may receive: its headers, and not much more than the body that it yields.

    Floods that are no body (interim answers, HTTP/2 pings, chunks of one byte) cost this program CPU and the sender
    little; they end here.
    """

    __slots__ = ("_allowed", "body", "received")

    def __init__(self) -> None:
        self.received = 0  # bytes from the wire, TLS taken off
        self.body = 0  # of them the body's, as the reader got it
        self._allowed = 0

    def expect(self, size: int) -> None:
        """Headers of up to `size` bytes come next, or a body (0)."""
        self._allowed = self.received + size + _SLACK

    def count(self, data: bytes) -> None:
        """Raises Refused when too much of what arrives is neither headers nor body."""
        self.received += len(data)
        if self.received > self._allowed + 2 * self.body:
            raise Refused(FailureReason.PROTOCOL, f"{self.received} bytes arrived, and little of them was an answer")


budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system resolves it, in its order. Raises Refused (DNS).

    Each lookup has a daemon thread of its own: the event loop's few threads would all wait for one slow name server, and
    a thread of a pool would hold up the end of the process for as long.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(addresses: Sequence[str], error: Refused | None) -> None:
        if not answer.done():
            answer.set_result(addresses) if error is None else answer.set_exception(error)

    def look_up() -> None:
        addresses: Sequence[str] = ()
        error = None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as problem:
            text = problem.strerror if isinstance(problem, OSError) else str(problem)
            error = Refused(FailureReason.DNS, f"{host[:100]} has no address: {text}")
        finally:
            _lookups.release()
        try:
            loop.call_soon_threadsafe(settle, addresses, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return

    if not _lookups.acquire(blocking=False):
        raise Refused(
            FailureReason.DNS, f"{_LOOKUPS} names are being looked up already: the name server does not answer"
        )
    try:
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
    except RuntimeError as error:  # the system gives no more threads
        _lookups.release()
        raise Refused(FailureReason.INTERNAL, f"no look-up of {host[:100]}: {error}") from None
    return await answer


_lookups = threading.BoundedSemaphore(_LOOKUPS)


class _CountedStream(httpcore.AsyncNetworkStream):
    """A stream that charges what it reads to the exchange that runs."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        data = await self._inner.read(max_bytes, timeout)
        if (counted := budget.get()) is not None:
            counted.count(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        return _CountedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Dials public addresses, and those of `allowed`.

    Args:
        resolver: what turns a name into addresses.
        guarded: False for the way to a proxy, which the configuration names on purpose.
    """

    def __init__(self, allowed: Sequence[Network] = (), *, resolver: Resolver = resolve, guarded: bool = True) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._guarded = guarded
        self._dial = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Refused, and httpcore's ConnectError and ConnectTimeout."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeout or 3600.0)
        try:
            async with asyncio.timeout_at(end):
                addresses = await self._resolver(host, port)
        except TimeoutError:
            raise Refused(FailureReason.DNS, f"no answer to the look-up of {host[:100]}") from None
        if self._guarded:
            for address in addresses:
                if reason := refusal(address, self._allowed):
                    raise Refused(FailureReason.FORBIDDEN_ADDRESS, f"{host[:100]}: {reason}")
        problem: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("the name has no address")
        for left, address in zip(range(min(len(addresses), _TRIED), 0, -1), addresses, strict=False):
            try:
                # An address that swallows packets (broken IPv6, mostly) leaves the next one its share of the time.
                share = (end - loop.time()) / left
                inner = await self._dial.connect_tcp(address, port, share, local_address, socket_options)
                return _CountedStream(inner)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem
