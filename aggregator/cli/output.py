"""What commands print: rich on a terminal, plain text in a pipe, JSON when asked for."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aggregator.cleaning import plain_line

__all__ = ["Column", "console", "json_option", "print_json", "print_rows", "say"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the row's key, the heading, and how it stands on a terminal."""

    key: str
    heading: str
    justify: Literal["left", "right"] = "left"
    style: str = ""
    wrap: bool = False
    narrow: bool = False  # may be cut short on a terminal; a pipe always gets all of it


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def console() -> Console:
    """A console on standard output as it is now."""
    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)


def print_json(value: Any) -> None:
    """One JSON document, for people and programs alike."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool, none: str) -> None:
    """Rows as a table on a terminal, as lines of tab-separated values in a pipe, as a JSON array when asked for.

    `none` is what a person reads, on standard error, when there are no rows.
    """
    rows = list(rows)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo(none, err=True)
    elif not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(_cell(row.get(column.key)) for column in columns))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(
                column.heading,
                justify=column.justify,
                style=column.style,
                no_wrap=not column.wrap,
                overflow="ellipsis" if column.narrow else "fold",
            )
        for row in rows:
            table.add_row(*(Text(_cell(row.get(column.key))) for column in columns))
        console().print(table)


def say(text: str) -> None:
    """A line for the person at the terminal: to standard error, so that a pipe gets only data."""
    click.echo(text, err=True)


def _cell(value: Any) -> str:
    return "" if value is None else plain_line(str(value))
