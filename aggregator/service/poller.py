"""One poll end to end: fetch, parse, tell new from known, decide the next poll, and store it all in one transaction."""

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from aggregator.config import Config
from aggregator.models import (
    DueFeed,
    Failed,
    FailureReason,
    FeedState,
    Fetched,
    FetchRequest,
    FetchResult,
    ParsedFeed,
    ParseFailed,
    ParseJob,
    PollRecord,
)
from aggregator.parsing.identity import resolve
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate, host_of
from aggregator.polling.moves import rested, second_request
from aggregator.polling.schedule import body_hash, decide, request_for
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.network import NetworkWatch, excused
from aggregator.service.serial import Serial
from aggregator.store.writer import Writer

__all__ = ["PollOutcome", "Poller"]

log = logging.getLogger(__name__)

_PATIENCE_S = 3.0  # for the turn at another host than the feed's own; it holds one of the places for fetches
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
    resting: bool = False  # a host on its way had no turn for it: it was no poll, and the feed is due again


@dataclass(frozen=True, slots=True)
class _Answer:
    """One exchange: what was asked, what came of it, when its first request went out and when all of it was over."""

    request: FetchRequest
    result: FetchResult
    parsed: ParsedFeed | ParseFailed | None
    started: datetime
    now: datetime


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

    async def poll(self, feed: DueFeed) -> PollOutcome:
        """Poll one feed and store what came of it. An error of ours is logged and stored as the feed's failure.

        Raises StoreError when the database cannot take it.
        """
        try:
            answer = await self._ask(feed)
        except Exception as error:
            log.exception("an error of ours while polling %s", feed.spec.url)
            ours = Failed(feed.state.url, FailureReason.INTERNAL, f"{type(error).__name__}: {error}"[:300])
            now = self._clock()
            answer = _Answer(request_for(feed.state, now), ours, None, now, now)
        result = answer.result
        if isinstance(result, Failed) and result.reason is FailureReason.RESTING:
            return await self._rest(feed, result, answer.now)
        began = ended = False
        if self._network.no_answer(result):
            in_all = await self._store(self._writer.host_count, self._network.enough)
            began = self._network.silent(feed, in_all)
        elif not (isinstance(result, Failed) and result.status is None):
            ended = self._network.answered(feed.state.host)
        outcome = await self._store(self._record, feed, answer)
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

    async def _ask(self, feed: DueFeed) -> _Answer:
        """What the feed says; where the address that it had moved to is dead, what the catalogue's says, if that is a feed."""
        answer = await self._answer(feed, request_for(feed.state, self._clock()))
        request = second_request(feed.state, feed.spec.url, answer.result, answer.parsed, now=answer.now)
        if request is None:
            return answer
        second = await self._answer(feed, request)
        problem = _problem(second.result, second.parsed)
        if not problem:
            return second
        too = f"; the catalogue's address fails too: {problem}"
        if isinstance(answer.parsed, ParseFailed):
            return replace(answer, parsed=replace(answer.parsed, detail=answer.parsed.detail + too))
        if isinstance(answer.result, Failed):
            return replace(answer, result=replace(answer.result, detail=answer.result.detail + too))
        return answer

    async def _answer(self, feed: DueFeed, request: FetchRequest) -> _Answer:
        """One exchange, and what its body says. Every host on its way is asked in its turn."""
        turns: list[datetime] = []  # when each host's came

        @asynccontextmanager
        async def turn(host: str) -> AsyncIterator[None]:
            # `due` starts one feed of a host at a time: at its own host the wait is short, or somebody asked for this poll.
            patience_s = None if host == feed.state.host else _PATIENCE_S
            async with self.gate.turn(host, self._clock, patience_s):
                turns.append(self._clock())
                yield

        result = await self.fetcher.fetch(request, turn)
        # The one instant of this poll: items without a date take it, as their first_seen_at does.
        now = self._clock()
        return _Answer(request, result, await self._parse(feed, result, now), turns[0] if turns else now, now)

    async def _rest(self, feed: DueFeed, result: Failed, now: datetime) -> PollOutcome:
        """No poll: the feed is due again when the host on its way that was not asked has a turn for it."""
        until = self.gate.held(host_of(result.url), now)
        await self._store(self._writer.reschedule, [rested(feed.state, result, until, now=now)])
        return PollOutcome(feed, result, resting=True)

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

    def _record(self, feed: DueFeed, answer: _Answer) -> PollOutcome:
        """Runs in the writer's thread in one piece: no sister feed can store an item between the look and the write."""
        result, parsed, now = answer.result, answer.parsed, answer.now
        items = parsed.items if isinstance(parsed, ParsedFeed) else ()
        known = self._writer.known(feed.state.feed_id, feed.outlet_id, items, now=now)
        resolutions = resolve(items, known, now=now)
        decision = decide(
            feed.state,
            result,
            parsed,
            resolutions,
            now=now,
            jitter=self._jitter(),
            settings=self.config.polling,
            request=answer.request,
        )
        state = decision.state
        no_network = self._network.offline and self._network.no_answer(result)
        if no_network:
            state = excused(feed.state, now)
        brought = self._writer.record_poll(
            PollRecord(
                feed_id=feed.state.feed_id,
                outlet_id=feed.outlet_id,
                started_at=answer.started,
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
