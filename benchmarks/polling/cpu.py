"""Processor time of a request, with many hosts: this project's Fetcher beside one httpx.AsyncClient.

    python benchmarks/polling/cpu.py [--hosts 1000] [--rounds 3] [--certificate C --key K]

The server is a process of its own on 127.0.0.1, and every host an address of 127.0.0.0/8. Each host is asked once a round,
64 at a time. With a certificate for "*.feeds.test" and its key the same is done over TLS.
"""

import argparse
import asyncio
import ssl
import subprocess
import sys
import time

import httpx

from aggregator.config import Fetching
from aggregator.models import Fetched, FetchRequest, NotModified
from aggregator.polling.fetch import Fetcher

BODY = b"<rss><channel>" + b"<item><title>An item of some length</title></item>" * 400 + b"</channel></rss>"

SERVER = """
import asyncio, ssl, sys
body = bytes.fromhex(sys.stdin.readline())
context = None
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/rss+xml\\r\\nETag: \\"1\\"\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
async def serve(reader, writer):
    try:
        while ask := await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(b"HTTP/1.1 304 Not Modified\\r\\nETag: \\"1\\"\\r\\n\\r\\n" if b"If-None-Match" in ask else head + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1000, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def address(number):
    return f"127.{1 + number // 60_000}.{number // 250 % 240}.{1 + number % 250}"


async def spend(ask, urls, rounds):
    """Milliseconds of processor time a request, in each round."""
    places = asyncio.Semaphore(64)

    async def one(url):
        async with places:
            await ask(url)

    spent = []
    for _ in range(rounds):
        began = time.process_time()
        await asyncio.gather(*(one(url) for url in urls))
        spent.append(1000 * (time.process_time() - began) / len(urls))
    return spent


async def measure(name, urls, rounds, *, context, etag, tls, alone):
    async def local(host, _port):
        number = int(host[1:].partition(".")[0])
        return [address(number)]

    settings = Fetching(allow_networks=("127.0.0.0/8",), total_timeout_s=120.0, connect_timeout_s=60.0)
    more = {"resolver": local} if tls else {}
    async with Fetcher(settings, version="0", ssl_context=context, **more) as fetcher:

        async def ours(url):
            result = await fetcher.fetch(FetchRequest(url, etag))
            if not isinstance(result, NotModified if etag else Fetched):
                raise TypeError(result)

        show(f"{name}, Fetcher", await spend(ours, urls, rounds))
    if tls or alone:
        return
    limits = httpx.Limits(max_connections=64 if tls else 2000, max_keepalive_connections=1000, keepalive_expiry=60)
    async with httpx.AsyncClient(verify=context, limits=limits, timeout=60) as client:

        async def theirs(url):
            answer = await client.get(url, headers={"If-None-Match": etag} if etag else {})
            if answer.status_code != (304 if etag else 200):
                raise ValueError(answer)

        show(f"{name}, one httpx.AsyncClient that keeps 1,000 connections", await spend(theirs, urls, rounds))


def show(name, spent):
    print(f"| {name} | " + " | ".join(f"{ms:.2f}" for ms in spent) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--alone", action="store_true", help="leave httpx's own client out, which takes minutes")
    given = parser.parse_args()
    print("| ms of CPU a request | " + " | ".join(f"round {n + 1}" for n in range(given.rounds)) + " |")
    print("|---" * (given.rounds + 1) + "|")
    for tls in (False, True) if given.certificate else (False,):
        command = [sys.executable, "-c", SERVER, *([given.certificate, given.key] if tls else [])]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            server.stdin.write(BODY.hex() + "\n")
            server.stdin.flush()
            port = int(server.stdout.readline())
            context = ssl.create_default_context(cafile=given.certificate) if tls else ssl.create_default_context()
            hosts = [f"h{n}.feeds.test" if tls else address(n) for n in range(given.hosts)]
            urls = [f"http{'s' if tls else ''}://{host}:{port}/feed" for host in hosts]
            for name, etag in (("200 of 20 kB", None), ("304", '"1"')):
                title = f"{name}{' over TLS' if tls else ''}"
                asyncio.run(measure(title, urls, given.rounds, context=context, etag=etag, tls=tls, alone=given.alone))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
