"""Commands for the one who runs it: health, backup, restore, snapshot, maintain, check-config."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from aggregator.cleaning import plain_line
from aggregator.cli.app import App, pass_app
from aggregator.cli.output import Column, json_option, print_json, print_rows, say
from aggregator.config import load_feeds
from aggregator.errors import ConfigError
from aggregator.service.clock import utcnow
from aggregator.store import backups, maintenance

__all__ = ["backup", "check_config", "health", "maintain", "restore", "snapshot"]

_LATE_S = 900  # a feed that is due for longer: the daemon is behind or not running


@click.command()
@json_option
@pass_app
def health(app: App, as_json: bool) -> None:
    """Say on one screen whether the daemon does its work. Exit status 1 when something wants a person's attention."""
    now = utcnow()
    with app.reader() as reader:
        found = reader.health(now)
    found["database"] = str(app.database)
    newest = _newest_backup(app)
    found["newest_backup"] = str(newest) if newest else None
    found["problems"] = _problems(found)
    if as_json:
        print_json(found)
    else:
        _print_health(found)
    if found["problems"]:
        sys.exit(1)


def _problems(found: dict[str, Any]) -> list[str]:
    problems = []
    if not found["counts"]["feeds"]:
        problems.append("no feed is configured")
    elif found["late_s"] > _LATE_S:
        problems.append(f"a feed has been due for {timedelta(seconds=found['late_s'])}: is the daemon running?")
    states = found["feeds_by_state"]
    active = sum(count for state, count in states.items() if state != "off")
    troubled = states.get("failing", 0) + states.get("blocked", 0)
    if active and troubled * 2 > active:
        problems.append(f"{troubled} of {active} feeds fail")
    return problems


def _newest_backup(app: App) -> Path | None:
    directory = app.config.backup.directory
    folder = Path(directory) if directory else backups.backup_directory(app.database)
    return max(folder.glob("*-*T*Z.db"), default=None, key=lambda path: path.name)


def _print_health(found: dict[str, Any]) -> None:
    counts = found["counts"]
    states = ", ".join(f"{count} {state}" for state, count in found["feeds_by_state"].items())
    lines = [
        ("database", found["database"]),
        ("feeds", f"{counts['feeds']} ({states})" if states else "0"),
        ("items", f"{counts['items']}, of the last 24 h {counts['items_24h']}"),
        ("stories", f"{counts['stories']}, of several outlets {counts['shared_stories']}"),
        ("behind", f"{found['late_s']} s; {found['waiting_for_a_story']} items wait to be grouped"),
        ("backup", found["newest_backup"] or "none yet"),
    ]
    for name, value in lines:
        click.echo(f"{name:10}{value}")
    if found["newest"]:
        click.echo("newest")
        for row in found["newest"]:
            click.echo(f"  {row['label']} {row['flag']} {row['outlet']}: {plain_line(row['title'])}")
    if found["troubled"]:
        click.echo("feeds that want a look")
        columns = [
            Column("state", "state"), Column("outlet", "outlet", narrow=True), Column("failures", "failures", "right"),
            Column("url", "url", wrap=True), Column("last_error", "last error", wrap=True),
        ]  # fmt: skip
        print_rows(found["troubled"], columns, as_json=False, none="")
    for problem in found["problems"]:
        click.echo(click.style(f"PROBLEM   {problem}", fg="red"))


@click.command("check-config")
@json_option
@pass_app
def check_config(app: App, as_json: bool) -> None:
    """Read the configuration and the catalogue and say what is in them. Exit status 2 when something is wrong."""
    if app.config_path is None:
        raise ConfigError(
            "no configuration: none at $AGGREGATOR_CONFIG, ./config/aggregator.toml, /etc/aggregator/aggregator.toml"
        )
    specs = load_feeds(app.config)
    if not specs:
        say(f"warning: {app.config_path}: `feeds` names no file with a feed in it")
    facts = {
        "configuration": str(app.config_path),
        "database": str(app.database),
        "feeds": len(specs),
        "enabled": sum(spec.enabled for spec in specs),
        "countries": len({spec.country for spec in specs if spec.country}),
        "languages": len({spec.language for spec in specs if spec.language}),
    }
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            click.echo(f"{name:14}{value}")
        click.echo("all is well")


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@pass_app
def backup(app: App, file: Path | None) -> None:
    """Copy the database to FILE, safe while the daemon runs, and verify the copy.

    Without FILE the copy goes where the scheduled ones go, under the same rotation.
    """
    settings = app.config.backup
    if file is None:
        directory = Path(settings.directory) if settings.directory else backups.backup_directory(app.database)
        made = backups.backup(app.database, directory, settings.keep, now=utcnow())
    else:
        made = backups.backup_to(app.database, file)
    click.echo(str(made))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@pass_app
def restore(app: App, file: Path) -> None:
    """Put the backup FILE in the place of the database. Refused while a daemon runs; the old file is kept beside it."""
    aside = backups.restore(file, app.database)
    say(f"restored {app.database} from {file}" + (f"; what was there is now {aside}" if aside else ""))


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@pass_app
def snapshot(app: App, path: Path) -> None:
    """Publish a consistent copy at PATH that stands alone, replaced in one step: for rsync, NFS, web servers."""
    backups.snapshot(app.database, path)
    click.echo(str(path))


@click.command()
@pass_app
def maintain(app: App) -> None:
    """Apply the retention settings and give free space back now; the daemon does so by itself."""
    with app.writer() as writer:
        done = maintenance.maintain(writer, app.config.retention, now=utcnow())
    click.echo(str(done))
