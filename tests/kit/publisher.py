"""Made-up outlets over real HTTP on loopback: as many feeds and hosts as a test wants, and what can go wrong with them."""

import asyncio
import gzip
import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Self

from aggregator.models import FeedSpec

__all__ = ["Publisher", "words"]

_COUNTRIES = ("LV", "EE", "LT", "FI", "GB", "FR", "DE", "PL", "ES", "IT")
_WHO = (
    "council ministry harbour museum orchestra hospital railway university bakery observatory brewery library".split()
)
_DOES = "opens closes repairs sells paints moves floods insures renames measures rescues audits".split()
_WHAT = "bridge archive tower fountain ferry stadium greenhouse lighthouse tunnel market airfield windmill".split()
_WHERE = "Arvala Besnik Corvo Dunmere Elgast Fjordby Gravina Holmsund Ilmala Jorvick Kestrel Lomnica".split()
_WHY = "after storms|before winter|despite protests|with borrowed money|for the jubilee|at half price|by mistake".split(
    "|"
)


def words(number: int) -> str:
    """A headline that no other number below a million has, made of words that others share."""
    digest = hashlib.blake2s(str(number).encode(), digest_size=8).digest()
    who, does, what, where, why = (
        bag[byte % len(bag)] for bag, byte in zip((_WHO, _DOES, _WHAT, _WHERE, _WHY), digest, strict=False)
    )
    return f"{where} {who} {does} {what} number {number} {why}"


class Publisher:
    """Serves `feeds` feeds at `hosts` addresses of 127.0.0.0/8 while the `with` block runs, in a thread of its own.

    Each feed shows its newest `window` items. Item number n of the feeds of one group of four tells of one event. `fault`
    is asked at each request (feed number, how many requests that feed had) and names what goes wrong: "500", "404",
    "429", "reset", "hang", "drip", "garbage", "truncated", "bomb", "nested"; None serves the feed.
    """

    def __init__(self, feeds: int, *, hosts: int | None = None, window: int = 20, items: int = 5) -> None:
        self.feeds = feeds
        self.window = window
        self.fault: Callable[[int, int], str | None] = lambda _feed, _request: None
        self.requests: Counter[int] = Counter()
        self.log: list[tuple[float, int, str]] = []  # seconds on the loop's clock, feed, what was answered
        self.at_once: Counter[str] = Counter()
        self.most_at_once = 0
        self.served: set[str] = set()  # guids in answers that went out whole
        self._hosts = hosts or feeds
        self._dates: list[list[datetime]] = [[] for _ in range(feeds)]
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._port = 0
        self.publish(items)

    # --- what it shows --------------------------------------------------------------------------------------------

    def publish(self, items: int = 1, feeds: range | None = None) -> None:
        """So many new items in each feed, or in these."""
        now = datetime.now(UTC).replace(microsecond=0)
        for feed in feeds or range(self.feeds):
            self._dates[feed] = [*self._dates[feed], *[now] * items]

    def guids(self, feed: int) -> list[str]:
        """Of all items that the feed ever showed."""
        return [f"urn:item:{feed}:{n}" for n in range(len(self._dates[feed]))]

    def every_guid(self) -> set[str]:
        """Of all items of all feeds."""
        return {guid for feed in range(self.feeds) for guid in self.guids(feed)}

    def specs(self) -> list[FeedSpec]:
        """The catalogue. Only inside the `with` block: before, there is no port."""
        return [
            FeedSpec(
                self.url(n),
                f"Outlet {n}",
                _COUNTRIES[n % len(_COUNTRIES)],
                "en",
                homepage=f"https://outlet-{n}.example/",
            )
            for n in range(self.feeds)
        ]

    def url(self, feed: int) -> str:
        """Where the feed is."""
        return f"http://{self._host(feed % self._hosts)}:{self._port}/{feed}.xml"

    def body(self, feed: int) -> bytes:
        """The feed as it is now: RSS 2.0."""
        dates = self._dates[feed]
        first = max(0, len(dates) - self.window)
        entries = "".join(
            f"<item><guid isPermaLink='false'>urn:item:{feed}:{n}</guid><title>{words(feed // 4 * 100_000 + n)}</title>"
            f"<link>https://outlet-{feed}.example/{n}</link><pubDate>{format_datetime(dates[n])}</pubDate>"
            f"<description>Reported by outlet {feed}: {words(feed // 4 * 100_000 + n)}, as people there say.</description></item>"
            for n in reversed(range(first, len(dates)))
        )
        return f"<?xml version='1.0'?><rss version='2.0'><channel><title>Outlet {feed}</title><link>https://outlet-{feed}.example/</link>{entries}</channel></rss>".encode()

    # --- the server -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._open())
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, name="publisher", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the publisher does not start")
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def down(self) -> None:
        """Stop listening: connections are refused."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def up(self) -> None:
        """Listen again, where it was."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def seconds(self) -> float:
        """The clock of `log`."""
        return self._loop.time()

    @staticmethod
    def _host(number: int) -> str:
        return f"127.1.{number // 250}.{number % 250 + 1}"

    async def _open(self) -> None:
        for number in range(self._hosts):
            server = await asyncio.start_server(self._serve, self._host(number), self._port, reuse_address=True)
            self._port = self._port or server.sockets[0].getsockname()[1]
            self._servers.append(server)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        self.at_once[host] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[host])
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side went away, or the test ends
        finally:
            self.at_once[host] -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False when the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        feed = int(request.split()[1].strip("/").removesuffix(".xml"))
        fault = self.fault(feed, self.requests[feed])
        self.requests[feed] += 1
        self.log.append((self._loop.time(), feed, fault or "feed"))
        body = self.body(feed)
        guids = self.guids(feed)[-self.window :]
        tag = f'"{len(self._dates[feed])}"'
        match fault:
            case "reset":
                writer.transport.abort()
                return False
            case "hang":
                await asyncio.sleep(3600)
                return False
            case "drip":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.5)
            case "truncated":
                writer.write(_head(200, len(body), tag) + body[: len(body) // 2])
                await writer.drain()
                return False
            case "garbage":
                body, guids = bytes(range(256)) * 40, []
            case "nested":
                body, guids = b"<rss><channel>" + b"<item>" * 100_000, []
            case "bomb":
                body, guids = gzip.compress(b"<rss>" + bytes(50_000_000)), []
                writer.write(_head(200, len(body), tag, "Content-Encoding: gzip\r\n") + body)
                await writer.drain()
                return True
            case "500" | "404" | "429":
                writer.write(_head(int(fault), 0, tag, "Retry-After: 2\r\n" if fault == "429" else ""))
                await writer.drain()
                return True
        if fault is None and headers.get("if-none-match") == tag:
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
            await writer.drain()
            return True
        writer.write(_head(200, len(body), tag) + body)
        await writer.drain()
        self.served.update(guids)
        return True


def _head(status: int, length: int, tag: str, more: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: application/rss+xml\r\nContent-Length: {length}\r\nETag: {tag}\r\n{more}\r\n".encode()
