"""Looks at addresses outside the schedule: finds a site's feeds, says what a feed is. Stores nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aggregator import __version__
from aggregator.config import Config
from aggregator.models import Failed, Fetched, FetchRequest, NotModified, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.pool import ParsePool
from aggregator.polling.discover import Candidate, find_feeds
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate
from aggregator.service.clock import Clock, utcnow

__all__ = ["Found", "Look", "check_each", "discover"]

_MOST_TRIED = 12  # addresses of one site


@dataclass(frozen=True, slots=True)
class Look:
    """What one address answered. `entries` is 0 and `problem` says why when it is no feed."""

    url: str
    status: int | None
    problem: str = ""
    title: str = ""
    homepage: str = ""
    language: str = ""
    entries: int = 0
    newest: datetime | None = None
    elapsed_s: float = 0.0
    page: bytes = field(default=b"", repr=False)  # the body, when it is no feed


@dataclass(frozen=True, slots=True)
class Found:
    """A feed of a site, as looked at, with what the page says of its outlet."""

    look: Look
    candidate: Candidate


async def discover(config: Config, url: str) -> tuple[Look, list[Found]]:
    """Look at `url`; when it is a page and no feed, at the feeds it names and at the usual places. Feeds first found first."""
    async with _Eyes(config) as eyes:
        first = await eyes.look(url)
        if first.entries or not first.page:
            return first, []
        found: list[Found] = []
        for candidate in find_feeds(first.page, first.url)[:_MOST_TRIED]:
            if candidate.guessed and found:
                break  # the page names its feeds: no need to try addresses
            look = await eyes.look(candidate.url)
            if look.entries:
                found.append(Found(look, candidate))
        return first, found


async def check_each(config: Config, urls: Sequence[str]) -> AsyncIterator[Look]:
    """Look at each address once, many hosts at a time; answers come as they arrive."""
    async with _Eyes(config) as eyes:
        limit = asyncio.Semaphore(config.fetching.concurrency)

        async def one(url: str) -> Look:
            async with limit:
                return await eyes.look(url)

        for task in asyncio.as_completed([asyncio.create_task(one(url)) for url in urls]):
            yield await task


class _Eyes:
    """The fetcher and the parser, for looking."""

    def __init__(self, config: Config, clock: Clock = utcnow) -> None:
        self._clock = clock
        self._fetcher = Fetcher(config.fetching, version=__version__)
        self._gate = HostGate(config.fetching.per_host, config.fetching.host_spacing_s)
        self._pool = ParsePool(config.limits)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._pool.__aexit__(None, None, None)
        await self._fetcher.aclose()

    async def look(self, url: str) -> Look:
        """Fetch one address and read it as a feed."""
        result = await self._fetcher.fetch(FetchRequest(url), self._gate.slot)
        match result:
            case Failed():
                return Look(url, result.status, result.detail, elapsed_s=result.elapsed_s)
            case NotModified():
                return Look(
                    url, result.status, "answered 304 to a request without validators", elapsed_s=result.elapsed_s
                )
            case Fetched():
                return await self._read(result)

    async def _read(self, result: Fetched) -> Look:
        job = ParseJob(
            body=result.body, url=result.url, now=self._clock(), content_type=result.headers.get("content-type", "")
        )
        parsed = await self._pool.parse(job)
        match parsed:
            case ParseFailed():
                return Look(result.url, result.status, parsed.detail, elapsed_s=result.elapsed_s, page=result.body)
            case ParsedFeed():
                return Look(
                    result.url,
                    result.status,
                    "" if parsed.digests else "a feed without entries",
                    title=parsed.title,
                    homepage=parsed.homepage,
                    language=parsed.language,
                    entries=len(parsed.digests),
                    newest=max((item.published_at for item in parsed.items), default=None),
                    elapsed_s=result.elapsed_s,
                )
