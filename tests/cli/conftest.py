import io
import json
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest

from aggregator.cli.main import main
from aggregator.demo.server import DemoServer
from aggregator.feedfiles import toml_of_feeds
from aggregator.service.clock import utcnow

CONFIG = """\
feeds = ["feeds.toml"]
[database]
path = "{folder}/news.db"
[fetching]
allow_networks = ["127.0.0.0/8"]
host_spacing_s = 0.0
[embedding]
backend = "off"
"""


def _aggregator(*arguments, config=None):
    """Run the command line as `main` does, in this process: exit status, standard output, standard error."""
    options = ["--config", str(config)] if config else []
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    argv, handlers, status = sys.argv, logging.getLogger().handlers[:], 0
    sys.argv = ["aggregator", *options, *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as exit_:
        status = exit_.code or 0
    finally:
        sys.argv = argv
        logging.getLogger().handlers[:] = handlers
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return SimpleNamespace(returncode=status, stdout=texts[0], stderr=texts[1])


@pytest.fixture(scope="session")
def news(tmp_path_factory):
    """A database filled by `aggregator poll` from the sample feeds, which stay up; `run(...)` runs a command on it."""
    folder = tmp_path_factory.mktemp("news")
    config = folder / "aggregator.toml"
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    with DemoServer(utcnow()) as server:
        (folder / "feeds.toml").write_text(toml_of_feeds(server.specs()), encoding="utf-8")
        polled = _aggregator("poll", "--json", config=config)
        assert polled.returncode == 0, polled.stderr

        def run(*arguments, **kwargs):
            return _aggregator(*arguments, config=config, **kwargs)

        def load(*arguments):
            done = run(*arguments, "--json")
            return json.loads(done.stdout)

        yield SimpleNamespace(
            folder=folder, config=config, run=run, load=load, polled=json.loads(polled.stdout), server=server
        )


@pytest.fixture(scope="session")
def aggregator():
    """Runs the real command; see `_aggregator`."""
    return _aggregator
