"""A small news site over real HTTP on loopback: feeds and article pages, path by path."""

import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["Site"]


class Site:
    """A news site on an address of its own. `answers` maps paths to (status, headers, body)."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.answers: dict[str, tuple[int, dict[str, str], str]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                site.seen.append((self.path, dict(self.headers)))
                status, headers, body = site.answers.get(self.path, (404, {}, ""))
                raw = body.encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": "text/html; charset=utf-8",
                    "Content-Length": str(len(raw)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{address}:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def article(self, path: str, *paragraphs: str, title: str = "Ferry aground near Arvala", head: str = "") -> None:
        """An article's page."""
        text = "".join(f"<p>{p}</p>" for p in paragraphs)
        body = (
            f'<!doctype html><html><head><title>{title}</title><meta property="og:image" content="/f.jpg">{head}</head>'
            f'<body><nav><a href="/">Home</a></nav><article><h1>{title}</h1>{text}</article></body></html>'
        )
        self.answers[path] = (200, {}, body)

    def feed(self, path: str, items: list[tuple[str, str, str]]) -> None:
        """An RSS feed of (title, description, link) items."""
        entries = "".join(
            f"<item><title>{escape(title)}</title><description>{escape(text)}</description><link>{escape(link)}</link></item>"
            for title, text, link in items
        )
        body = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Feed</title>{entries}</channel></rss>"
        self.answers[path] = (200, {"Content-Type": "application/rss+xml"}, body)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.seen]
