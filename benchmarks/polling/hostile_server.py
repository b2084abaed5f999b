"""A web server that is no pleasure to poll, and a few good feeds beside it.

    python benchmarks/polling/hostile_server.py [--period 20]

Listens on all addresses, prints its port, and serves `/good/N` and `/KIND/N` for each of KINDS. A good feed has a new item
every `--period` seconds.
"""

import argparse
import asyncio
import gzip
import os
import time
import zlib

import brotli
import zstandard

MB = 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
START = b'<?xml version="1.0" encoding="UTF-8"?>\n'
FEED = b"<rss version='2.0'><channel><title>T</title><link>http://x/</link>%s</channel></rss>"
ITEM = b"<item><title>%s</title><link>http://x/%d</link><description>%s</description></item>"


def whole(body, more=b""):
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def packed(coding, body):
    return whole(body, b"Content-Encoding: " + coding + b"\r\n")


def entity_bomb():
    levels = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    return START + b'<!DOCTYPE rss [<!ENTITY e0 "lol">' + levels + b"]>" + FEED % (ITEM % (b"&e9;", 1, b"&e9;"))


def external_entity():
    return START + b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + FEED % (ITEM % (b"&x;", 1, b"&x;"))


def many_entries():
    return START + FEED % b"".join(
        b"<item><title>Title %d</title><link>http://x/%d</link></item>" % (n, n) for n in range(120_000)
    )


def bodies():
    """Answers that arrive at once and hurt later."""
    zeros = bytes(100 * MB)
    yield "gzip-bomb", packed(b"gzip", gzip.compress(zeros) * 10)
    yield "deflate-bomb", packed(b"deflate", zlib.compress(zeros))
    yield "br-bomb", packed(b"br", brotli.compress(zeros, quality=1))
    yield "zstd-bomb", packed(b"zstd", zstandard.compress(zeros) * 10)
    yield "members", packed(b"gzip", gzip.compress(b"") * 400_000)
    yield "entity-bomb", whole(entity_bomb())
    yield "external-entity", whole(external_entity())
    yield "many-entries", whole(many_entries())
    yield "deep-xml", whole(START + b"<rss>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</rss>")
    divs = b"&lt;div&gt;" * 100_000
    yield "deep-html", whole(START + FEED % (ITEM % (b"t", 1, divs)))
    yield (
        "long-author",
        whole(START + FEED % (b"<item><title>t</title><author>" + b"(a" * 100_000 + b"</author></item>")),
    )
    yield "prolog-space", whole(b"<?xml version='1.0'" + b" " * 900_000 + b"?>" + FEED % b"")
    yield "undefined-encoding", whole(b'<?xml version="1.0" encoding="undefined"?>' + FEED % (ITEM % (b"t", 1, b"d")))
    yield "nine-megabytes", whole(START + FEED % (ITEM % (b"t", 1, b"&lt;p&gt;word &amp;amp; word " * 260_000)))
    yield "names-a-file", whole(b"/etc/passwd")
    yield "too-many-requests", b"HTTP/1.1 429 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    yield "loop", b"HTTP/1.1 301 Here\r\nLocation: ?\r\nContent-Length: 0\r\n\r\n"
    yield "noise", os.urandom(200_000)


async def stall(_writer):
    await asyncio.sleep(3600)


async def drip_head(writer):
    writer.write(HEAD)
    while True:
        writer.write(b"X-Slow: a\r\n")
        await writer.drain()
        await asyncio.sleep(0.5)


async def drip_body(writer):
    writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n" + START)
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.5)


async def flood(writer, head, piece):
    writer.write(head)
    while True:
        writer.write(piece)
        await writer.drain()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STREAMS = {
    "stall": stall,
    "drip-head": drip_head,
    "drip-body": drip_body,
    "endless-body": lambda w: flood(w, CHUNKED, b"8000\r\n" + bytes(0x8000) + b"\r\n"),
    "crumbs": lambda w: flood(w, CHUNKED, b"1;a=b\r\n \r\n" * 2000),
    "endless-header": lambda w: flood(w, HEAD, b"X-More: " + b"y" * 4000 + b"\r\n"),
    "interim": lambda w: flood(w, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
}
KINDS = (
    "gzip-bomb", "deflate-bomb", "br-bomb", "zstd-bomb", "members", "entity-bomb", "external-entity", "many-entries",
    "deep-xml", "deep-html", "long-author", "prolog-space", "undefined-encoding", "nine-megabytes", "names-a-file",
    "too-many-requests", "loop", "noise", *STREAMS,
)  # fmt: skip


def good(number, period):
    """A feed whose newest item is of the last period."""
    latest = int(time.time() / period)  # noqa: TID251 - a server has a clock
    items = b"".join(
        ITEM % (b"Good feed %d reports item %d" % (number, n), number * 10**9 + n, b"All is well, says report %d." % n)
        for n in range(latest, latest - 30, -1)
    )
    return whole(START + FEED % items)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--period", type=int, default=20)
    given = parser.parse_args()
    ready = dict(bodies())

    async def serve(reader, writer):
        try:
            while ask := await reader.readuntil(b"\r\n\r\n"):
                kind, _, number = ask.split(b" ")[1].decode().strip("/").partition("/")
                if kind == "good":
                    writer.write(good(int(number), given.period))
                elif kind in ready:
                    writer.write(ready[kind])
                else:
                    await STREAMS[kind](writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, KeyError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1000)  # noqa: S104 - every address of 127/8 is a host
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
