"""What the tests of this folder share: real servers, real fetches, a feed that is polled by a clock of its own."""

import socket
import ssl
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest
from toldsite import Site, answer_of, feed_of

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
