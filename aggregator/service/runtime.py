"""The stages, started and joined: what the daemon and `aggregator poll` have in common."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aggregator import __version__
from aggregator.config import Config
from aggregator.embedding import Embedder
from aggregator.parsing.pool import ParsePool
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate
from aggregator.service.clock import Clock, utcnow
from aggregator.service.grouping import Grouping
from aggregator.service.network import NetworkWatch
from aggregator.service.poller import Poller, PollOutcome
from aggregator.service.rounds import PollRounds
from aggregator.service.serial import Serial
from aggregator.store.writer import Writer

__all__ = ["Runtime"]


class Runtime:
    """Everything that runs, as one context. It closes `writer` and `embedder` too."""

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
        self.store = Serial("store")
        self._mind = Serial("mind")
        self._embedder = embedder
        network = NetworkWatch()
        poller = Poller(
            config,
            fetcher=Fetcher(config.fetching, version=__version__),
            gate=HostGate(config.fetching.per_host, config.fetching.host_spacing_s),
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

    async def __aenter__(self) -> Self:
        """Start the processes that parse."""
        await self.rounds.poller.pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what is under way end, within seconds, and close everything."""
        self.grouping.draining = True
        await self.rounds.drain(3.0)
        await asyncio.gather(
            self.rounds.poller.pool.__aexit__(kind, error, trace),
            self.rounds.poller.fetcher.aclose(),
            return_exceptions=True,
        )
        await asyncio.to_thread(self._mind.close)
        await asyncio.to_thread(self.store.close)
        if self._embedder is not None:
            self._embedder.close()
        self.writer.close()

    async def reconfigure(self, config: Config) -> None:
        """Go on with other settings. What is under way ends with the old ones; the database and the model stay."""
        poller = self.rounds.poller
        old = (poller.fetcher, poller.pool)
        if config.fetching != self.config.fetching:
            poller.fetcher = Fetcher(config.fetching, version=__version__)
            poller.gate = HostGate(config.fetching.per_host, config.fetching.host_spacing_s)
        if config.limits != self.config.limits:
            poller.pool = await ParsePool(config.limits).__aenter__()
        self.config = poller.config = self.grouping.config = config
        if poller.fetcher is not old[0]:
            await old[0].aclose()
        if poller.pool is not old[1]:
            await old[1].__aexit__(None, None, None)
