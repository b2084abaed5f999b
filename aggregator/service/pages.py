"""One article's page: asked for as politely as a feed, robots.txt honoured at every hop, read in a worker process."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from aggregator import __version__
from aggregator.config import Config
from aggregator.enrich.page import extractor
from aggregator.enrich.robots import Rules, robots_url, rules_of
from aggregator.enrich.walls import tells_of
from aggregator.models import Failed, FailureReason, Fetched, FetchRequest, FetchResult, HostHold, ParseFailed, ParseJob
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hints import retry_after_s
from aggregator.polling.hosts import HostGate, host_of
from aggregator.service.clock import Clock
from aggregator.store.enrichment import PageText
from aggregator.store.texts import StoredText

__all__ = ["PageFailed", "Pages"]

_ACCEPT = b"text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
_HOSTS = 2000  # whose robots.txt is remembered
_RATE_LIMIT_S = 3600  # a 429 without Retry-After, as for feeds
_LONGER = 1.2  # times the text that the feed gave: a page that tells less is not worth replacing it
# Another attempt may bring what these did not.
_PASSING = frozenset({FailureReason.DNS, FailureReason.CONNECT, FailureReason.TLS, FailureReason.TIMEOUT, FailureReason.TRUNCATED,
                      FailureReason.PROTOCOL, FailureReason.RATE_LIMITED, FailureReason.INTERNAL})  # fmt: skip
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class PageFailed:
    """Why a page brought no text; `again`: another attempt may. `hold`: what its host asked for. `gone`: the outlet withdrew it."""

    detail: str
    again: bool = False
    hold: HostHold | None = None
    gone: bool = False


class Pages:
    """Reads article pages. Safe to use from many tasks of one event loop at once.

    Args:
        config: limits of fetching and of the workers.
        gate: the gate that feeds of the same hosts pass, as it is now.
        parser: the function that reads a page, for the workers.

    Raises ValueError when `config.fetching` cannot be used.
    """

    def __init__(
        self,
        config: Config,
        *,
        gate: Callable[[], HostGate],
        clock: Clock,
        parser: str = "aggregator.enrich.page:read_page",
    ) -> None:
        self._gate = gate
        self._clock = clock
        self._hops = config.fetching.max_redirects
        # Redirects are followed here, each through the gate of its host and by its robots.txt.
        self._fetcher = Fetcher(
            msgspec.structs.replace(config.fetching, max_redirects=0), version=__version__, accept=_ACCEPT
        )
        self._pool = ParsePool(msgspec.structs.replace(config.limits, workers=1), parser=parser)
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Rules]] = {}
        self._not_before: dict[str, float] = {}  # on the loop's clock: hosts whose robots.txt has a Crawl-delay
        self._started = False

    async def aclose(self) -> None:
        """Stop the workers and close the connections; reads that are under way fail."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(self._fetcher.aclose(), self._pool.aclose(), return_exceptions=True)

    async def read(self, item: StoredText) -> PageText | PageFailed:
        """The text of the page of `item`, or why there is none that is better than what the feed gave."""
        if not self._started:
            self._started = True
            await self._pool.start()
        result = await self._page(item.url)
        if isinstance(result, PageFailed):
            return result
        job = ParseJob(
            result.body,
            result.url,
            self._clock(),
            result.headers.get("content-type", ""),
            item.language,
            item.country,
            outlet=item.outlet,
        )
        read = await self._pool.parse(job)
        if isinstance(read, ParseFailed):
            return PageFailed(read.detail, again=read.reason is FailureReason.INTERNAL)
        page = read.items[0]
        if not tells_of(item.title, f"{page.title}\n{page.body}"):
            return PageFailed("the page is about something else: a link that leads elsewhere now")
        if len(page.body) < _LONGER * len(item.body):
            return PageFailed("the page tells no more than the feed")
        return PageText(page.body, page.body_html, extractor(), page.author, page.image_url, page.tags)

    async def _page(self, url: str) -> Fetched | PageFailed:
        """Follow redirects to a page, so far as each host's robots.txt allows."""
        for _ in range(self._hops + 1):
            rules = await self._rules_for(url)
            if not rules.allows(url):
                told = "robots.txt does not allow it" if rules.all_or_none is None else "robots.txt cannot be read now"
                return PageFailed(told, again=rules.all_or_none is False)
            result = await self._get(url, rules.delay_s)
            match result:
                case Fetched():
                    return result
                case Failed(reason=FailureReason.REDIRECTS, redirects=(hop, *_)):
                    url = hop.url
                case Failed():
                    return self._failed(result)
                case _:
                    return PageFailed("HTTP 304 to a request without validators")
        return PageFailed(f"more than {self._hops} redirects")

    def _failed(self, result: Failed) -> PageFailed:
        hold = None
        if result.reason is FailureReason.RATE_LIMITED:
            now = self._clock()
            wait = retry_after_s(result.headers, now)
            until = now + timedelta(seconds=_RATE_LIMIT_S if wait is None else wait)
            hold = HostHold(host_of(result.url), until, result.detail)
            self._gate().hold(hold.host, hold.until)
        again = result.reason in _PASSING or (result.status or 0) >= _SERVER_ERROR
        return PageFailed(result.detail, again=again, hold=hold, gone=result.status == HTTPStatus.GONE)

    async def _get(self, url: str, delay_s: float = 0.0) -> FetchResult:
        """One request, when the host's turn has come."""
        host = host_of(url)
        clock = asyncio.get_running_loop().time
        async with self._gate().slot(host):
            if (wait := self._not_before.get(host, 0.0) - clock()) > 0:
                await asyncio.sleep(wait)
            if self._gate().held(host, self._clock()):
                return Failed(url, FailureReason.RATE_LIMITED, "its host asked for a pause")
            try:
                return await self._fetcher.fetch(FetchRequest(url))
            finally:
                if delay_s:
                    self._not_before[host] = clock() + delay_s

    async def _rules_for(self, url: str) -> Rules:
        """What the host of `url` allows; asked once a day, by one request however many wait for it."""
        key = robots_url(url)
        known = self._rules.get(key)
        if known and known.until > self._clock():
            self._rules.move_to_end(key)
            return known
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(key))
            self._asking[key].add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    async def _ask(self, key: str) -> Rules:
        url, result = key, await self._get(key)
        for _ in range(self._hops):
            if not (isinstance(result, Failed) and result.reason is FailureReason.REDIRECTS and result.redirects):
                break
            url = result.redirects[0].url
            if urlsplit(url).scheme not in ("http", "https"):
                break
            result = await self._get(url)
        rules = rules_of(result, self._clock())
        self._rules[key] = rules
        while len(self._rules) > _HOSTS:
            self._rules.popitem(last=False)
        return rules
