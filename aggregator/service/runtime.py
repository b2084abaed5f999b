"""The stages, started and joined: what the daemon and `aggregator poll` have in common."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from aggregator import __version__
from aggregator.config import Config
from aggregator.embedding import Embedder
from aggregator.enrich import open_judge, open_maker
from aggregator.errors import ConfigError, StoreError
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate
from aggregator.service.clock import Clock, utcnow
from aggregator.service.enrichment import Enrichment
from aggregator.service.grouping import Grouping
from aggregator.service.network import NetworkWatch
from aggregator.service.pages import Pages
from aggregator.service.poller import Poller, PollOutcome
from aggregator.service.rounds import PollRounds
from aggregator.service.serial import Serial
from aggregator.store.writer import Writer

__all__ = ["Runtime"]

log = logging.getLogger(__name__)

_THREAD_ENDS_S = 2.0


class _Closing(Protocol):
    async def aclose(self) -> None: ...


class Runtime:
    """Everything that runs, as one context. It closes `writer` and `embedder` too.

    A thread that is still at work after some seconds, with a model or a disk that hangs, is left to itself; the process
    is to end without waiting for it. Raises ConfigError for settings that cannot be used.
    """

    def __init__(
        self,
        config: Config,
        *,
        writer: Writer,
        embedder: Embedder | None,
        clock: Clock = utcnow,
        listener: Callable[[PollOutcome], None] = lambda _: None,
    ) -> None:
        self.config = config
        self.writer = writer
        self._retiring: set[asyncio.Task[None]] = set()
        self._embedder = embedder
        network = NetworkWatch()
        fetcher = _fetcher(config)
        gate = HostGate(config.fetching.per_host, config.fetching.host_spacing_s)
        for pause in writer.holds(clock()):
            gate.hold(pause.host, pause.until)
        self.store = Serial("store")
        self.side = Serial("side")  # what is slow and in nobody's way: backups, looks at the whole
        self._mind = Serial("mind")
        self._maker = Serial("enrich")
        self._clock = clock
        poller = Poller(
            config,
            fetcher=fetcher,
            gate=gate,
            pool=ParsePool(config.limits),
            store=self.store,
            writer=writer,
            network=network,
            clock=clock,
        )
        self.rounds = PollRounds(
            poller, store=self.store, writer=writer, network=network, clock=clock, listener=listener
        )
        self.grouping = Grouping(
            config, embedder=embedder, store=self.store, mind=self._mind, writer=writer, clock=clock
        )
        self.enrichment = Enrichment(
            config,
            store=self.store,
            thread=self._maker,
            writer=writer,
            clock=clock,
            pages=self._pages(config),
            maker=open_maker(config.translation),
            judge=open_judge(config.judge),
            embedder=embedder,
            mind=self._mind,
        )

    async def __aenter__(self) -> Self:
        """Start the processes that parse."""
        await self.rounds.poller.pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what is under way end, for some seconds, and close everything."""
        self.grouping.draining = self.enrichment.draining = True
        await self.rounds.drain(3.0)
        poller = self.rounds.poller
        with suppress(TimeoutError):
            async with asyncio.timeout(2.5):
                for task in self._retiring:
                    task.cancel()
                await asyncio.gather(
                    poller.pool.aclose(),
                    poller.fetcher.aclose(),
                    self.enrichment.aclose(),
                    *self._retiring,
                    return_exceptions=True,
                )
        threads = (self._mind, self.store, self.side, self._maker)
        ended = await asyncio.gather(*(asyncio.to_thread(thread.close, _THREAD_ENDS_S) for thread in threads))
        mind_ended, store_ended = ended[:2]
        if not all(ended):
            log.warning("a thread is still at work and is left: what it did is not stored, and nothing stored is lost")
        if self._embedder is not None and mind_ended:
            self._embedder.close()
        if store_ended:
            try:
                self.writer.close()
            except StoreError as problem:  # the file was removed, the disk is gone: what was stored is stored
                log.warning("closing: %s", problem)

    async def reconfigure(self, config: Config) -> None:
        """Go on with other settings. What is under way ends with the old ones; the database and the model stay.

        Raises ConfigError; nothing has changed then.
        """
        poller, making = self.rounds.poller, self.enrichment
        old = (poller.fetcher, poller.pool, making.pages, making.maker, making.judge)
        fetching, limits = config.fetching != self.config.fetching, config.limits != self.config.limits
        fetcher = _fetcher(config) if fetching else poller.fetcher
        pages = self._pages(config) if fetching or limits else making.pages
        maker = open_maker(config.translation) if config.translation != self.config.translation else making.maker
        judge = open_judge(config.judge) if config.judge != self.config.judge else making.judge
        if fetching:
            poller.gate.retune(config.fetching.per_host, config.fetching.host_spacing_s)
        if limits:
            poller.pool = await ParsePool(config.limits).__aenter__()
        poller.fetcher, making.pages, making.maker, making.judge = fetcher, pages, maker, judge
        self.config = poller.config = self.grouping.config = making.config = config
        new = (poller.fetcher, poller.pool, making.pages, making.maker, making.judge)
        replaced = [before for before, now in zip(old, new, strict=True) if before is not now and before is not None]
        retiring = asyncio.create_task(self._retire(replaced))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _retire(self, replaced: Sequence[_Closing]) -> None:
        """Close what was replaced when the work that uses it is over, or at the end."""
        try:
            if replaced:
                await self.rounds.settled()
                await self.enrichment.settled()
        finally:
            for one in replaced:
                await one.aclose()

    def _pages(self, config: Config) -> Pages:
        try:
            return Pages(config, gate=lambda: self.rounds.poller.gate, clock=self._clock)
        except ValueError as error:
            raise ConfigError(f"{config.source or 'the configuration'}: [fetching] {error}") from None


def _fetcher(config: Config) -> Fetcher:
    try:
        return Fetcher(config.fetching, version=__version__)
    except ValueError as error:
        raise ConfigError(f"{config.source or 'the configuration'}: [fetching] {error}") from None
