"""One poll end to end: fetch, parse, tell new from known, decide the next poll, and store it all in one transaction."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aggregator.config import Config
from aggregator.models import (
    DueFeed,
    Failed,
    FailureReason,
    FeedState,
    Fetched,
    FetchResult,
    ParsedFeed,
    ParseFailed,
    ParseJob,
    PollRecord,
)
from aggregator.parsing.identity import resolve
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate
from aggregator.polling.schedule import body_hash, decide, request_for
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.network import NetworkWatch, excused
from aggregator.service.serial import Serial
from aggregator.store.writer import Writer

__all__ = ["PollOutcome", "Poller"]

log = logging.getLogger(__name__)

_DIGEST = 8  # bytes of one entry's digest in FeedState.window


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """What one poll came to. `stored` is False when the database could not take it: nothing of it happened then."""

    feed: DueFeed
    result: FetchResult
    new: int = 0
    edited: int = 0
    entries: int = 0
    problem: str = ""  # the failure in words, of fetching or of parsing
    stored: bool = True
    no_network: bool = False  # it failed for want of one: the feed is as before, and due again soon


class Poller:
    """Polls feeds with what it is given; knows no schedule. One call a feed at a time."""

    def __init__(
        self,
        config: Config,
        *,
        fetcher: Fetcher,
        gate: HostGate,
        pool: ParsePool,
        store: Serial,
        writer: Writer,
        network: NetworkWatch,
        clock: Clock,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),
    ) -> None:
        self.config = config
        self.fetcher = fetcher
        self.pool = pool
        self.gate = gate
        self._store = store
        self._writer = writer
        self._network = network
        self._clock = clock
        self._jitter = jitter

    async def poll(self, feed: DueFeed, hosts_in_all: int) -> PollOutcome:
        """Poll one feed and store what came of it. An error of ours is logged and stored as the feed's failure.

        Raises StoreError when the database cannot take it.
        """
        started = now = self._clock()
        try:
            async with self.gate.slot(feed.state.host):
                started = self._clock()
                result = await self.fetcher.fetch(request_for(feed.state, started))
            now = (
                self._clock()
            )  # the one instant of this poll: items without a date take it, as their first_seen_at does
            parsed = await self._parse(feed, result, now)
        except Exception as error:
            log.exception("an error of ours while polling %s", feed.spec.url)
            result = Failed(feed.state.url, FailureReason.INTERNAL, f"{type(error).__name__}: {error}"[:300])
            parsed, now = None, self._clock()
        began = ended = False
        if self._network.no_answer(result):
            began = self._network.silent(feed, hosts_in_all)
        elif not (isinstance(result, Failed) and result.status is None):
            ended = self._network.answered()
        outcome = await self._store(self._record, feed, result, parsed, started, now)
        if began:
            await self._store(self._writer.reschedule, self._excuses())
            event(
                log,
                logging.WARNING,
                "network_down",
                "no network: no host answers; I keep trying, and no feed is blamed",
            )
        if ended:
            event(log, logging.WARNING, "network_up", "the network is back")
        return outcome

    def _excuses(self) -> list[FeedState]:
        now = self._clock()
        return [excused(state, now) for state in self._network.victims().values()]

    async def _parse(self, feed: DueFeed, result: FetchResult, now: datetime) -> ParsedFeed | ParseFailed | None:
        """What the body says; None when there is none, or the same as last time."""
        if not isinstance(result, Fetched) or body_hash(result.body) == feed.state.body_hash:
            return None
        window = feed.state.window
        spec = feed.spec
        job = ParseJob(
            body=result.body,
            url=result.url,
            now=now,
            content_type=result.headers.get("content-type", ""),
            language=spec.language,
            country=spec.country,
            timezone=spec.timezone,
            outlet=spec.outlet,
            seen=frozenset(window[i : i + _DIGEST] for i in range(0, len(window), _DIGEST)),
        )
        return await self.pool.parse(job)

    def _record(
        self,
        feed: DueFeed,
        result: FetchResult,
        parsed: ParsedFeed | ParseFailed | None,
        started: datetime,
        now: datetime,
    ) -> PollOutcome:
        """Runs in the writer's thread in one piece: no sister feed can store an item between the look and the write."""
        items = parsed.items if isinstance(parsed, ParsedFeed) else ()
        known = self._writer.known(feed.state.feed_id, feed.outlet_id, items, now=now)
        resolutions = resolve(items, known, now=now)
        decision = decide(
            feed.state, result, parsed, resolutions, now=now, jitter=self._jitter(), settings=self.config.polling
        )
        state = decision.state
        no_network = self._network.offline and self._network.no_answer(result)
        if no_network:
            state = excused(feed.state, now)
        brought = self._writer.record_poll(
            PollRecord(
                feed_id=feed.state.feed_id,
                outlet_id=feed.outlet_id,
                started_at=started,
                result=result,
                state=state,
                parsed=parsed,
                resolutions=tuple(resolutions),
                hold=decision.hold,
                lossy=decision.lossy,
            )
        )
        if decision.hold:
            self.gate.hold(decision.hold.host, decision.hold.until)
        return PollOutcome(
            feed,
            result,
            new=len(brought.new),
            edited=len(brought.edited),
            entries=len(parsed.digests) if isinstance(parsed, ParsedFeed) else 0,
            problem=_problem(result, parsed),
            no_network=no_network,
        )


def _problem(result: FetchResult, parsed: ParsedFeed | ParseFailed | None) -> str:
    if isinstance(result, Failed):
        return result.detail
    return parsed.detail if isinstance(parsed, ParseFailed) else ""
