"""Commands that say how it is: health, for monitoring; status, to look on."""

import sys
import time
from datetime import datetime, timedelta
from typing import Any, Literal

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aggregator.cleaning import plain_line
from aggregator.cli.app import App, pass_app
from aggregator.cli.output import Column, console, json_option, print_json, print_rows
from aggregator.models import parse_iso
from aggregator.service.clock import utcnow
from aggregator.service.vitals import problems, vitals
from aggregator.store.reader import Reader
from aggregator.store.watch import conditions

__all__ = ["health", "status"]

_MOST_SHOWN = 20


@click.command()
@json_option
@pass_app
def health(app: App, as_json: bool) -> None:
    """Say on one screen whether the daemon does its work, and which feeds want a look.

    Exit status 1 when something is wrong with the program itself: there is no network, it is
    behind (as when it does not run), most feeds fail, the disk is nearly full, copies are old. For monitoring: `aggregator health --json`.
    """
    now = utcnow()
    with app.reader() as reader:
        found = vitals(reader, app.config, now)
        found |= {"newest": _newest(reader), "counts": reader.counts(now)}
        found["feeds_that_want_a_look"] = [
            {"alert": c.alert, "message": c.message, "url": c.url}
            for c in conditions(reader, now, dead_days=app.config.alerts.dead_days)
        ]
    found["database"] = str(app.database)
    found["problems"] = [sentence for _, sentence in problems(found, app.config)]
    if as_json:
        print_json(found)
    else:
        for name, value in _lines(found, now):
            click.echo(f"{name:10}{value}")
        _print_feeds(found)
    if found["problems"]:
        sys.exit(1)


@click.command()
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@pass_app
def status(app: App, watch: bool) -> None:
    """Show what the daemon does: its figures and the last polls."""
    # A pipe has no width: wide enough for most lines.
    out = console() if sys.stdout.isatty() else Console(file=sys.stdout, highlight=False, emoji=False, width=160)
    with app.reader() as reader:
        if not watch:
            out.print(_screen(app, reader))
            return
        with Live(_screen(app, reader), console=out, screen=sys.stdout.isatty(), auto_refresh=False) as live:
            while True:
                time.sleep(2)
                live.update(_screen(app, reader), refresh=True)


def _lines(found: dict[str, Any], now: datetime) -> list[tuple[str, str]]:
    """The screen, line by line."""
    hour, newest, counts = found["last_hour"], found["newest_500"], found["counts"]
    states = ", ".join(f"{count} {state}" for state, count in found["feeds_by_state"].items())
    why = ", ".join(f"{count} {reason}" for reason, count in found["failures_last_hour"].items())
    copy = f"{found['backup_age_h']:.0f} h old: {found['newest_backup']}" if found["newest_backup"] else "none yet"
    model = newest["model"] or "none: stories by words alone"
    lines = [
        ("daemon", f"process {found['daemon_pid']}" if found["daemon_pid"] else "none runs"),
        ("feeds", f"{found['feeds']} ({states}), {found['stale_feeds']} stale" if states else "0"),
        ("polls", f"{hour['polls']} in the last hour, {hour['failed']} failed" + (f" ({why})" if why else "")
                  + f", {hour['mean_s']:.2f} s each; the last {_ago(found['newest_poll_at'], now)}"),
        ("behind", f"{timedelta(seconds=found['late_s'])}" if found["late_s"] else "no"),
        ("items", f"{counts['items']}, of the last 24 h {counts['items_24h']}; {hour['new_items']} new in the last hour, the last {_ago(found['newest_item_at'], now)}"),
        ("stories", f"{counts['stories']}, of several outlets {counts['shared_stories']}"),
        ("queues", f"{found['waiting_for_a_story']} items wait for a story, {found['waiting_for_texts']} texts are to be made"),
        ("embedder", f"{model}; {newest['vectors']} of the newest {newest['items']} items have vectors"),
        ("disk", f"database {found['database_mb']} MB, log {found['log_mb']} MB, {found['disk_free_mb']} MB free ({found['disk_used_percent']} % used)"),
        ("backup", copy),
    ]  # fmt: skip
    return [(name, plain_line(value)) for name, value in lines]


def _print_feeds(found: dict[str, Any]) -> None:
    if found["newest"]:
        click.echo("newest")
        for row in found["newest"]:
            click.echo(plain_line(f"  {row['label']} {row['flag']} {row['outlet']}: {row['title']}"))
    looks = found["feeds_that_want_a_look"]
    if looks:
        click.echo("feeds that want a look")
        columns = [Column("alert", "what"), Column("message", "why", wrap=True), Column("url", "url", wrap=True)]
        print_rows(looks[:_MOST_SHOWN], columns, as_json=False, none="")
        if len(looks) > _MOST_SHOWN:
            click.echo(f"… and {len(looks) - _MOST_SHOWN} more: --json shows all")
    for problem in found["problems"]:
        click.echo(click.style(f"PROBLEM   {problem}", fg="red"))


def _newest(reader: Reader) -> list[dict[str, Any]]:
    return reader.query("SELECT label, flag, outlet, title FROM coverage ORDER BY item_id DESC LIMIT 3")


def _screen(app: App, reader: Reader) -> Group:
    """Figures, and the last polls below."""
    now = utcnow()
    found = vitals(reader, app.config, now) | {"counts": reader.counts(now)}
    figures = Table.grid(padding=(0, 2))
    for name, value in _lines(found, now):
        figures.add_row(Text(name, "bold"), Text(value))
    for _, sentence in problems(found, app.config):
        figures.add_row(Text("PROBLEM", "bold red"), Text(sentence, "red"))
    polls = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading, least in (
        ("at", 8),
        ("outlet", 16),
        ("outcome", 12),
        ("new", 3),
        ("seconds", 7),
        ("next", 8),
        ("why then", 10),
    ):
        justify: Literal["left", "right"] = "right" if heading in ("new", "seconds") else "left"
        polls.add_column(heading, justify=justify, min_width=least, no_wrap=True, overflow="ellipsis")
    for row in reader.query("SELECT * FROM polls_recent ORDER BY poll_id DESC LIMIT 12"):
        cells = (
            row["started_at"][11:19], f"{row['flag']} {row['outlet']}", row["reason"] or row["outcome"], row["new_items"],
            f"{row['elapsed_ms'] / 1000:.2f}", row["next_poll_at"][11:19], row["why"],
        )  # fmt: skip
        polls.add_row(*(Text(plain_line(str(cell))) for cell in cells))
    return Group(figures, Text(""), polls)


def _ago(at: str | None, now: datetime) -> str:
    if at is None:
        return "never"
    return f"{timedelta(seconds=max(0, int((now - parse_iso(at)).total_seconds())))} ago"
