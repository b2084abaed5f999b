"""The daemon: a few jobs over the stages, signals, and the service manager."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from aggregator.config import Config
from aggregator.errors import AggregatorError, ConfigError, StoreDamagedError, StoreError
from aggregator.models import FeedSpec
from aggregator.service import logs
from aggregator.service.clock import Clock, JumpWatch, utcnow
from aggregator.service.enrichment import EnrichmentCounts
from aggregator.service.grouping import GroupingCounts
from aggregator.service.logs import event
from aggregator.service.metrics import Tally
from aggregator.service.minutely import Minutely
from aggregator.service.monitor import LOOK_EVERY_S, Monitor
from aggregator.service.notify import Notifier
from aggregator.service.rounds import RoundCounts
from aggregator.service.runtime import Runtime
from aggregator.service.ticks import Ticks
from aggregator.service.upkeep import UPKEEP_EVERY_S, Upkeep

__all__ = ["Daemon", "Reload"]

log = logging.getLogger(__name__)

Reload = Callable[[], tuple[Config, list[FeedSpec]]]

_WATCH_EVERY_S = 2.0
_LATE_S = 60
_FIRST_UPKEEP_S = 120.0  # a daemon that is started again every few minutes makes copies too
_DRAIN_S = 3.0
_FIXED = ("database", "embedding", "reader")  # tables of the configuration that are read at the start only
_EVERYTHING_EVERY_S = 3600.0  # between two repair passes that look at unchanged items too
_STUCK_S = 120.0  # without a step of any stage that has work: the watchdog is no longer fed


class Daemon:
    """Runs until SIGTERM or SIGINT, then ends within ten seconds with nothing lost. SIGHUP reads the configuration again.

    Args:
        runtime: the stages, started.
        specs: the catalogue.
        reload: reads configuration and catalogue anew; raises ConfigError.
        tally: what `runtime` counts its polls in; for Prometheus.
    """

    def __init__(
        self,
        runtime: Runtime,
        specs: list[FeedSpec],
        reload: Reload,
        *,
        clock: Clock = utcnow,
        notifier: Notifier | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._runtime = runtime
        self._specs = specs
        self._reload = reload
        self._clock = clock
        self._notifier = notifier or Notifier()
        self._stop = asyncio.Event()
        self._jumps = JumpWatch(clock)
        self._polled, self._grouped, self._enriched = (
            Minutely(RoundCounts()), Minutely(GroupingCounts()), Minutely(EnrichmentCounts())
        )  # fmt: skip
        self._opened = self._identity()
        self._failure: AggregatorError | None = None
        self._refused: dict[str, float] = {}
        self._everything_at = 0.0  # monotonic
        self._errors: dict[str, str] = {}  # by job: the one that was said last, until it runs well
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._tally = tally or Tally()
        self._monitor = Monitor(runtime, clock, self._tally)
        self._upkeep = Upkeep(runtime, clock, stopping=self._stop.is_set)
        self._ticks = Ticks()

    async def run(self) -> None:
        """Serve until told to stop.

        Raises StoreError when the first write fails or the file is removed or replaced, StoreDamagedError when it turns
        out to be damaged: after the same clean end.

        The handlers of signals stay: a second SIGTERM changes nothing.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        await self._sync(self._specs)
        await self._runtime.store(self._runtime.writer.heal_clock, self._clock())
        self._notifier.send(READY=1, STATUS="started")
        self._monitor.metrics.serve(self._runtime.config.metrics.port)
        self._schedule()
        watching = asyncio.create_task(self._watch())
        try:
            await self._stop.wait()
        finally:
            self._notifier.send(STOPPING=1, STATUS="stopping")
            event(log, logging.INFO, "stopping", "stopping: what is under way is finished")
            watching.cancel()
            self._runtime.grouping.draining = self._runtime.enrichment.draining = True
            self._ticks.pause()
            await asyncio.gather(self._runtime.rounds.drain(_DRAIN_S), self._jobs_end(_DRAIN_S + 1))
            self._ticks.end()
            await asyncio.to_thread(self._monitor.metrics.close)
        if self._failure:
            raise self._failure

    def _schedule(self) -> None:
        """Make the jobs, or change how often they run; the scheduler runs them from then on."""
        settings = self._runtime.config
        for name, seconds, work in (
            ("poll_due", settings.polling.tick_s, self._poll),
            ("cluster", settings.stories.every_s, self._group),
            ("repair", settings.stories.repair_every_s, self._repair),
            ("enrich", settings.enrich.every_s, self._enrich),
            ("monitor", LOOK_EVERY_S, self._look),
        ):
            self._ticks.every(seconds, name, self._guarded, name, work)
        self._ticks.every(
            UPKEEP_EVERY_S, "maintain", self._guarded, "maintain", self._upkeep.run, first_s=_FIRST_UPKEEP_S
        )
        if self._notifier.watchdog_s:
            self._ticks.every(
                max(0.5, self._notifier.watchdog_s / 4), "watchdog", self._guarded, "watchdog", self._watchdog
            )
        self._ticks.start()

    async def _jobs_end(self, within_s: float) -> None:
        if self._jobs:
            await asyncio.wait(self._jobs.values(), timeout=within_s)

    async def _watch(self) -> None:
        """Every two seconds by the monotonic clock: was the wall clock set back, is the file still the one that was opened."""
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            back = self._jumps.went_back()
            if back:
                await self._clock_went_back(back)
            if self._identity() != self._opened:
                path = self._runtime.writer.path
                self._fail(
                    StoreError(f"{path}: removed or replaced while it was in use; what is there now is for a new start")
                )

    async def _clock_went_back(self, by: timedelta) -> None:
        """All jobs are due now, and feeds that were polled in what is now the future are due after their interval from now on."""
        self._ticks.all_at_once(self._clock())
        with suppress(StoreError):  # the next poll says so
            healed = await self._runtime.store(self._runtime.writer.heal_clock, self._clock())
            event(log, logging.WARNING, "clock_back", f"the clock went back by {by}; {healed} feeds are due anew")

    def _identity(self) -> tuple[int, int] | None:
        """Of the database file; None when there is none."""
        try:
            found = self._runtime.writer.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _fail(self, error: AggregatorError) -> None:
        """End the daemon for a reason that no further try will mend; `run` raises it."""
        self._failure = self._failure or error
        self._stop.set()

    # --- the jobs -----------------------------------------------------------------------------------------------

    async def _guarded(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run a job's work, known by name while it runs; given up at the end, it is no news."""
        task = asyncio.current_task()
        if task is not None:
            self._jobs[name] = task
        try:
            await self._attempt(name, work)
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise
        finally:
            self._jobs.pop(name, None)

    async def _attempt(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """What goes wrong is said once and tried again at the next tick; damage ends the daemon."""
        try:
            await work()
        except StoreDamagedError as error:
            self._fail(error)
        except StoreError as error:
            if name not in self._refused:
                event(log, logging.ERROR, "store_refused", f"{name}: {error}; I keep trying", job=name)
            self._refused[name] = time.monotonic()
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            if self._errors.get(name) != told:  # once, not at every tick
                log.exception("an error of ours in the job %s; I keep trying", name)
            self._errors[name] = told
        else:
            self._errors.pop(name, None)
            if self._refused.pop(name, None):
                event(log, logging.WARNING, "store_writable", f"{name}: the database takes writes again", job=name)

    async def _poll(self) -> None:
        counts = self._polled.add(await self._runtime.rounds.run_due(), time.monotonic())
        if counts:
            event(
                log, logging.INFO, "round", str(counts), polled=counts.polled, new=counts.new, edited=counts.edited,
                failed=counts.failed, unchanged=counts.unchanged, elapsed_s=round(counts.elapsed_s, 1),
            )  # fmt: skip
            await self._status()

    async def _group(self) -> None:
        counts = self._grouped.add(await self._runtime.grouping.round(), time.monotonic())
        if counts:
            event(
                log, logging.INFO, "grouped", f"{counts.items} items grouped: {counts.joined} joined a story",
                items=counts.items, joined=counts.joined, changed=counts.changed, elapsed_s=round(counts.elapsed_s, 1),
            )  # fmt: skip
            await self._status()

    async def _repair(self) -> None:
        everything = time.monotonic() >= self._everything_at
        counts = await self._runtime.grouping.repair(everything=everything)
        if everything:
            self._everything_at = time.monotonic() + _EVERYTHING_EVERY_S
        if counts.changed:
            event(
                log,
                logging.INFO,
                "repaired",
                f"{counts.changed} stories merged, split or corrected",
                changed=counts.changed,
            )

    async def _enrich(self) -> None:
        done = await self._runtime.enrichment.round()
        # Sentences are chosen for every item: alone they are no news.
        counts = self._enriched.add(done if done.any else replace(done, sentences=0), time.monotonic())
        if counts:
            event(
                log, logging.INFO, "enriched", str(counts), sentences=counts.sentences, stories=counts.stories, pages=counts.pages,
                translations=counts.translations, judged=counts.judged, refused=counts.refused, failed=counts.failed, elapsed_s=round(counts.elapsed_s, 1),
            )  # fmt: skip

    async def _watchdog(self) -> None:
        """Feed the watchdog only while the loop turns, the writer answers and no stage with work stands still."""
        await self._runtime.store(lambda: None)
        now = time.monotonic()
        stages = (
            ("poll_due", self._runtime.rounds),
            ("cluster", self._runtime.grouping),
            ("enrich", self._runtime.enrichment),
        )
        for name, stage in stages:
            if name in self._jobs and now - stage.last_progress > _STUCK_S:
                event(log, logging.ERROR, "stuck", f"{name} has made no step for {now - stage.last_progress:.0f} s")
                return
        self._notifier.send(WATCHDOG=1)

    # --- configuration ------------------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        self._jobs["reload"] = asyncio.create_task(self._guarded("reload", self._reconfigure))

    async def _reconfigure(self) -> None:
        self._notifier.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        try:
            config, specs = await asyncio.to_thread(self._reload)
            old = self._runtime.config
            await self._runtime.reconfigure(config)
        except ConfigError as error:
            event(log, logging.ERROR, "reload_refused", f"{error}; the configuration stays as it was")
        else:
            logs.set_up(config.log)
            fixed = [name for name in _FIXED if getattr(config, name) != getattr(old, name)]
            if fixed:
                event(log, logging.WARNING, "restart_needed", f"[{'], ['.join(fixed)}] takes effect at the next start")
            await self._sync(specs)
            self._monitor.metrics.serve(config.metrics.port)
            self._schedule()
        finally:
            self._notifier.send(READY=1)

    async def _sync(self, specs: list[FeedSpec]) -> None:
        result = await self._runtime.store(self._runtime.writer.sync_feeds, specs, now=self._clock())
        event(
            log, logging.INFO, "catalogue", f"{len(specs)} feeds in the catalogue: {result.added} new, {result.changed} changed, {result.removed} gone",
            feeds=len(specs), added=result.added, changed=result.changed, removed=result.removed,
        )  # fmt: skip

    async def _look(self) -> None:
        await self._monitor.run()
        await self._status()

    async def _status(self) -> None:
        try:
            counts = await self._runtime.store(self._runtime.writer.counts)
        except AggregatorError:
            return
        late_s = self._tally.vitals.get("late_s", 0)
        self._notifier.send(
            STATUS=f"{counts['feeds']} feeds, {counts['items']} items, {counts['stories']} stories; "
            + (f"{late_s} s behind" if late_s > _LATE_S else "on time")
        )
