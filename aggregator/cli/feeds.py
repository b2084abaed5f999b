"""aggregator feeds: the catalogue in the database."""

import asyncio
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from aggregator.cleaning import plain_line
from aggregator.cli.app import App, pass_app
from aggregator.cli.output import Column, json_option, print_rows, say
from aggregator.config import Config
from aggregator.errors import ConfigError, UsageError
from aggregator.feedfiles import check_feed, load_feeds
from aggregator.models import FeedSpec, iso
from aggregator.service import logs
from aggregator.service.clock import utcnow
from aggregator.service.discovery import Found, Look, check_each, discover

__all__ = ["feeds"]


@click.group()
def feeds() -> None:
    """List, add, switch, check, import and export feeds.

    Feeds of the configuration's files are managed there; `add` and `import` put further ones into the database.
    """


@feeds.command("list")
@click.option("--country", metavar="CODE", help="Only of this country: LV.")
@click.option(
    "--state",
    type=click.Choice(["new", "ok", "failing", "blocked", "gone", "off"], case_sensitive=False),
    help="Only in this state.",
)
@json_option
@pass_app
def list_(app: App, country: str | None, state: str | None, as_json: bool) -> None:
    """List the feeds with their state."""
    with app.reader() as reader:
        rows = reader.feeds()
    if country:
        rows = [row for row in rows if row["country"] == country.upper()]
    if state:
        rows = [row for row in rows if row["state"] == state]
    columns = [
        Column("flag", ""),
        Column("outlet", "outlet", narrow=True),
        Column("language", "lang"),
        Column("state", "state"),
        Column("next_poll_at", "next poll (UTC)", style="dim"),
        Column("url", "url", wrap=True),
        Column("last_error", "last error", style="red", wrap=True),
    ]
    print_rows(rows, columns, as_json=as_json, none="no feed")


@feeds.command()
@click.argument("url")
@click.option("--outlet", help="The publisher's name; else as the feed or its site says.")
@click.option("--country", default=None, metavar="CODE", help="ISO 3166-1 code of the outlet's country: LV.")
@click.option("--language", default=None, metavar="TAG", help="What it writes: lv.")
@click.option("--region", default="", help="Part of the world or country, free text.")
@click.option("--timezone", default="", help="IANA name, for dates without a zone.")
@click.option("--no-check", is_flag=True, help="Do not fetch it first.")
@pass_app
def add(
    app: App,
    url: str,
    outlet: str | None,
    country: str | None,
    language: str | None,
    region: str,
    timezone: str,
    no_check: bool,
) -> None:
    """Add the feed at URL, or the one that the page at URL names.

    When a page names several feeds they are listed and none is added: choose one. A daemon that runs takes it at once.
    """
    logs.set_up(app.config.log)
    url = url if "://" in url else f"https://{url}"
    look, candidate = (None, None) if no_check else _choose(app.config, url)
    spec = FeedSpec(
        url=look.url if look else url,
        outlet=outlet or (candidate and candidate.outlet) or (plain_line(look.title) if look else "") or _host(url),
        country=(country or (candidate and candidate.country) or "").upper(),
        language=(language or (look and look.language) or (candidate and candidate.language) or "").lower(),
        region=region,
        timezone=timezone,
        homepage=look.homepage if look else "",
        verified=look is not None,
    )
    check_feed(spec)
    with app.writer() as writer:
        feed_id = writer.add_feed(spec, now=utcnow())
    say(
        f"added feed {feed_id}: {spec.outlet}, country {spec.country or 'unknown'}, language {spec.language or 'unknown'}"
    )
    click.echo(spec.url)


def _choose(config: Config, url: str) -> tuple[Look, Any]:
    """The feed at `url`, or the only one its page names. Raises UsageError."""
    look, found = asyncio.run(discover(config, url))
    if look.entries or not look.page:
        if look.problem and not look.entries:
            raise UsageError(f"{url}: {look.problem}; --no-check adds it all the same")
        return look, None
    if not found:
        raise UsageError(f"{url}: {look.problem}; and no feed was found there; --no-check adds it all the same")
    if len(found) > 1:
        for one in found:
            say(_described(one))
        raise UsageError(f"{url} is a page that names {len(found)} feeds: add the one you want by its own address")
    say(f"{url} is a page; its feed: {_described(found[0])}")
    return found[0].look, found[0].candidate


def _described(found: Found) -> str:
    return f"  {found.look.url}  {plain_line(found.look.title)} ({found.look.entries} entries)"


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or url).removeprefix("www.")
    except ValueError:
        return url


@feeds.command()
@click.argument("url")
@pass_app
def remove(app: App, url: str) -> None:
    """Remove the feed at URL; its items stay. One that a file of the configuration names is removed there."""
    with app.writer() as writer:
        writer.remove_feed(url, now=utcnow())
    say(f"removed {url}; its items stay")


@feeds.command()
@click.argument("url")
@pass_app
def enable(app: App, url: str) -> None:
    """Poll the feed at URL again after `disable`."""
    with app.writer() as writer:
        writer.set_paused(url, False, now=utcnow())
    say(f"enabled {url}")


@feeds.command()
@click.argument("url")
@pass_app
def disable(app: App, url: str) -> None:
    """Stop polling the feed at URL; its items stay."""
    with app.writer() as writer:
        writer.set_paused(url, True, now=utcnow())
    say(f"disabled {url}")


@feeds.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--country", default="", metavar="CODE", help="Country of feeds that the file does not place.")
@click.option("--language", default="", metavar="TAG", help="Language of feeds for which the file names none.")
@pass_app
def import_(app: App, file: Path, country: str, language: str) -> None:
    """Add the feeds of an OPML FILE; those that are known already are left as they are."""
    try:
        root = ET.fromstring(file.read_bytes())  # noqa: S314 - a file of the user's own; expat bounds entity expansion
    except (ET.ParseError, LookupError, ValueError) as error:
        raise UsageError(f"{file}: not OPML: {error}") from None
    specs = list(_outlines(root, country.upper(), language.lower()))
    if not specs:
        raise UsageError(f"{file}: no outline with an xmlUrl in it")
    added = 0
    with app.writer() as writer:
        for spec in specs:
            try:
                check_feed(spec)
                writer.add_feed(spec, now=utcnow())
            except (ConfigError, UsageError) as error:
                say(f"left out: {error}")
            else:
                added += 1
    say(f"{added} of {len(specs)} feeds added")


def _outlines(root: ET.Element, country: str, language: str) -> Iterator[FeedSpec]:
    for outline in root.iter("outline"):
        url = (outline.get("xmlUrl") or "").strip()
        if url:
            yield FeedSpec(
                url=url,
                outlet=plain_line(outline.get("outlet") or outline.get("title") or outline.get("text") or _host(url))
                or _host(url),
                country=(outline.get("country") or country).upper(),
                language=(outline.get("language") or language).lower(),
                homepage=outline.get("htmlUrl") or "",
            )


@feeds.command("export")
@pass_app
def export_(app: App) -> None:
    """Print the feeds as OPML, a folder a country."""
    with app.reader() as reader:
        click.echo(reader.opml(), nl=False)


@feeds.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@json_option
@pass_app
def check(app: App, urls: tuple[str, ...], as_json: bool) -> None:
    """Fetch each URL (else every feed of the configuration) once and say what it is. Stores nothing.

    Exit status 1 when one of them is no feed.
    """
    logs.set_up(app.config.log)
    wanted = list(urls) or [spec.url for spec in load_feeds(app.config) if spec.enabled]
    looks = asyncio.run(_all(app.config, wanted))
    rows = [
        {
            "url": look.url, "ok": bool(look.entries), "status": look.status, "entries": look.entries,
            "newest": iso(look.newest) if look.newest else None, "title": look.title, "language": look.language,
            "problem": look.problem, "seconds": round(look.elapsed_s, 2),
        }
        for look in looks
    ]  # fmt: skip
    columns = [
        Column("status", "status", "right"),
        Column("entries", "entries", "right"),
        Column("newest", "newest (UTC)", style="dim"),
        Column("title", "title", narrow=True),
        Column("url", "url", wrap=True),
        Column("problem", "problem", style="red", wrap=True),
    ]
    print_rows(rows, columns, as_json=as_json, none="no feed to check")
    if not all(row["ok"] for row in rows):
        sys.exit(1)


async def _all(config: Config, urls: list[str]) -> list[Look]:
    return [look async for look in check_each(config, urls)]
