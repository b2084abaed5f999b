"""Commands that poll: run, poll."""

import asyncio
import faulthandler
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aggregator.cli.app import App, pass_app
from aggregator.cli.output import json_option, print_json, say
from aggregator.config import Config, load_config, shipped_config_dir
from aggregator.embedding import Embedder, open_embedder
from aggregator.errors import ConfigError, NotFoundError
from aggregator.feedfiles import load_feeds
from aggregator.models import DueFeed, FeedSpec
from aggregator.service import logs
from aggregator.service.clock import utcnow
from aggregator.service.daemon import Daemon, Reload
from aggregator.service.grouping import GroupingCounts
from aggregator.service.metrics import Tally
from aggregator.service.poller import PollOutcome
from aggregator.service.rounds import RoundCounts
from aggregator.service.runtime import Runtime
from aggregator.store.writer import Writer

__all__ = ["FirstRound", "introduce", "poll", "run"]

T = TypeVar("T")

_PLAIN_EVERY_S = 5.0  # between two lines of progress where there is no terminal


class FirstRound:
    """Shows how far the first round is: a bar on a terminal, else a line now and then. Called with every poll."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._items = self._failed = 0
        self._said = time.monotonic()
        self._seen: set[int] = set()
        self._bar: Progress | None = None
        if total and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("feeds, {task.fields[items]} items"),
                TimeElapsedColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("first round", total=total, items=0)
            self._bar.start()

    def __call__(self, outcome: PollOutcome) -> None:
        """Count one poll; those of later rounds are no news, and one without a network, or without a host's turn, is still to come."""
        if (
            outcome.no_network
            or outcome.resting
            or self._done >= self._total
            or outcome.feed.state.feed_id in self._seen
        ):
            return
        self._seen.add(outcome.feed.state.feed_id)
        self._done += 1
        self._items += outcome.new
        self._failed += bool(outcome.problem)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, items=self._items)
        elif time.monotonic() - self._said > _PLAIN_EVERY_S:
            self._said = time.monotonic()
            say(f"first round: {self._done} of {self._total} feeds, {self._items} items, {self._failed} failed")
        if self._done == self._total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@click.command()
@pass_app
def run(app: App) -> None:
    """Run the daemon: poll what is due, group it, until SIGTERM or Ctrl-C. SIGHUP reads the configuration again."""
    if app.config_path is None:
        written = _write_default_config()
        say(f"no configuration found: wrote the default one, {written}")
        del app.config_path  # look again
    config = app.config
    specs = load_feeds(config)
    logs.set_up(config.log)
    faulthandler.enable()  # the watchdog's SIGABRT then says where every thread stood
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what it would read is being read
    writer, embedder = _aside(lambda: _opened(app, config, specs))

    def reload() -> tuple[Config, list[FeedSpec]]:
        fresh = app.with_options(load_config(Path(config.source)) if config.source else Config())
        return fresh, load_feeds(fresh)

    progress = FirstRound(
        writer.counts()["never_polled"] or sum(spec.enabled for spec in specs) if not writer.counts()["items"] else 0
    )
    try:
        asyncio.run(_serve(config, specs, writer, embedder, reload, progress))
    finally:
        progress.close()


def _leave(*_: object) -> None:
    """SIGTERM before the daemon runs: nothing is under way that must be finished, and checking a file may take minutes."""
    os._exit(0)


def _aside(work: Callable[[], T]) -> T:
    """Do `work` in a thread while this one, which is the one that hears signals, waits."""
    outcome: Future[T] = Future()

    def done() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            outcome.set_exception(error)

    Thread(target=done, name="start", daemon=True).start()
    return outcome.result()


def _opened(app: App, config: Config, specs: list[FeedSpec]) -> tuple[Writer, Embedder | None]:
    writer = app.daemon_writer()
    try:
        return writer, introduce(config, specs, writer)
    except BaseException:
        writer.close()
        raise


async def _serve(
    config: Config,
    specs: list[FeedSpec],
    writer: Writer,
    embedder: Embedder | None,
    reload: Reload,
    progress: FirstRound,
) -> None:
    tally = Tally()

    def heard(outcome: PollOutcome) -> None:
        tally.count(outcome)
        progress(outcome)

    async with Runtime(config, writer=writer, embedder=embedder, listener=heard) as runtime:
        await Daemon(runtime, specs, reload, tally=tally).run()
    # All is closed. The interpreter's own end would wait for threads that hang, and, once the loop's handlers are gone,
    # die of a second SIGTERM.
    progress.close()
    sys.stderr.flush()
    os._exit(0)


def introduce(config: Config, specs: list[FeedSpec], writer: Writer) -> Embedder | None:
    """Say where everything is; open the embedder."""
    say(f"configuration: {config.source or 'defaults'}")
    say(f"database:      {writer.path.absolute()}")
    countries = {spec.country for spec in specs if spec.country}
    unverified = sum(not spec.verified for spec in specs)
    note = f"; {unverified} addresses not yet verified by us" if unverified else ""
    say(f"catalogue:     {len(specs)} feeds of {len(countries)} countries{note}")
    embedder = open_embedder(config.embedding)
    if embedder is None:
        say(
            "embedder:      none: stories are found by words alone, hardly across languages (see [embedding] in the configuration)"
        )
    else:
        say(f"embedder:      {embedder.name}")
    return embedder


def _write_default_config() -> Path:
    target = Path("config")
    try:
        shutil.copytree(shipped_config_dir(), target, dirs_exist_ok=True, copy_function=_copy_new)
    except OSError as error:
        raise ConfigError(
            f"no configuration found, and the default one cannot be written to {target.absolute()}: {error.strerror or error}; name one with --config"
        ) from None
    return target / "aggregator.toml"


def _copy_new(source: str, target: str) -> None:
    """What is there already is somebody's, and stays."""
    if not Path(target).exists():
        shutil.copyfile(source, target)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every feed, also those that are not due.")
@click.option("--feed", "url", metavar="URL", help="Only this feed, due or not.")
@json_option
@pass_app
def poll(app: App, everything: bool, url: str | None, as_json: bool) -> None:
    """Poll once what is due, group what is new, and exit. Refused while a daemon uses the same database."""
    config = app.config
    specs = load_feeds(config)
    logs.set_up(config.log)
    writer = app.daemon_writer()
    try:
        writer.sync_feeds(specs, now=utcnow())
        feed = _feed(writer, url) if url else None
        if everything:
            writer.make_due(now=utcnow())
        embedder = open_embedder(config.embedding)
    except BaseException:
        writer.close()
        raise
    progress = FirstRound(0 if as_json or url else writer.due_count(utcnow()))
    try:
        polled, grouped = asyncio.run(_once(config, writer, embedder, feed, progress))
    finally:
        progress.close()
    if as_json:
        print_json(
            {
                "polled": polled.polled, "new": polled.new, "edited": polled.edited, "failed": polled.failed,
                "failures": dict(polled.reasons), "grouped": grouped.items, "joined": grouped.joined,
            }
        )  # fmt: skip
    else:
        click.echo(str(polled) if polled.polled or polled.resting else "no feed is due; --all polls every feed")
        click.echo(f"{grouped.items} items grouped: {grouped.joined} joined a story")
    if polled.polled and polled.failed == polled.polled:
        sys.exit(1)


def _feed(writer: Writer, url: str) -> DueFeed:
    feed = writer.feed(url)
    if feed is None:
        raise NotFoundError(f"no feed has the address {url}; `aggregator feeds list` shows them")
    return feed


async def _once(
    config: Config, writer: Writer, embedder: Embedder | None, feed: DueFeed | None, progress: FirstRound
) -> tuple[RoundCounts, GroupingCounts]:
    async with Runtime(config, writer=writer, embedder=embedder, listener=progress) as runtime:
        rounds = runtime.rounds
        polled = await (rounds.run_these([feed]) if feed else rounds.run_all_due())
        grouped = await runtime.grouping.round()
        repaired = await runtime.grouping.repair(everything=True)
        await runtime.enrichment.round()
    return polled, GroupingCounts(grouped.items, grouped.joined, repaired.changed)
