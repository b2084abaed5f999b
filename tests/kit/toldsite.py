"""A real server on a real socket, told by each test what to answer, and remembering what it was asked."""

import asyncio
import ssl
from dataclasses import dataclass, field

__all__ = ["Asked", "Site", "answer_of", "feed_of"]


@dataclass
class Asked:
    """One request as it came in: its target and its header fields, in bytes."""

    target: str
    fields: list[tuple[bytes, bytes]]

    def values(self, name):
        """All values of the field `name`."""
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def value(self, name):
        """The only value of the field `name`; None when there is none."""
        found = self.values(name)
        assert len(found) < 2
        return found[0] if found else None


@dataclass
class Site:
    """An HTTP/1.1 server. `answers` maps a target to bytes, or to a coroutine function of (asked, writer)."""

    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    address: str = "127.0.0.1"
    context: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0

    async def __aenter__(self):
        self.tasks = set()
        self.server = await asyncio.start_server(self._serve, self.address, self.port, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def url(self, target="/feed", host=None):
        """A URL of this server."""
        return f"{'https' if self.context else 'http'}://{host or self.address}:{self.port}{target}"

    async def _serve(self, reader, writer):
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head[:-4].split(b"\r\n")
                fields = [tuple(part.strip(b" ") for part in line.split(b":", 1)) for line in lines]
                asked = Asked(first.split(b" ")[1].decode(), fields)
                self.asked.append(asked)
                answer = self.answers.get(asked.target, answer_of(404))
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                elif await answer(asked, writer) == "close":
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self.tasks.discard(asyncio.current_task())
            writer.close()


def answer_of(status=200, body=b"", **fields):
    """A whole answer; a field's name is written with _ for -."""
    lines = [b"HTTP/1.1 %d Whatever" % status]
    fields.setdefault("content_length", str(len(body)))
    for name, value in fields.items():
        if value is not None:
            raw = value if isinstance(value, bytes) else value.encode("latin-1")
            lines.append(name.replace("_", "-").encode() + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def feed_of(*titles, head="", date="Wed, 25 Feb 2026 06:23:00 GMT"):
    """An RSS feed with an item for each title."""
    items = "".join(
        f"<item><title>{title}</title><link>https://paper.example/{title.replace(' ', '-')}</link>"
        f"<guid isPermaLink='false'>{title}</guid><pubDate>{date}</pubDate><description>About {title}.</description></item>"
        for title in titles
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">'
        f"<channel><title>Paper</title><link>https://paper.example/</link>{head}{items}</channel></rss>"
    ).encode()
