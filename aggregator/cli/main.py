"""`aggregator`: the command line."""

import os
import signal
import sys
from typing import NoReturn

import click

from aggregator import __version__
from aggregator.cli import demo, evaluate, export, feeds, operate, read, run, status, web
from aggregator.cli.app import App
from aggregator.errors import AggregatorError

__all__ = ["cli", "main"]

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="aggregator")
@click.option(
    "--config", "config_path", metavar="FILE", help="Configuration; else $AGGREGATOR_CONFIG, ./config, /etc/aggregator."
)
@click.option("--database", metavar="FILE", help="The SQLite file; else as the configuration says.")
@click.pass_context
def cli(context: click.Context, config_path: str | None, database: str | None) -> None:
    """Poll regional news feeds all over the world and group what they tell of one event into stories.

    Everything is kept in one SQLite file, which you may query at any time.

    \b
    Exit status: 0 done; 1 failed; 2 wrong command line or configuration; 3 no such item, story or feed;
    4 the database cannot be used; 5 another daemon is using it; 6 it is damaged.
    """  # noqa: D301 - \b is click's mark for "leave these lines as they are"
    context.obj = App(config_path, database)


for command in (
    run.run, run.poll, read.stories, read.show, read.search, feeds.feeds, status.health, status.status, operate.backup, operate.restore,
    operate.snapshot, operate.maintain, export.export, operate.check_config, evaluate.evaluate, demo.demo, web.web,
):  # fmt: skip
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line; a mistake of the user's gives one line on standard error and an exit status, no traceback."""
    try:
        status = cli.main(standalone_mode=False)
    except AggregatorError as error:
        click.echo(f"aggregator: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader of the pipe has gone, as with `| head`. Die of it as other commands do, and say nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
        sys.exit(1)
    except OSError as error:  # a full disk under a redirected output, a folder that may not be written
        click.echo(f"aggregator: {error}", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
