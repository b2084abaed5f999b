"""The web server on its socket."""

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvicorn
from datasette.plugins import pm

from aggregator.errors import UsageError
from aggregator.store.reader import open_reader
from aggregator.web import hooks
from aggregator.web.guard import Guard
from aggregator.web.site import Site, load_metadata

__all__ = ["WebServer", "make_app"]

_DATASETTES_OWN = (
    "datasette.handle_exception"  # it prints every local variable of every error, a page not found included
)


def make_app(path: Path, metadata: Path, clock: Callable[[], datetime], host: str) -> Guard:
    """The site as an ASGI application. Raises StoreError, ConfigError."""
    open_reader(path).close()  # a file that cannot be read is told now, not on every page
    site = Site(path, clock, load_metadata(metadata))
    if not pm.is_registered(hooks):
        pm.register(hooks)
        pm.unregister(name=_DATASETTES_OWN)
    return Guard(site.app(), names=[host], policy=hooks.site_policy(site))


@dataclass
class WebServer:
    """Listens from the moment it is made."""

    app: Guard
    host: str
    port: int

    def __post_init__(self) -> None:
        """Raises UsageError when the address cannot be had."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, proto=socket.IPPROTO_TCP)[0]
            # With the protocol named, asyncio turns Nagle's algorithm off; without, every answer waits 40 ms for it.
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
            self._socket.listen(100)
        except OSError as error:  # a name that is unknown included
            raise UsageError(
                f"cannot listen on {self.host} port {self.port}: {error.strerror}; choose another with --host or --port"
            ) from error
        self.port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """Where the front page is."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # noqa: S104 - not bound here
            self.host, f"[{self.host}]" if ":" in self.host else self.host
        )
        return f"http://{host}:{self.port}/"

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        config = uvicorn.Config(
            self.app,
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        with closing(self._socket):
            uvicorn.Server(config).run(sockets=[self._socket])
