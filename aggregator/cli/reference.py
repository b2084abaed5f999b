"""docs/cli.md from the commands' own help: python -m aggregator.cli.reference [--check] [FILE]."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from aggregator.cli.main import cli

__all__ = ["main", "render"]

_INTRO = """\
# Commands

Exit status: 0 done; 1 failed, or something wants attention; 2 wrong command line or configuration; 3 no such item, story or
feed; 4 the database cannot be used; 5 another daemon is using it; 6 it is damaged. On a terminal lists are tables; in a pipe
they are tab-separated lines; `--json` prints JSON. What is for people only goes to standard error.

This page is made from the commands themselves: `python -m aggregator.cli.reference`.
"""


def render() -> str:
    """The text of docs/cli.md."""
    root = click.Context(cli, info_name="aggregator")
    parts = [_INTRO, "## Options before the command\n\n" + _options(root)]
    parts += [_section(context) for context in _commands(root)]
    return "\n".join(parts)


def _commands(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in sorted(group.commands):
            inner = click.Context(group.commands[name], info_name=name, parent=context)
            if isinstance(inner.command, click.Group):
                yield from _commands(inner)
            else:
                yield inner


def _section(context: click.Context) -> str:
    usage = context.command.get_usage(context).removeprefix("Usage: ")
    text = inspect.cleandoc((context.command.help or "").split("\f")[0])
    options = _options(context)
    return f"## {context.command_path}\n\n    {' '.join(usage.split())}\n\n{text}\n" + (
        f"\n{options}" if options else ""
    )


def _options(context: click.Context) -> str:
    lines = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and "--help" not in record[0]:
            lines.append(f"- `{record[0]}`: {' '.join(record[1].split())}\n")
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with --check only say whether it is what it should be: the exit status is 1 when not."""
    given = sys.argv[1:] if arguments is None else arguments
    named = [Path(a) for a in given if not a.startswith("-")]
    path = named[0] if named else Path("docs/cli.md")
    text = render()
    if "--check" in given:
        return int((path.read_text(encoding="utf-8") if path.exists() else "") != text)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
