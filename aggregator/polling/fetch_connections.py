"""The connections that fetches go over: a small pool for each origin, and not too many of them.

Below httpx's client: `AsyncClient` would keep cookies, follow redirects and read proxies from the environment. One pool for
all hosts would look at every connection it keeps for every request; here each origin has a pool of its own, and the origins
asked least recently are closed.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpcore
import httpx

from aggregator.config import Fetching
from aggregator.polling.fetch_network import GuardedBackend

__all__ = ["Connections", "origin_of"]

_KEEP_ALIVE_S: Final = 4.0  # the shortest that common servers grant is 5: a connection is not reused as they close it
_ORIGINS: Final = 256  # whose connections are kept


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what connections are shared by."""
    return url.scheme, url.host, url.port


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


class Connections:
    """The connections to all origins that were asked lately.

    Args:
        settings: how many connections to one host, and the proxy.
        context: what verifies servers.
        backend: what dials.
    """

    def __init__(self, settings: Fetching, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        self._settings = settings
        self._context = context
        self._backend = backend
        self._origins: OrderedDict[tuple[str, str, int | None], _Origin] = OrderedDict()

    async def aclose(self) -> None:
        """Close all; requests that are under way fail."""
        while self._origins:
            await self._origins.popitem()[1].aclose()

    @asynccontextmanager
    async def to(self, url: httpx.URL) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """What sends requests to `url`'s origin; it stays open for as long as the `with` block runs."""
        origin = await self._origin(url)
        origin.users += 1
        try:
            yield origin
        finally:
            origin.users -= 1
            origin.used_at = asyncio.get_running_loop().time()

    async def _origin(self, url: httpx.URL) -> _Origin:
        """The connections for `url`'s origin; closes those that nobody has used for a while."""
        now = asyncio.get_running_loop().time()
        key = origin_of(url)
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


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
