"""One conditional GET, whatever the server does: every outcome is a value, every resource has a bound.

The only user of httpx, below its client: `AsyncClient` would keep cookies, follow redirects and read proxies from the
environment. One pool for all hosts would look at every connection it keeps for every request; here each origin has a
small pool of its own, and the origins asked least recently are closed.
"""

import asyncio
import base64
import re
import ssl
from collections import OrderedDict
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

import httpcore
import httpx

from aggregator.cleaning import plain_line
from aggregator.config import Fetching
from aggregator.models import Failed, FailureReason, Fetched, FetchRequest, FetchResult, NotModified, Redirect
from aggregator.polling.address import parse_networks, refusal
from aggregator.polling.fetch_decode import ACCEPT_ENCODING, Body
from aggregator.polling.fetch_network import Budget, GuardedBackend, Resolver, budget, resolve
from aggregator.polling.refused import Refused

__all__ = ["Fetcher"]

_ACCEPT: Final = (
    b"application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, "
    b"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
_KEEP_ALIVE_S: Final = 4.0  # the shortest that common servers grant is 5: a connection is not reused as they close it
_ORIGINS: Final = 256  # whose connections are kept
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LARGE: Final = 1_000_000  # bytes from which a body is large
_LARGE_AT_ONCE: Final = 4  # large bodies that arrive at once: 64 of 10 MB would be more than the machine's share
_TURN: Final = 64  # chunks after which others get their turn
_STEP: Final = 16_384  # bytes unpacked between two looks at the size
_DETAIL: Final = 300  # characters of a failure in words
_CUT: Final = ("without sending complete message body", "InvalidBodyLengthError", "StreamReset", "Expected body length")
_Headers = dict[str, str]


class _Origin(httpx.AsyncHTTPTransport):
    """The connections to one origin (or to the proxy on its behalf), dialled by our own network backend."""

    def __init__(self, settings: Fetching, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        self.users = 0
        self.used_at = 0.0
        proxy = httpx.Proxy(settings.proxy) if settings.proxy else None
        # httpx 0.28 has no parameter for httpcore's network backend; its own __init__ does nothing but set _pool.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=httpcore.Proxy(_core_url(proxy.url), proxy.raw_auth, proxy.headers.raw) if proxy else None,
            max_connections=settings.per_host + 1,
            max_keepalive_connections=settings.per_host,
            keepalive_expiry=_KEEP_ALIVE_S,
            http2=settings.http2,
            network_backend=backend,
        )


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
        self._context = ssl_context or httpx.create_ssl_context()  # takes 10 ms and more: once
        self._allowed = parse_networks(settings.allow_networks)
        self._backend = GuardedBackend(self._allowed, resolver=resolver, guarded=not settings.proxy)
        agent = f"aggregator/{version}" + (f" (+{settings.contact_url})" if settings.contact_url else "")
        self._fixed = [
            (b"User-Agent", re.sub(r"[^ -~]", "", agent).encode("ascii")),
            (b"Accept", accept),
            (b"Accept-Encoding", ACCEPT_ENCODING.encode("ascii")),
        ]
        self._origins: OrderedDict[tuple[str, str, int | None], _Origin] = OrderedDict()
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; fetches that are under way fail."""
        while self._origins:
            await self._origins.popitem()[1].aclose()

    async def fetch(self, request: FetchRequest) -> FetchResult:
        """GET `request.url`, following redirects. Raises nothing but CancelledError."""
        clock = asyncio.get_running_loop().time
        started = clock()
        spent = Budget()
        hops: list[Redirect] = []
        status: list[tuple[int, _Headers]] = []
        try:
            token = budget.set(spent)
            try:
                async with asyncio.timeout(self._settings.total_timeout_s):
                    answer = await self._exchange(request, spent, hops, status)
            finally:
                budget.reset(token)
        except Exception as error:  # noqa: BLE001 - a feed must not stop another, whatever a library raises
            reason, detail = self._explain(error)
            code, headers = status[-1] if status else (None, {})
            answer = Failed(hops[-1].url if hops else request.url, reason, detail, code, headers)
        return _complete(answer, tuple(hops), clock() - started, spent.received)

    async def _exchange(
        self, request: FetchRequest, spent: Budget, hops: list[Redirect], status: list[tuple[int, _Headers]]
    ) -> FetchResult:
        """The requests of one fetch. What is known so far is left in `hops` and `status` should it fail."""
        url = _parse(request.url)
        conditions = _conditions(request)
        login = _login(url)
        home = _origin_of(url)
        while True:
            status.clear()
            self._check(url)
            headers = [*self._fixed, *conditions]
            if login and _origin_of(url) == home:
                headers.append((b"Authorization", login))
            origin = await self._origin(url)
            origin.users += 1
            spent.expect(self._settings.max_header_bytes)
            try:
                response = await origin.handle_async_request(
                    httpx.Request(
                        "GET",
                        url.copy_with(userinfo=b"", fragment=None),
                        headers=headers,
                        extensions={"timeout": {"connect": self._settings.connect_timeout_s}},
                    )
                )
                try:
                    spent.expect(0)
                    fields = self._fields(response)
                    status.append((response.status_code, fields))
                    if response.status_code not in _REDIRECTS or "location" not in fields:
                        return await self._answer(str(url), response, fields, bool(conditions), spent)
                finally:
                    await response.aclose()
            finally:
                origin.users -= 1
                origin.used_at = asyncio.get_running_loop().time()
            url = _target(url, fields["location"])
            hops.append(Redirect(response.status_code, str(url)))
            if len(hops) > self._settings.max_redirects:
                raise Refused(FailureReason.REDIRECTS, f"more than {self._settings.max_redirects} redirects")

    async def _answer(
        self, url: str, response: httpx.Response, headers: _Headers, conditional: bool, spent: Budget
    ) -> FetchResult:
        """What a status means; reads the body of a 200."""
        code = response.status_code
        if code in (200, 203) and not _challenged(headers):
            whole = await self._body(response, headers, spent)
            if _ends_by_closing(response, headers) and not _has_an_end(whole):
                raise Refused(FailureReason.TRUNCATED, "the body ends in the middle, where the connection was closed")
            return Fetched(url, whole, headers, code)
        if code == 304 and conditional:  # noqa: PLR2004 - a status is clearest as its number
            async for chunk in response.stream:  # type: ignore[union-attr] # empty; reading it frees the connection
                spent.body += len(chunk)
            return NotModified(url, headers)
        return Failed(url, *_failure(code, headers), code, headers)

    async def _body(self, response: httpx.Response, headers: _Headers, spent: Budget) -> bytes:
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

    def _fields(self, response: httpx.Response) -> _Headers:
        """The header as a mapping, each byte one character, so that validators go back byte for byte.

        Of a field that comes twice the first counts, but Cache-Control is a list and is joined.
        """
        size = 0
        fields: _Headers = {}
        for raw_name, raw_value in response.headers.raw:
            size += len(raw_name) + len(raw_value) + 4
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name not in fields:
                fields[name] = value
            elif name in ("cache-control", "content-encoding"):
                fields[name] += ", " + value
        if size > self._settings.max_header_bytes:
            raise Refused(FailureReason.TOO_LARGE, f"{size} bytes of headers")
        return fields

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

    async def _origin(self, url: httpx.URL) -> _Origin:
        """The connections for `url`'s origin; closes those that nobody has used for a while."""
        now = asyncio.get_running_loop().time()
        key = _origin_of(url)
        origin = self._origins.pop(key, None) or _Origin(self._settings, self._context, self._backend)
        origin.used_at = now
        self._origins[key] = origin
        idle: list[tuple[str, str, int | None]] = []
        for other, state in self._origins.items():  # oldest first
            if state.used_at + _KEEP_ALIVE_S > now and len(self._origins) - len(idle) <= _ORIGINS:
                break
            if not state.users and state is not origin:
                idle.append(other)
        for closing in [self._origins.pop(other) for other in idle]:
            await closing.aclose()
        return origin

    def _explain(self, error: Exception) -> tuple[FailureReason, str]:
        text = str(error) or type(error).__name__
        match error:
            case Refused():
                return error.reason, error.detail
            case httpx.ConnectTimeout():
                return FailureReason.TIMEOUT, f"no connection within {self._settings.connect_timeout_s:g} s"
            case TimeoutError() | httpx.TimeoutException():
                return FailureReason.TIMEOUT, f"no complete answer within {self._settings.total_timeout_s:g} s"
            case ssl.SSLError() | httpx.ConnectError() if _tls(error):
                return FailureReason.TLS, text
            case httpx.ConnectError() | httpx.ProxyError() | OSError():
                return FailureReason.CONNECT, text
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return FailureReason.BAD_URL, text
            case _ if any(sign in f"{type(error).__name__} {text}" for sign in _CUT):
                return FailureReason.TRUNCATED, text
            case httpx.TransportError():
                return FailureReason.PROTOCOL, text
            case _ if type(error).__module__.split(".")[0] in ("h2", "hpack", "hyperframe", "h11"):
                return FailureReason.PROTOCOL, text  # httpcore lets a few of these through
            case _:
                return FailureReason.INTERNAL, f"{type(error).__name__}: {text}"


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


def _origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _conditions(request: FetchRequest) -> list[tuple[bytes, bytes]]:
    pairs = ((b"If-None-Match", request.etag), (b"If-Modified-Since", request.last_modified))
    return [(name, value.encode("latin-1")) for name, value in pairs if value is not None]


def _login(url: httpx.URL) -> bytes | None:
    """Basic credentials of a URL that holds some; they go to its own origin only."""
    if not url.userinfo:
        return None
    return b"Basic " + base64.b64encode(unquote(url.userinfo.decode("ascii")).encode())


def _challenged(headers: _Headers) -> bool:
    return headers.get("cf-mitigated", "").strip().lower() == "challenge"


def _failure(code: int, headers: _Headers) -> tuple[FailureReason, str]:
    """Why a status is no feed."""
    if _challenged(headers):
        return FailureReason.CHALLENGE, f"HTTP {code}: an anti-bot challenge (Cloudflare) instead of the feed"
    if code == 429 or (code == 503 and "retry-after" in headers):  # noqa: PLR2004 - a status is clearest as its number
        wait = headers.get("retry-after")
        return FailureReason.RATE_LIMITED, f"HTTP {code}: too many requests" + (
            f", Retry-After: {wait}" if wait else ""
        )
    if code == 410:  # noqa: PLR2004 - the same
        return FailureReason.GONE, "HTTP 410: gone"
    if code == 304:  # noqa: PLR2004 - the same
        return FailureReason.PROTOCOL, "HTTP 304 to a request without validators"
    if code in _REDIRECTS:
        return FailureReason.REDIRECTS, f"HTTP {code}: a redirect to nowhere"
    return FailureReason.HTTP, f"HTTP {code}"


def _ends_by_closing(response: httpx.Response, headers: _Headers) -> bool:
    """Whether only the end of the connection ends the body: then nothing but the body tells that it is whole."""
    framed = "content-length" in headers or "transfer-encoding" in headers
    return not framed and bytes(response.extensions.get("http_version", b"")).startswith(b"HTTP/1")


def _has_an_end(body: bytes) -> bool:
    tail = body[-64:].replace(b"\0", b"").rstrip()
    return not tail or tail.endswith((b">", b"}", b"]"))


def _tls(error: BaseException | None) -> bool:
    """Whether TLS is what failed: httpx wraps what httpcore wrapped."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
