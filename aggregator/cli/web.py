"""aggregator web: the pages, for people with a browser."""

import logging
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from aggregator.cli.app import App, pass_app
from aggregator.cli.output import say
from aggregator.config import shipped_config_dir
from aggregator.errors import UsageError
from aggregator.service.clock import utcnow

__all__ = ["web"]

_METADATA = "datasette.yaml"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the front page in the browser.")
@pass_app
def web(app: App, host: str, port: int, open_browser: bool) -> None:
    """Serve the pages: top stories, stories, items, search, feeds, and all tables through Datasette.

    Read-only, beside a daemon that runs or without one. Nobody is asked who they are: on another address than this
    machine's own, put it behind a web server that does.
    """
    try:
        from aggregator.web.server import WebServer, make_app  # noqa: PLC0415 - an optional part
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("aggregator"):
            raise
        raise UsageError(
            "the pages need Datasette, which is not installed: pip install 'aggregator[web]', or `make run`"
        ) from error
    logging.basicConfig(format="%(levelname)s: %(message)s")
    server = WebServer(make_app(app.database, _metadata(app.config_path), utcnow, host), host, port)
    say(f"the pages of {app.database} are at {server.url} (Ctrl+C stops)")
    if open_browser:
        webbrowser.open(server.url)
    with suppress(KeyboardInterrupt):  # the server may have taken the signal itself, and returned
        server.run()
    say("stopped")


def _metadata(config: Path | None) -> Path:
    """`datasette.yaml` beside the configuration in use, else the one that comes with the program."""
    beside = config.parent / _METADATA if config else None
    return beside if beside and beside.is_file() else shipped_config_dir() / _METADATA
