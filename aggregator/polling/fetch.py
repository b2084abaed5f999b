"""One conditional GET, whatever the server does: every outcome is a value, every resource has a bound.

`fetch_connections` says over which connections, `fetch_network` to which addresses, `fetch_decode` how a body is unpacked,
`fetch_answer` what came of it. These are the only users of httpx.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

import httpx

from aggregator.cleaning import plain_line
from aggregator.config import Fetching
from aggregator.models import Failed, FailureReason, Fetched, FetchRequest, FetchResult, NotModified, Redirect
from aggregator.polling.address import parse_networks, refusal
from aggregator.polling.fetch_answer import (
    REDIRECTS,
    Headers,
    explained,
    failure,
    headers_of,
    is_challenge,
    is_cut_short,
)
from aggregator.polling.fetch_connections import Connections, origin_of
from aggregator.polling.fetch_decode import ACCEPT_ENCODING, Body
from aggregator.polling.fetch_network import Budget, GuardedBackend, Resolver, budget, resolve
from aggregator.polling.hosts import host_of
from aggregator.polling.refused import Refused

__all__ = ["Fetcher", "Turn"]

_ACCEPT: Final = (
    b"application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, "
    b"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
_LARGE: Final = 1_000_000  # bytes from which a body is large
_LARGE_AT_ONCE: Final = 4  # large bodies that arrive at once: 64 of 10 MB would be more than the machine's share
_TURN: Final = 64  # chunks after which others get their turn
_STEP: Final = 16_384  # bytes unpacked between two looks at the size
_DETAIL: Final = 300  # characters of a failure in words

Turn = Callable[[str], AbstractAsyncContextManager[None]]
"""What a host is asked in: entered with its name before the first request there; may wait, and may raise Refused."""


def _at_once(_host: str) -> AbstractAsyncContextManager[None]:
    """For who has no other requests to think of."""
    return nullcontext()


@dataclass(slots=True)
class _SoFar:
    """What is known of an exchange at any moment, should it fail: its redirects, and the last request's answer."""

    spent: Budget = field(default_factory=Budget)
    hops: list[Redirect] = field(default_factory=list)
    waited_s: float = 0.0  # for turns
    status: int | None = None
    headers: Headers = field(default_factory=dict)


class Fetcher:
    """Fetches feeds. Safe to use from many tasks of one event loop at once.

    Args:
        settings: bounds, and which networks that are not public may be asked.
        version: the program's, for the User-Agent.
        accept: which kinds of documents are asked for, as the header's value; by default feeds.
        ssl_context: what verifies servers; by default httpx's (certifi's authorities, or $SSL_CERT_FILE's).
        resolver: what turns names into addresses; by default the system's.

    Raises ValueError when `settings.allow_networks` or `settings.proxy` cannot be read.
    """

    def __init__(
        self,
        settings: Fetching,
        *,
        version: str,
        accept: bytes = _ACCEPT,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        self._settings = settings
        self._allowed = parse_networks(settings.allow_networks)
        backend = GuardedBackend(self._allowed, resolver=resolver, guarded=not settings.proxy)
        self._connections = Connections(settings, ssl_context or httpx.create_ssl_context(), backend)
        agent = f"aggregator/{version}" + (f" (+{settings.contact_url})" if settings.contact_url else "")
        self._fixed = [
            (b"User-Agent", re.sub(r"[^ -~]", "", agent).encode("ascii")),
            (b"Accept", accept),
            (b"Accept-Encoding", ACCEPT_ENCODING.encode("ascii")),
        ]
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; fetches that are under way fail."""
        await self._connections.aclose()

    async def fetch(self, request: FetchRequest, turn: Turn = _at_once) -> FetchResult:
        """GET `request.url`, following redirects. Raises nothing but CancelledError.

        Every host on the way is asked in a `turn` of its own. The turn at one host is over before that at the next is
        waited for, so that no two fetches wait for each other. What is waited is no part of `elapsed_s` and the deadline.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        so_far = _SoFar()
        try:
            token = budget.set(so_far.spent)
            try:
                async with asyncio.timeout(self._settings.total_timeout_s) as deadline:
                    answer = await self._exchange(request, so_far, turn, deadline)
            finally:
                budget.reset(token)
        except Exception as error:  # noqa: BLE001 - a feed must not stop another, whatever a library raises
            reason, detail = explained(error, self._settings)
            url = so_far.hops[-1].url if so_far.hops else request.url
            answer = Failed(url, reason, detail, so_far.status, so_far.headers)
        elapsed_s = clock() - started - so_far.waited_s
        return _complete(answer, tuple(so_far.hops), elapsed_s, so_far.spent.received)

    async def _exchange(
        self, request: FetchRequest, so_far: _SoFar, turn: Turn, deadline: asyncio.Timeout
    ) -> FetchResult:
        """The requests of one fetch: a turn for each host, redirects within a host in the same turn."""
        url = _parse(request.url)
        conditions = _conditions(request)
        login, home = _login(url), origin_of(url)
        self._check(url)
        while True:
            host = host_of(str(url))
            async with _in_turn(turn(host), so_far, deadline):
                while host_of(str(url)) == host:
                    headers = [*self._fixed, *conditions]
                    if login and origin_of(url) == home:
                        headers.append((b"Authorization", login))
                    answer = await self._request(url, headers, so_far, conditional=bool(conditions))
                    if not isinstance(answer, httpx.URL):
                        return answer
                    url = answer
                    if len(so_far.hops) > self._settings.max_redirects:
                        raise Refused(FailureReason.REDIRECTS, f"more than {self._settings.max_redirects} redirects")
                    so_far.status, so_far.headers = None, {}
                    self._check(url)

    async def _request(
        self, url: httpx.URL, headers: list[tuple[bytes, bytes]], so_far: _SoFar, *, conditional: bool
    ) -> FetchResult | httpx.URL:
        """One request: what came of it, or where it is redirected to."""
        async with self._connections.to(url) as origin:
            so_far.spent.expect(self._settings.max_header_bytes)
            response = await origin.handle_async_request(
                httpx.Request(
                    "GET",
                    url.copy_with(userinfo=b"", fragment=None),
                    headers=headers,
                    extensions={"timeout": {"connect": self._settings.connect_timeout_s}},
                )
            )
            try:
                so_far.spent.expect(0)
                fields = headers_of(response, self._settings.max_header_bytes)
                so_far.status, so_far.headers = response.status_code, fields
                if response.status_code not in REDIRECTS or "location" not in fields:
                    return await self._answer(str(url), response, fields, conditional, so_far.spent)
            finally:
                await response.aclose()
        target = _target(url, fields["location"])
        so_far.hops.append(Redirect(response.status_code, str(target)))
        return target

    async def _answer(
        self, url: str, response: httpx.Response, headers: Headers, conditional: bool, spent: Budget
    ) -> FetchResult:
        """What a status means; reads the body of a 200."""
        code = response.status_code
        if code in (200, 203) and not is_challenge(headers):
            whole = await self._body(response, headers, spent)
            if is_cut_short(whole, response, headers):
                raise Refused(FailureReason.TRUNCATED, "the body ends in the middle, where the connection was closed")
            return Fetched(url, whole, headers, code)
        if code == 304 and conditional:  # noqa: PLR2004 - a status is clearest as its number
            async for chunk in response.stream:  # type: ignore[union-attr] # empty; reading it frees the connection
                spent.body += len(chunk)
            return NotModified(url, headers)
        return Failed(url, *failure(code, headers), code, headers)

    async def _body(self, response: httpx.Response, headers: Headers, spent: Budget) -> bytes:
        """The body, unpacked. Of bodies that turn out large only a few arrive at once; the others wait where they are."""
        most = self._settings.max_body_bytes
        body = Body(headers.get("content-encoding", ""), most)
        raw, chunks, large = 0, 0, False
        try:
            async for chunk in response.stream:  # type: ignore[union-attr] # the transport's streams are asynchronous
                raw += len(chunk)
                chunks += 1
                if not chunks % _TURN:
                    await asyncio.sleep(0)  # one read may hold thousands of tiny chunks, and no wait between them
                spent.body += len(chunk)
                if raw > most:
                    raise Refused(FailureReason.TOO_LARGE, f"the body is larger than {most} bytes")
                for step in range(0, len(chunk), _STEP):
                    body.feed(chunk[step : step + _STEP])
                    if not large and body.size > _LARGE:
                        large = await self._large.acquire()
            return body.finish()
        finally:
            if large:
                self._large.release()

    def _check(self, url: httpx.URL) -> None:
        """Refuses what is not to be asked at all. Names are checked once they are resolved, by the network backend."""
        if url.scheme not in ("http", "https"):
            raise Refused(FailureReason.BAD_URL, f"{url.scheme[:20] or 'no scheme'}: only http and https are fetched")
        if not url.host:
            raise Refused(FailureReason.BAD_URL, "the URL names no host")
        # Through a proxy the names are its business; a bare address can be judged here.
        bare = self._settings.proxy and re.fullmatch(r"[0-9.]+|.*:.*|0x[0-9a-f.x]+", url.host)
        if bare and (reason := refusal(url.host, self._allowed)):
            raise Refused(FailureReason.FORBIDDEN_ADDRESS, reason)


@asynccontextmanager
async def _in_turn(
    turn: AbstractAsyncContextManager[None], so_far: _SoFar, deadline: asyncio.Timeout
) -> AsyncIterator[None]:
    """A turn, for which the deadline stands still while it is waited for."""
    clock = asyncio.get_running_loop().time
    began, ends = clock(), deadline.when() or 0.0
    deadline.reschedule(None)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(turn)
        finally:
            waited = clock() - began
            so_far.waited_s += waited
        deadline.reschedule(ends + waited)
        yield


def _complete(answer: FetchResult, hops: tuple[Redirect, ...], elapsed_s: float, wire_bytes: int) -> FetchResult:
    match answer:
        case Fetched(url, body, headers, status):
            return Fetched(url, body, headers, status, hops, elapsed_s, wire_bytes)
        case NotModified(url, headers, status):
            return NotModified(url, headers, status, hops, elapsed_s, wire_bytes)
        case Failed(url, reason, detail, status, headers):
            line = plain_line(detail)[:_DETAIL]
            return Failed(url, reason, line, status, headers, hops, elapsed_s, wire_bytes)


def _parse(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Refused(FailureReason.BAD_URL, str(error)) from None


def _target(url: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads. Servers send bytes outside ASCII too, mostly UTF-8."""
    raw = location.encode("latin-1")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = location
    try:
        return url.copy_with(userinfo=b"").join(text.strip()).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Refused(FailureReason.REDIRECTS, f"a redirect to what is no URL: {error}") from None


def _conditions(request: FetchRequest) -> list[tuple[bytes, bytes]]:
    pairs = ((b"If-None-Match", request.etag), (b"If-Modified-Since", request.last_modified))
    return [(name, value.encode("latin-1")) for name, value in pairs if value is not None]


def _login(url: httpx.URL) -> bytes | None:
    """Basic credentials of a URL that holds some; they go to its own origin only."""
    if not url.userinfo:
        return None
    return b"Basic " + base64.b64encode(unquote(url.userinfo.decode("ascii")).encode())
