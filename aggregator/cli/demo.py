"""aggregator demo: sample feeds on loopback, the real daemon over them, the stories that it finds."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from aggregator.cli.app import App
from aggregator.cli.output import say
from aggregator.cli.read import show, stories
from aggregator.demo.server import DemoServer
from aggregator.errors import AggregatorError, StoreError
from aggregator.feedfiles import toml_of_feeds
from aggregator.service.clock import utcnow
from aggregator.store.reader import open_reader

__all__ = ["demo"]

_DEADLINE_S = 420.0  # one slow core embeds the samples in a minute
_LOOK_S = 0.5

_CONFIG = """\
feeds = ["feeds.toml"]
[database]
path = {database}
[fetching]
allow_networks = ["127.0.0.0/8"]  # the sample feeds are on this machine
[polling]
tick_s = 0.5
[stories]
every_s = 1.0
[backup]
every_hours = 0
[log]
level = "warning"
"""


@click.command()
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the database and configuration here.",
)
@click.option("--limit", type=click.IntRange(min=1), default=12, show_default=True, help="Stories to print.")
@click.pass_context
def demo(context: click.Context, keep: Path | None, limit: int) -> None:
    """Serve bundled sample feeds on this machine, run the daemon over them and print the stories. No internet needed."""
    with _folder(keep) as folder, DemoServer(utcnow()) as server:
        specs = server.specs()
        database = folder / "demo.db"
        config = folder / "aggregator.toml"
        config.write_text(_CONFIG.format(database=repr(str(database.absolute()))), encoding="utf-8")
        (folder / "feeds.toml").write_text(toml_of_feeds(specs), encoding="utf-8")
        say(
            f"serving {len(specs)} sample feeds of {len({s.country for s in specs})} countries in {len({s.language for s in specs})} languages on loopback"
        )
        with _daemon(config) as process:
            items = _wait(process, database, len(specs))
        context.obj = App(str(config))
        say(f"the daemon stored and grouped {items} items and has stopped; the stories of several outlets:\n")
        context.invoke(stories, limit=limit)
        with open_reader(database) as reader:
            best = reader.stories(utcnow().replace(year=2000), 1)
            lead = reader.story(best[0]["story_id"]) if best else None
        if lead is None:
            raise AggregatorError("the demo found no story: this should not happen")
        say("\nthe page of one item:\n")
        context.invoke(show, which=str(lead["lead_item_id"]))
        if keep:
            say(f"\nthe database: {database}; its views are described in docs/schema.md")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as name:
            yield Path(name)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if (keep / "demo.db").exists():
        raise AggregatorError(f"{keep / 'demo.db'} is there already: choose another folder, or remove it")
    yield keep


@contextmanager
def _daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real thing, as a process of its own; stopped with SIGTERM at the end, and its exit status checked."""
    process = subprocess.Popen([sys.executable, "-m", "aggregator", "--config", str(config), "run"])  # noqa: S603 - ourselves
    try:
        yield process
    finally:
        process.terminate()
        status = process.wait(timeout=30)
    if status:
        raise AggregatorError(f"the daemon ended with exit status {status}")


def _wait(process: subprocess.Popen[bytes], database: Path, feeds: int) -> int:
    """Until every feed has been polled and every item grouped; how many items."""
    deadline = time.monotonic() + _DEADLINE_S
    said = 0.0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AggregatorError(f"the daemon ended early, with exit status {process.returncode}")
        time.sleep(_LOOK_S)
        try:
            with open_reader(database) as reader:
                polled = reader.query("SELECT count(*) AS n FROM feed_state WHERE last_poll_at IS NOT NULL")[0]["n"]
                items = reader.query("SELECT count(*) AS n FROM items")[0]["n"]
                waiting = reader.query("SELECT count(*) AS n FROM to_cluster")[0]["n"]
        except StoreError:
            continue  # it is being made
        if polled == feeds and items and not waiting:
            return int(items)
        if time.monotonic() - said > 5:  # noqa: PLR2004 - seconds
            said = time.monotonic()
            say(f"{polled} of {feeds} feeds polled, {items} items, {items - waiting} of them grouped")
    raise AggregatorError(f"the daemon was not done after {_DEADLINE_S:.0f} s")
