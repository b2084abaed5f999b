"""The sample feeds over real HTTP on loopback: conditional GET (RFC 9110, section 13), gzip, a host for each outlet."""

import errno
import gzip
import hashlib
import selectors
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from aggregator.demo.feeds import FILE_NAMES, render
from aggregator.demo.samples import SampleOutlet, load_outlets
from aggregator.models import FeedSpec

__all__ = ["DemoServer"]

_TRIES = 5  # a free port of one address may be taken on another


class DemoServer:
    """Serves every sample outlet's feed while the `with` block runs.

    Where the system lets a program bind any address of 127.0.0.0/8 (Linux), outlet number N is at 127.0.1.N, so that a
    poller sees as many hosts; elsewhere all are paths of 127.0.0.1. The port is the system's choice, one for all.
    `now` is the instant from which the items' ages count. `answers` collects (path, status) in order.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.answers: list[tuple[str, int]] = []
        self._after_min = 0
        self._outlets = {f"/{o.slug}/{FILE_NAMES[o.format]}": o for o in load_outlets()}
        self._listeners: list[_Listener] = []
        self._thread: Thread | None = None
        self._stop: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listeners = _bind([f"127.0.1.{n}" for n in range(1, len(self._outlets) + 1)], self._answer)
        self._stop, woken = socket.socketpair()
        self._thread = Thread(target=_serve, args=(self._listeners, woken), name="demo-server")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop and self._thread:
            self._stop.close()
            self._thread.join()
        for listener in self._listeners:
            listener.server_close()  # waits for the answers under way
        self._listeners = []

    def specs(self) -> list[FeedSpec]:
        """The catalogue of the sample feeds, as served now. Only inside the `with` block: before, there is no port."""
        return [
            FeedSpec(
                url=self._url(number, path),
                outlet=outlet.outlet,
                country=outlet.country,
                language=outlet.language,
                region=outlet.region,
                timezone=outlet.timezone,
                homepage=outlet.site,
                verified=True,
            )
            for number, (path, outlet) in enumerate(self._outlets.items())
        ]

    def publish(self, after_minutes: int) -> None:
        """From now on, serve what the outlets show so many minutes after the start: new items and edits."""
        self._after_min = after_minutes

    def _url(self, number: int, path: str) -> str:
        listener = self._listeners[number % len(self._listeners)]
        host, port = listener.server_address[:2]
        return f"http://{host!s}:{port}{path}"

    def _answer(self, request: "_Handler") -> None:
        path = request.path.partition("?")[0]
        outlet = self._outlets.get(path)
        if outlet is None:
            self.answers.append((path, HTTPStatus.NOT_FOUND))
            request.reply(HTTPStatus.NOT_FOUND, {"Content-Type": "text/plain; charset=utf-8"}, b"no such feed\n")
            return
        url = self._url(list(self._outlets).index(path), path)
        feed = render(outlet, self.now, self._after_min, url)
        headers = _validators(outlet, feed.body, feed.modified)
        if _unchanged(request, headers, feed.modified):
            self.answers.append((path, HTTPStatus.NOT_MODIFIED))
            request.reply(HTTPStatus.NOT_MODIFIED, headers, None)
            return
        headers |= {"Content-Type": feed.content_type, "Vary": "Accept-Encoding"}
        body = feed.body
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.answers.append((path, HTTPStatus.OK))
        request.reply(HTTPStatus.OK, headers, body)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request and closes: a poller comes back in half an hour."""

    protocol_version = "HTTP/1.1"
    server_version = "aggregator-demo"
    sys_version = ""
    timeout = 2  # seconds until a client that asks for nothing is hung up on; stopping may wait as long
    server: "_Listener"

    def do_GET(self) -> None:
        self.server.answer(self)

    def do_HEAD(self) -> None:
        self.server.answer(self)

    def reply(self, status: HTTPStatus, headers: dict[str, str], body: bytes | None) -> None:
        """Send one answer. `body` None: the answer has none (304)."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if body is not None and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's parameter
        """Say nothing on standard error: `DemoServer.answers` has it."""


class _Listener(ThreadingHTTPServer):
    """One listening address; each answer has a thread, which `server_close` waits for."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, answer: Callable[[_Handler], None]) -> None:
        self.answer = answer
        super().__init__((host, port), _Handler)
        self.socket.settimeout(1)  # a client that left between select and accept must not stop the loop

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's name, which may wait for a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _bind(hosts: list[str], answer: Callable[[_Handler], None]) -> list[_Listener]:
    """A listener for each of `hosts`, all on one port; a single one at 127.0.0.1 where there are no such addresses."""
    for _ in range(_TRIES):
        listeners: list[_Listener] = []
        try:
            for host in hosts:
                listeners.append(_Listener(host, listeners[0].server_port if listeners else 0, answer))
        except OSError as error:
            for listener in listeners:
                listener.server_close()
            if error.errno == errno.EADDRNOTAVAIL:
                break
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listeners
    return [_Listener("127.0.0.1", 0, answer)]


def _serve(listeners: list[_Listener], woken: socket.socket) -> None:
    """Accept on all listeners until the other end of `woken` is closed."""
    with selectors.DefaultSelector() as selector, woken:
        selector.register(woken, selectors.EVENT_READ)
        for listener in listeners:
            selector.register(listener, selectors.EVENT_READ, listener)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    return
                key.data.handle_request()


def _validators(outlet: SampleOutlet, body: bytes, modified: datetime) -> dict[str, str]:
    tag = f'"{hashlib.blake2s(body, digest_size=8).hexdigest()}"'
    date = format_datetime(modified, usegmt=True)
    match outlet.validators:
        case "etag":
            return {"ETag": tag}
        case "weak-etag":
            return {"ETag": f"W/{tag}"}
        case "date":
            return {"Last-Modified": date}
        case "both":
            return {"ETag": tag, "Last-Modified": date}


def _unchanged(request: _Handler, validators: dict[str, str], modified: datetime) -> bool:
    """Whether the client has it already. If-None-Match, when sent, decides alone (RFC 9110, section 13.1.3)."""
    known = request.headers.get("If-None-Match")
    if known is not None:
        tag = validators.get("ETag", "").removeprefix("W/")
        return bool(tag) and tag in {part.strip().removeprefix("W/") for part in known.split(",")}
    since = request.headers.get("If-Modified-Since")
    if since is None or "Last-Modified" not in validators:
        return False
    try:
        at = parsedate_to_datetime(since)
    except ValueError:
        return False
    return modified <= (at if at.tzinfo else at.replace(tzinfo=UTC))
