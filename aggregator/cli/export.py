"""aggregator export: items and stories for other programs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

import click

from aggregator.cli.app import App, Duration, pass_app
from aggregator.cli.output import say
from aggregator.errors import UsageError
from aggregator.service.clock import utcnow
from aggregator.store.export import FORMATS, export_items, export_stories

__all__ = ["export"]


@click.command()
@click.argument("what", type=click.Choice(["items", "stories"]))
@click.option("--format", "form", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="The form.")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file, replaced in one step; else standard output.",
)
@click.option("--since", type=Duration(), default="7d", show_default=True, help="Only what is newer: 24h, 7d.")
@click.option("--country", metavar="CODE", help="Only of, or told in, this country: LV.")
@click.option("--language", metavar="TAG", help="Only of, or told in, this language: lv.")
@click.option(
    "--min-outlets",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    help="Stories of at least so many outlets.",
)
@pass_app
def export(
    app: App,
    what: str,
    form: str,
    output: Path | None,
    since: timedelta,
    country: str | None,
    language: str | None,
    min_outlets: int,
) -> None:
    """Write items or stories for other programs: jsonl, csv, parquet; stories also as a feed: atom, jsonfeed.

    A feed of stories lets any feed reader follow them: `--country`, `--language` and `--min-outlets` choose which.
    """
    if output is None and form == "parquet" and sys.stdout.isatty():
        raise UsageError("parquet is not for a terminal: give --output FILE")
    after = utcnow() - since
    with app.reader() as reader, _target(output) as out:
        if what == "items":
            count = export_items(reader, form, out, since=after, country=country, language=language)
        else:
            count = export_stories(
                reader, form, out, since=after, country=country, language=language, min_outlets=min_outlets
            )
    say(f"{count} {what} written" + (f" to {output}" if output else ""))


@contextmanager
def _target(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that takes `output`'s place when all of it is written."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(output)
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
