import asyncio

import h2.config
import h2.connection
import h2.events
import pytest

from aggregator.models import FailureReason, Fetched, FetchRequest, NotModified
from aggregator.polling.fetch import Fetcher


async def local(host, port):
    """Every name is this machine."""
    return ["127.0.0.1"]


async def http2(reader, writer, answer, seen):
    """An HTTP/2 server's side of one connection: `answer` is called with the connection and an event for each request."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    try:
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    seen.append(event.headers)
                    await answer(connection, event.stream_id, writer)
            writer.write(connection.data_to_send())
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        return
    finally:
        writer.close()


def ask_http2(kit, answer, requests=1):
    """What a fetcher makes of an HTTP/2 server, and the requests that came in."""
    seen = []

    async def go():
        async def serve(reader, writer):
            await http2(reader, writer, answer, seen)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=kit.server_context("h2", "http/1.1"))
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            Fetcher(
                kit.settings(total_timeout_s=3.0), version="1", ssl_context=kit.client_context(), resolver=local
            ) as fetcher,
        ):
            url = f"https://paper.feeds.test:{port}/feed"
            return [await fetcher.fetch(FetchRequest(url, '"\xe4"')) for _ in range(requests)]

    return asyncio.run(go()), seen


def test_http_2_is_spoken(kit):
    """A server that offers HTTP/2 is asked by it, validators byte for byte, over one connection."""

    async def answer(connection, stream, writer):
        status = "200" if stream == 1 else "304"
        connection.send_headers(stream, [(":status", status), ("etag", '"b"')], end_stream=status == "304")
        if status == "200":
            connection.send_data(stream, b"<rss/>", end_stream=True)

    results, seen = ask_http2(kit, answer, requests=2)
    assert isinstance(results[0], Fetched)
    assert results[0].body == b"<rss/>"
    assert isinstance(results[1], NotModified)
    fields = dict(seen[0])
    assert fields[b"if-none-match"] == b'"\xe4"'
    assert fields[b":authority"].startswith(b"paper.feeds.test:")


def test_rule_13_an_http_2_body_cut_short_is_a_failure(kit):
    """Rule 13: a stream that is reset, or brings less than it announced, is no short feed."""

    async def reset(connection, stream, writer):
        connection.send_headers(stream, [(":status", "200")])
        connection.send_data(stream, b"<rss>")
        connection.reset_stream(stream)

    async def short(connection, stream, writer):
        connection.send_headers(stream, [(":status", "200"), ("content-length", "500")])
        connection.send_data(stream, b"<rss>", end_stream=True)

    async def gone(connection, stream, writer):
        connection.send_headers(stream, [(":status", "200")])
        connection.send_data(stream, b"<rss>")
        writer.write(connection.data_to_send())
        writer.close()

    for answer in (reset, short, gone):
        (result,), _ = ask_http2(kit, answer)
        assert result.reason in (FailureReason.TRUNCATED, FailureReason.PROTOCOL), (answer, result)


def test_rule_13_an_http_2_flood_is_given_up(kit):
    """Rule 13: pings without end cost the reader more than the sender, and do not go on until the deadline."""

    async def pings(connection, stream, writer):
        for _ in range(20_000):
            connection.ping(b"12345678")
        flood = connection.data_to_send()
        while True:
            writer.write(flood)
            await writer.drain()

    async def headers(connection, stream, writer):
        connection.send_headers(
            stream, [(":status", "200"), *((f"x-{n}", "y" * 8000) for n in range(40))], end_stream=True
        )

    for answer in (pings, headers):
        (result,), _ = ask_http2(kit, answer)
        assert result.reason in (FailureReason.PROTOCOL, FailureReason.TOO_LARGE), (answer, result)


@pytest.mark.parametrize("host", ["paper.feeds.test", "other.test"])
def test_the_certificate_is_checked_against_the_name(kit, host):
    """TLS verifies the host's name, though the connection goes to a literal address."""

    async def go():
        async with kit.Site({"/feed": kit.answer(body=b"<rss/>")}, context=kit.server_context()) as site:
            return await kit.fetch(site.url(host=host), resolver=local, ssl_context=kit.client_context())

    result = asyncio.run(go())
    if host == "paper.feeds.test":
        assert isinstance(result, Fetched), result
    else:
        assert result.reason is FailureReason.TLS


def test_an_unknown_authority_is_a_tls_failure(kit):
    """A certificate that nobody vouches for, and a server that speaks no TLS, have the reason "tls"."""

    async def banner(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    async def go(serve, context):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await kit.fetch(f"https://paper.feeds.test:{port}/", resolver=local)

    assert asyncio.run(go(banner, kit.server_context())).reason is FailureReason.TLS
    assert asyncio.run(go(banner, None)).reason is FailureReason.TLS


def test_rule_10_from_http_to_https(kit):
    """Rule 10: a redirect to https is followed, with the check of address and certificate there."""

    async def go():
        async with (
            kit.Site({"/feed": kit.answer(body=b"<rss/>")}, context=kit.server_context()) as secure,
            kit.Site() as plain,
        ):
            plain.answers["/feed"] = kit.answer(301, location=secure.url(host="paper.feeds.test"))
            url = plain.url(host="paper.feeds.test")
            return await kit.fetch(url, resolver=local, ssl_context=kit.client_context())

    result = asyncio.run(go())
    assert isinstance(result, Fetched)
    assert [hop.status for hop in result.redirects] == [301]
    assert result.url == result.redirects[0].url
