"""A real server on a real socket, told by each test what to answer, and remembering what it was asked."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest

from aggregator.config import Fetching, Limits, Polling
from aggregator.models import FeedState, Fetched, FetchRequest, NewItem, ParsedFeed, ParseJob, SameItem
from aggregator.parsing.feed import parse
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import host_of
from aggregator.polling.schedule import body_hash, decide, request_for

# The machine may be busy with other work: a slow example is no failure.
hypothesis.settings.register_profile("polling", deadline=None)
hypothesis.settings.load_profile("polling")

DATA = Path(__file__).parent / "data"


@dataclass
class Asked:
    """One request as it came in: its target and its header fields, in bytes."""

    target: str
    fields: list[tuple[bytes, bytes]]

    def values(self, name):
        """All values of the field `name`."""
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def value(self, name):
        """The only value of the field `name`; None when there is none."""
        found = self.values(name)
        assert len(found) < 2
        return found[0] if found else None


@dataclass
class Site:
    """An HTTP/1.1 server. `answers` maps a target to bytes, or to a coroutine function of (asked, writer)."""

    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    address: str = "127.0.0.1"
    context: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0

    async def __aenter__(self):
        self.tasks = set()
        self.server = await asyncio.start_server(self._serve, self.address, self.port, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def url(self, target="/feed", host=None):
        """A URL of this server."""
        return f"{'https' if self.context else 'http'}://{host or self.address}:{self.port}{target}"

    async def _serve(self, reader, writer):
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head[:-4].split(b"\r\n")
                fields = [tuple(part.strip(b" ") for part in line.split(b":", 1)) for line in lines]
                asked = Asked(first.split(b" ")[1].decode(), fields)
                self.asked.append(asked)
                answer = self.answers.get(asked.target, answer_of(404))
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                elif await answer(asked, writer) == "close":
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self.tasks.discard(asyncio.current_task())
            writer.close()


def answer_of(status=200, body=b"", **fields):
    """A whole answer; a field's name is written with _ for -."""
    lines = [b"HTTP/1.1 %d Whatever" % status]
    fields.setdefault("content_length", str(len(body)))
    for name, value in fields.items():
        if value is not None:
            raw = value if isinstance(value, bytes) else value.encode("latin-1")
            lines.append(name.replace("_", "-").encode() + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def feed_of(*titles, head="", date="Wed, 25 Feb 2026 06:23:00 GMT"):
    """An RSS feed with an item for each title."""
    items = "".join(
        f"<item><title>{title}</title><link>https://paper.example/{title.replace(' ', '-')}</link>"
        f"<guid isPermaLink='false'>{title}</guid><pubDate>{date}</pubDate><description>About {title}.</description></item>"
        for title in titles
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">'
        f"<channel><title>Paper</title><link>https://paper.example/</link>{head}{items}</channel></rss>"
    ).encode()


def open_to_tests(**changes):
    """Settings with which the servers of the tests may be asked."""
    return Fetching(**{"allow_networks": ("127.0.0.0/8", "::1/128"), "total_timeout_s": 20.0, **changes})


async def fetch_once(url, etag=None, last_modified=None, *, resolver=None, ssl_context=None, **changes):
    """One fetch with a fetcher of its own."""
    more = {"resolver": resolver} if resolver else {}
    async with Fetcher(open_to_tests(**changes), version="1.2.3", ssl_context=ssl_context, **more) as fetcher:
        return await fetcher.fetch(FetchRequest(url, etag, last_modified))


def server_context(*protocols):
    """TLS for a server of the tests, which says that it speaks `protocols`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "certificate.pem", DATA / "key.pem")
    context.set_alpn_protocols(protocols or ["http/1.1"])
    return context


def client_context():
    """TLS that trusts the servers of the tests."""
    return ssl.create_default_context(cafile=DATA / "certificate.pem")


class Reader:
    """One feed as the daemon polls it, by a clock of its own: real request, real parser, real decision; no database."""

    def __init__(self, fetcher, url, now, settings=None, jitter=0.0):
        self.fetcher = fetcher
        self.now = now
        self.settings = settings or Polling()
        self.jitter = jitter
        self.known = {}
        self.state = FeedState(1, url, host_of(url), now)
        self.decision = None
        self.new = []

    async def poll(self, **later):
        """Poll at once, `later` (a timedelta's arguments) than the poll before, or when the schedule says."""
        self.now = self.now + timedelta(**later) if later else max(self.now, self.state.next_poll_at)
        result = await self.fetcher.fetch(request_for(self.state, self.now))
        parsed = None
        if isinstance(result, Fetched) and body_hash(result.body) != self.state.body_hash:
            seen = frozenset(self.state.window[i : i + 8] for i in range(0, len(self.state.window), 8))
            parsed = parse(ParseJob(result.body, result.url, self.now, seen=seen), Limits())
        items = parsed.items if isinstance(parsed, ParsedFeed) else ()
        resolutions = [SameItem(1, item) if item.guid in self.known else NewItem(item) for item in items]
        self.new = [r.item.title for r in resolutions if isinstance(r, NewItem)]
        self.known |= {item.guid: item for item in items}
        self.decision = decide(
            self.state, result, parsed, resolutions, now=self.now, jitter=self.jitter, settings=self.settings
        )
        self.state = self.decision.state
        return self.state

    @property
    def wait_s(self):
        """Seconds from the last poll to the next."""
        return (self.state.next_poll_at - self.now).total_seconds()


class Kit:
    """What the tests of this folder share; a fixture, as tests are no package."""

    Site = Site
    Reader = Reader
    answer = staticmethod(answer_of)
    feed = staticmethod(feed_of)
    settings = staticmethod(open_to_tests)
    fetch = staticmethod(fetch_once)
    server_context = staticmethod(server_context)
    client_context = staticmethod(client_context)

    @staticmethod
    def free_port():
        """A port on which nothing listens."""
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            return place.getsockname()[1]


@pytest.fixture(scope="session")
def kit():
    """Servers and fetches for tests."""
    return Kit
