"""Commands for the one who runs it: backup, restore, snapshot, maintain, check-config."""

from pathlib import Path

import click

from aggregator.cli.app import App, pass_app
from aggregator.cli.output import json_option, print_json, say
from aggregator.enrich import open_judge, open_maker
from aggregator.errors import ConfigError
from aggregator.feedfiles import load_feeds
from aggregator.service.clock import utcnow
from aggregator.store import backups, maintenance

__all__ = ["backup", "check_config", "maintain", "restore", "snapshot"]


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
    try:
        open_maker(app.config.translation)
        open_judge(app.config.judge)
    except ConfigError as error:
        raise ConfigError(f"{app.config_path}: {error}") from None
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
@click.option("--reindex", is_flag=True, help="Build the full-text indexes anew; minutes for a million items.")
@pass_app
def maintain(app: App, reindex: bool) -> None:
    """Apply the retention settings and give free space back now; the daemon does so by itself."""
    with app.writer() as writer:
        if reindex:
            click.echo(f"{maintenance.reindex(writer)} items indexed anew")
        while True:
            done = maintenance.maintain(writer, app.config.retention, now=utcnow())
            click.echo(str(done))
            if not done.more:
                break
