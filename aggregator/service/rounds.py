"""Rounds of polling: takes what is due, keeps as many requests under way as allowed, until nothing is due."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from aggregator.errors import StoreDamagedError, StoreError
from aggregator.models import DueFeed, Failed, Fetched, NotModified
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.network import NetworkWatch
from aggregator.service.poller import Poller, PollOutcome
from aggregator.service.serial import Serial
from aggregator.store.writer import Writer

__all__ = ["PollRounds", "RoundCounts"]

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0  # while requests are under way: feeds become due meanwhile, hosts free
_PROBE_S = 30.0  # while there is no network
_PROBES = 3  # feeds tried at once while there is no network
_LONGEST_ROUND_S = 60.0  # with very many feeds something is always due: the line a round comes once a minute then
_STORE_WAIT_S = (
    1.0,
    5.0,
    15.0,
    60.0,
)  # waits after the database refused a write, so that no publisher is asked in vain


@dataclass(frozen=True, slots=True)
class RoundCounts:
    """What a round did. `reasons` counts failures by kind; `no_network`, those that were our own network's.

    `resting` polls were none: a host on the way had no turn for them; `polled` does not count these.
    """

    polled: int = 0
    unchanged: int = 0
    failed: int = 0
    new: int = 0
    edited: int = 0
    elapsed_s: float = 0.0
    no_network: int = 0  # of `failed`
    resting: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def plus(self, outcome: PollOutcome) -> "RoundCounts":
        """The counts with one more poll."""
        if outcome.resting:
            return replace(self, resting=self.resting + 1)
        result = outcome.result
        failed = bool(outcome.problem)
        reason = str(result.reason) if isinstance(result, Failed) else "parse"
        return replace(
            self,
            polled=self.polled + 1,
            unchanged=self.unchanged
            + (isinstance(result, NotModified) or (isinstance(result, Fetched) and not outcome.new)),
            failed=self.failed + failed,
            new=self.new + outcome.new,
            edited=self.edited + outcome.edited,
            no_network=self.no_network + outcome.no_network,
            reasons=self.reasons + Counter({reason: 1} if failed else {}),
        )

    def __str__(self) -> str:
        """One line for people."""
        why = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common(4))
        failed = f", {self.failed} failed ({why})" if self.failed else ""
        network = "; no network" if self.no_network else ""
        resting = f"; {self.resting} wait for a host's turn" if self.resting else ""
        edited = f", {self.edited} edited" if self.edited else ""
        return f"{self.polled} feeds polled in {self.elapsed_s:.1f} s: {self.new} new items{edited}{failed}{network}{resting}"


class PollRounds:
    """Runs rounds. `listener` hears of every poll; `last_progress` is the monotonic time of the last step."""

    def __init__(
        self,
        poller: Poller,
        *,
        store: Serial,
        writer: Writer,
        network: NetworkWatch,
        clock: Clock,
        listener: Callable[[PollOutcome], None] = lambda _: None,
    ) -> None:
        self.poller = poller
        self.last_progress = time.monotonic()
        self.draining = False
        self._store = store
        self._writer = writer
        self._network = network
        self._clock = clock
        self._listener = listener
        self._under_way: dict[asyncio.Task[PollOutcome], DueFeed] = {}
        self._refusals = 0
        self._quiet_until = 0.0
        self._next_probe = 0.0

    async def run_due(self) -> RoundCounts:
        """Poll what is due, and what becomes due meanwhile, until nothing is or the round has lasted a minute.

        Returns at once when nothing is due. An exchange that is still under way at the end goes on in the next round.
        """
        began = time.monotonic()
        counts = RoundCounts()
        while not self.draining:
            self.last_progress = time.monotonic()
            if self.last_progress - began > _LONGEST_ROUND_S:
                break
            await self._take()
            if not self._under_way:
                break
            for outcome in await self._finished(_LOOK_AGAIN_S):
                counts = counts.plus(outcome)
        return replace(counts, elapsed_s=time.monotonic() - began)

    async def run_all_due(self) -> RoundCounts:
        """Poll what is due now, and return when all of it is over; what the database refused is left for the next run."""
        began = time.monotonic()
        counts = RoundCounts()
        while not self.draining and not (self._refusals and not self._under_way):
            taken = await self._take()
            if not self._under_way and not taken:
                if self._network.offline or not await self._store(self._writer.due_count, self._clock()):
                    break
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            for outcome in await self._finished(_LOOK_AGAIN_S):
                counts = counts.plus(outcome)
        return replace(counts, elapsed_s=time.monotonic() - began)

    async def run_these(self, feeds: Iterable[DueFeed]) -> RoundCounts:
        """Poll these feeds now, whatever their schedule says."""
        began = time.monotonic()
        counts = RoundCounts()
        for feed in feeds:
            self._start(feed)
        while self._under_way:
            for outcome in await self._finished(None):
                counts = counts.plus(outcome)
        return replace(counts, elapsed_s=time.monotonic() - began)

    async def settled(self) -> None:
        """Wait until the polls that are under way now are over."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    async def drain(self, timeout_s: float) -> None:
        """Start nothing more; let what is under way finish for a while, then give it up: nothing of it is stored."""
        self.draining = True
        if self._under_way:
            _, pending = await asyncio.wait(self._under_way, timeout=timeout_s)
            for task in pending:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            self._under_way.clear()

    async def _take(self) -> int:
        """Start as many due feeds as there is room for; how many were started."""
        now = time.monotonic()
        free = self.poller.config.fetching.concurrency - len(self._under_way)
        if self._network.offline:
            if now < self._next_probe or len(self._under_way) >= _PROBES:
                return 0
            free = _PROBES
            self._next_probe = now + _PROBE_S
        if free <= 0 or now < self._quiet_until:
            return 0
        busy = {feed.state.host for feed in self._under_way.values()}
        try:
            due = await self._store(self._writer.due, self._clock(), free, busy_hosts=busy)
        except StoreError as error:
            self._store_refused(error)
            return 0
        for feed in due:
            self._start(feed)
        return len(due)

    def _start(self, feed: DueFeed) -> None:
        task = asyncio.create_task(self.poller.poll(feed), name=f"poll {feed.spec.url}")
        self._under_way[task] = feed

    async def _finished(self, timeout_s: float | None) -> list[PollOutcome]:
        """Wait until one poll or more are over, or for `timeout_s`; the outcomes that were stored."""
        done, _ = await asyncio.wait(self._under_way, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        outcomes = []
        for task in done:
            feed = self._under_way.pop(task)
            if task.cancelled():
                continue
            error = task.exception()
            if isinstance(error, StoreError):
                self._store_refused(error)
            elif error is not None:
                # Not even its failure could be stored: an error of ours, in the place where errors are handled.
                log.error("an error of ours while storing %s", feed.spec.url, exc_info=error)
                self._store_refused(StoreError(f"{type(error).__name__}: {error}"))
            else:
                if self._refusals:
                    event(log, logging.WARNING, "store_writable", "the database takes writes again")
                self._refusals, self._quiet_until = 0, 0.0
                outcomes.append(task.result())
                self._listener(task.result())
        return outcomes

    def _store_refused(self, error: StoreError) -> None:
        """The database took nothing: the feed is due still. Wait before asking publishers again.

        Raises StoreDamagedError: no further try mends that.
        """
        if isinstance(error, StoreDamagedError):
            raise error
        wait = _STORE_WAIT_S[min(self._refusals, len(_STORE_WAIT_S) - 1)]
        now = time.monotonic()
        if now >= self._quiet_until:
            event(
                log,
                logging.ERROR,
                "store_refused",
                f"{error}; nothing is lost, I try again in {wait:.0f} s",
                retry_s=wait,
            )
            self._refusals += 1
            self._quiet_until = now + wait
