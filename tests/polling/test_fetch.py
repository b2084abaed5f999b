import asyncio
import gzip
import re
import time
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from aggregator.config import Fetching
from aggregator.models import Failed, FailureReason, Fetched, FetchRequest, NotModified
from aggregator.polling.fetch import Fetcher

MIB = 1024 * 1024


def ask(kit, answers, target="/feed", etag=None, last_modified=None, **changes):
    """The result of one fetch from a server that gives `answers`, and the server."""

    async def go():
        async with kit.Site(answers) as site:
            return await kit.fetch(site.url(target), etag, last_modified, **changes), site

    return asyncio.run(go())


def raw_deflate(data):
    """Deflate without zlib's wrapping, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]) + b"\0" * 20,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    "identity": bytes,
}


def test_rule_01_validators_go_out_byte_for_byte(kit):
    """Rule 1: weak, unquoted, suffixed and non-ASCII validators are echoed exactly as they came."""
    for tag in ('W/"a-b"', "no-quotes", '"x-gzip"', '"\xe4\xf6 \t,"', '"caf\xc3\xa9"'):
        first, _ = ask(kit, {"/feed": kit.answer(body=b"<rss/>", etag=tag, last_modified="yesterday, about  noon")})
        etag, modified = first.headers["etag"], first.headers["last-modified"]
        _, site = ask(kit, {"/feed": kit.answer(304)}, etag=etag, last_modified=modified)
        assert site.asked[0].value("if-none-match") == tag.encode("latin-1")
        assert site.asked[0].value("if-modified-since") == b"yesterday, about  noon"


def test_rule_09_a_request_says_who_asks_and_nothing_else(kit):
    """Rule 9: no cookie, Referer, cache-buster or no-cache; the User-Agent names program, version and contact."""

    async def go():
        answer = kit.answer(302, location="/feed?x=1", set_cookie="id=1; Path=/")
        async with kit.Site({"/start": answer, "/feed?x=1": kit.answer(body=b"<rss/>", set_cookie="id=2")}) as site:
            settings = kit.settings(contact_url="https://example.org/bot")
            async with Fetcher(settings, version="1.2.3") as fetcher:
                for _ in range(2):
                    await fetcher.fetch(FetchRequest(site.url("/start")))
            return site

    site = asyncio.run(go())
    assert [asked.target for asked in site.asked] == ["/start", "/feed?x=1"] * 2
    for asked in site.asked:
        assert asked.value("user-agent") == b"aggregator/1.2.3 (+https://example.org/bot)"
        names = {name.lower() for name, _ in asked.fields}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding"}


def test_rule_09_a_failure_is_not_retried(kit):
    """Rule 9: one fetch is one request, whatever comes back."""

    async def hang_up(asked, writer):
        return "close"

    for answer in (kit.answer(500), kit.answer(503), hang_up, b"garbage\r\n\r\n"):
        result, site = ask(kit, {"/feed": answer})
        assert isinstance(result, Failed)
        assert len(site.asked) == 1


def test_environment_proxies_are_not_read(kit, monkeypatch):
    """A proxy is only what the configuration names: http_proxy of the environment changes nothing."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{kit.free_port()}")
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{kit.free_port()}")
    result, _ = ask(kit, {"/feed": kit.answer(body=b"<rss/>")})
    assert isinstance(result, Fetched)


def test_a_configured_proxy_is_used(kit):
    """All requests go through the proxy that the configuration names, and bare private addresses are refused there too."""

    async def go():
        async with kit.Site({"http://paper.example/feed": kit.answer(body=b"<rss/>")}) as proxy:
            settings = Fetching(proxy=f"http://127.0.0.1:{proxy.port}")
            async with Fetcher(settings, version="1") as fetcher:
                good = await fetcher.fetch(FetchRequest("http://paper.example/feed"))
                bad = await fetcher.fetch(FetchRequest("http://169.254.169.254/latest"))
            return good, bad, proxy

    good, bad, proxy = asyncio.run(go())
    assert good.body == b"<rss/>"
    assert bad.reason is FailureReason.FORBIDDEN_ADDRESS
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        (429, {}, FailureReason.RATE_LIMITED),
        (503, {"retry_after": "9"}, FailureReason.RATE_LIMITED),
        (503, {}, FailureReason.HTTP),
        (410, {}, FailureReason.GONE),
        (403, {"cf_mitigated": "challenge"}, FailureReason.CHALLENGE),
        (503, {"cf_mitigated": "challenge", "retry_after": "9"}, FailureReason.CHALLENGE),
        (200, {"cf_mitigated": "challenge"}, FailureReason.CHALLENGE),
        (403, {}, FailureReason.HTTP),
        (404, {}, FailureReason.HTTP),
        (500, {}, FailureReason.HTTP),
        (204, {"content_length": None}, FailureReason.HTTP),
        (206, {}, FailureReason.HTTP),
        (301, {}, FailureReason.REDIRECTS),
        (304, {}, FailureReason.PROTOCOL),
    ],
)
def test_rule_11_every_status_has_its_reason(kit, status, fields, reason):
    """Rule 11: a status other than 200 and 304 is a failure with a reason of its own; so is a 304 nobody asked for."""
    result, _ = ask(kit, {"/feed": kit.answer(status, **fields)})
    assert (result.status, result.reason) == (status, reason)
    assert result.headers.get("retry-after") == fields.get("retry_after")


def test_a_304_brings_its_headers(kit):
    """A 304 to a conditional request is NotModified, with the fields that renew validators and freshness."""
    answer = kit.answer(304, etag='"new"', cache_control="max-age=60", content_length=None)
    result, _ = ask(kit, {"/feed": answer}, etag='"old"')
    assert isinstance(result, NotModified)
    assert (result.headers["etag"], result.headers["cache-control"]) == ('"new"', "max-age=60")


@pytest.mark.parametrize("coding", PACKERS)
def test_rule_12_every_coding_is_undone(kit, coding):
    """Rule 12: gzip (also of several members, padded, or called x-gzip), both kinds of deflate, br and zstd."""
    body = b"<rss>" + bytes(range(256)) * 3000 + b"</rss>"
    result, site = ask(kit, {"/feed": kit.answer(body=PACKERS[coding](body), content_encoding=coding)})
    assert result.body == body
    assert site.asked[0].value("accept-encoding") == b"gzip, deflate, br, zstd"


@pytest.mark.parametrize("coding", [c for c in PACKERS if c != "identity"])
@pytest.mark.parametrize("framing", ["length", "chunked", "closing"])
def test_rule_13_a_body_cut_short_is_a_failure(kit, coding, framing):
    """Rule 13: a packed body that ends early is no short feed, however the answer is framed."""
    packed = PACKERS[coding](b"<rss>" + bytes(range(256)) * 300 + b"</rss>")
    packed = packed[: len(packed) // 2]
    if framing == "length":
        answer = kit.answer(body=packed, content_encoding=coding)
    elif framing == "chunked":
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
        answer = kit.answer(content_encoding=coding, content_length=None, transfer_encoding="chunked") + chunks
    else:

        async def answer(asked, writer):
            writer.write(kit.answer(content_encoding=coding, content_length=None) + packed)
            await writer.drain()
            return "close"

    result, _ = ask(kit, {"/feed": answer})
    assert result.reason in (FailureReason.TRUNCATED, FailureReason.ENCODING)


@pytest.mark.parametrize("framing", ["length", "chunked", "closing", "old"])
def test_rule_13_a_plain_body_cut_short_is_a_failure(kit, framing):
    """Rule 13: fewer bytes than announced, no last chunk, or a connection closed in the middle of the text."""
    body = kit.feed("One", "Two")[:300]

    async def answer(asked, writer):
        match framing:
            case "length":
                writer.write(kit.answer(content_length="5000") + body)
            case "chunked":
                writer.write(kit.answer(content_length=None, transfer_encoding="chunked") + b"%x\r\n%s" % (5000, body))
            case "closing":
                writer.write(kit.answer(content_length=None) + body)
            case "old":
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        await writer.drain()
        return "close"

    result, _ = ask(kit, {"/feed": answer})
    assert result.reason is FailureReason.TRUNCATED


def test_a_whole_body_may_end_with_the_connection(kit):
    """An HTTP/1.0 answer without a length is a feed when its text comes to its end."""

    async def answer(asked, writer):
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + kit.feed("One") + b"\n")
        await writer.drain()
        return "close"

    result, _ = ask(kit, {"/feed": answer})
    assert result.body.endswith(b"</rss>\n")


def bombs():
    """A gigabyte of zeros in each coding, most of them from one piece again and again."""
    piece, count = bytes(16 * MIB), 64

    def repeated(wbits):
        packer = zlib.compressobj(wbits=wbits)
        start = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
        again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
        return start + again * (count - 1)

    yield "gzip", repeated(31)
    yield "gzip", gzip.compress(piece) * count
    yield "deflate", repeated(15)
    yield "deflate", repeated(-15)
    quick = brotli.Compressor(quality=1)
    yield "br", b"".join([quick.process(piece) for _ in range(count)]) + quick.finish()
    frame = zstandard.ZstdCompressor(level=1).compressobj()
    yield "zstd", b"".join([frame.compress(piece) for _ in range(count)]) + frame.flush()
    yield "zstd", zstandard.compress(piece) * count


def peak_kib(*, reset=False):
    """The most memory that this process has held at once since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def test_rule_12_a_bomb_of_a_gigabyte_costs_little_memory(kit):
    """Rule 12: a body of 1 GB, packed in any way, ends at the cap and costs less than 64 MB."""

    async def go():
        async with kit.Site() as site, Fetcher(kit.settings(total_timeout_s=30.0), version="1") as fetcher:
            for coding, body in bombs():
                site.answers["/feed"] = kit.answer(body=body, content_encoding=coding)
                del body
                before = peak_kib(reset=True)
                result = await fetcher.fetch(FetchRequest(site.url()))
                grown = peak_kib() - before
                assert result.reason is FailureReason.TOO_LARGE, (coding, result)
                assert grown < 64 * 1024, (coding, grown)

    asyncio.run(go())


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,br", "compress", "x" * 5000])
def test_rule_12_unknown_codings_and_layers_are_refused(kit, coding):
    """Rule 12: one layer of a coding that was offered, or nothing."""
    result, _ = ask(kit, {"/feed": kit.answer(body=b"abc", content_encoding=coding)})
    assert result.reason is FailureReason.ENCODING
    assert len(result.detail) <= 300


@pytest.mark.parametrize("coding", ["utf-8", "none", "identity, gzip", "gzip,"])
def test_rule_12_words_that_are_no_coding_are_passed_over(kit, coding):
    """Rule 12: a charset or "none" in Content-Encoding, as some servers write, does not cost the feed."""
    body = b"<rss>" + b"plain text " * 500 + b"</rss>"
    packed = gzip.compress(body) if "gzip" in coding else body
    result, _ = ask(kit, {"/feed": kit.answer(body=packed, content_encoding=coding)})
    assert result.body == body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_rule_12_a_body_that_is_not_packed_as_it_says_is_a_failure(kit, coding):
    """Rule 12: plain text under a coding's name has the reason "encoding"."""
    body = b"<rss>" + b"plain text " * 500 + b"</rss>"
    result, _ = ask(kit, {"/feed": kit.answer(body=body, content_encoding=coding)})
    assert result.reason is FailureReason.ENCODING


def test_rule_12_a_flood_of_empty_members_is_refused(kit):
    """Rule 12: 400,000 gzip members of nothing are work without a body."""
    began = time.process_time()
    result, _ = ask(kit, {"/feed": kit.answer(body=gzip.compress(b"") * 400_000, content_encoding="gzip")})
    assert result.reason is FailureReason.ENCODING
    assert time.process_time() - began < 2


def test_rule_13_the_body_cap_counts_while_streaming(kit):
    """Rule 13: a body larger than the cap is given up as soon as it is, announced or not."""
    sent = 0

    async def endless(asked, writer):
        nonlocal sent
        writer.write(kit.answer(content_length=None, transfer_encoding="chunked"))
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
            sent += 65536

    result, _ = ask(kit, {"/feed": endless}, max_body_bytes=MIB)
    assert result.reason is FailureReason.TOO_LARGE
    assert sent < 8 * MIB  # what the sockets' buffers hold comes on top


def test_rule_13_headers_are_capped(kit):
    """Rule 13: large headers, whole or without an end, are a failure; so are interim answers without an end."""

    async def endless(asked, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"y" * 8000 + b"\r\n")
            await writer.drain()

    async def interim(asked, writer):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500)
            await writer.drain()

    large = kit.answer(body=b"<rss/>", x_filler="y" * 70_000)
    for answer in (large, endless, interim):
        began = time.process_time()
        result, _ = ask(kit, {"/feed": answer})
        assert result.reason in (FailureReason.TOO_LARGE, FailureReason.PROTOCOL), result
        assert time.process_time() - began < 2


def test_rule_13_crumbs_are_refused(kit):
    """Rule 13: a body in chunks of one byte costs its reader more than its sender, and is given up."""

    async def crumbs(asked, writer):
        writer.write(kit.answer(content_length=None, transfer_encoding="chunked"))
        while True:
            writer.write(b"1;x=yyyyyyyyyyyyyyyyyyyyy\r\na\r\n" * 1000)
            await writer.drain()

    result, _ = ask(kit, {"/feed": crumbs})
    assert result.reason is FailureReason.PROTOCOL


@pytest.mark.parametrize("where", ["connect", "head", "body", "redirects"])
def test_rule_13_the_deadline_is_for_the_whole_exchange(kit, where):
    """Rule 13: a server that always sends a little more, or redirects slowly, does not stretch the time."""

    async def drip(asked, writer):
        match where:
            case "head":
                writer.write(b"HTTP/1.1 200 OK\r\n")
            case "body":
                writer.write(kit.answer(content_length="100000"))
            case "redirects":
                await asyncio.sleep(0.4)
                writer.write(kit.answer(302, location="/feed"))
                return
            case "connect":
                await asyncio.sleep(60)
        while True:
            writer.write(b"X-A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    began = time.monotonic()
    result, _ = ask(kit, {"/feed": drip}, total_timeout_s=1.0, max_redirects=50)
    assert result.reason is FailureReason.TIMEOUT
    assert 0.9 < time.monotonic() - began < 10  # of 20 and more without the deadline
    assert 0.9 < result.elapsed_s < 10


def test_a_connection_is_used_again_at_once_and_not_for_long(kit):
    """Two feeds of a host share a connection; fetches from many hosts do not pile connections up."""

    async def go():
        answers = {"/a": kit.answer(body=b"<rss/>"), "/b": kit.answer(304), "/c": kit.answer(body=b"<rss/>")}
        async with kit.Site(answers) as site, Fetcher(kit.settings(), version="1") as fetcher:
            await fetcher.fetch(FetchRequest(site.url("/a")))
            await fetcher.fetch(FetchRequest(site.url("/b"), '"x"'))
            await fetcher.fetch(FetchRequest(site.url("/c")))
            once = site.connections
            for number in range(300):
                await fetcher.fetch(FetchRequest(site.url("/a", host=f"127.0.1.{number % 250}")))
            return once, len(fetcher._connections._origins)

    async def patched():
        return await go()

    once, kept = asyncio.run(patched())
    assert once == 1
    assert kept <= 257


@pytest.mark.parametrize(
    "url",
    [
        "ftp://paper.example/feed",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "paper.example/feed",
        "http://",
        "http:///feed",
        "http://[::1",
        "http://paper.example:99999/",
        "http://paper.example:port/",
        "http://exa mple/",
        "http://\x00/",
        "http://" + "a" * 70_000 + "/",
        "http://\u2488.example/",
        "",
        "\ud800",
    ],
)
def test_a_url_that_cannot_be_asked_is_a_failure(kit, url):
    """Whatever a catalogue or a redirect holds, it is a value with a reason, never an exception."""
    result = asyncio.run(kit.fetch(url))
    assert isinstance(result, Failed)
    assert result.reason in (FailureReason.BAD_URL, FailureReason.DNS), result


def test_nobody_listens(kit):
    """A refused connection has the reason "connect", a name without an address "dns"."""
    refused = asyncio.run(kit.fetch(f"http://127.0.0.1:{kit.free_port()}/feed"))
    assert refused.reason is FailureReason.CONNECT
    nameless = asyncio.run(kit.fetch("http://paper.invalid/feed"))
    assert nameless.reason is FailureReason.DNS


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00" * 5000,
        b"HTTP/9.9 999 What\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_failure(kit, answer):
    """A server that speaks something else gives a reason, within the deadline."""

    async def send(asked, writer):
        writer.write(answer)
        await writer.drain()
        return "close"

    result, _ = ask(kit, {"/feed": send})
    assert isinstance(result, Failed)
    assert result.reason is not FailureReason.INTERNAL, result


def test_details_are_one_clean_line(kit):
    """What a server puts into its headers cannot move a terminal's cursor or break a line of the log."""
    result, _ = ask(kit, {"/feed": kit.answer(429, retry_after="\x1b[2J\x9b31m" + "é" * 500)})
    assert result.detail.isprintable()
    assert len(result.detail) <= 300


def test_a_cancelled_fetch_is_cancelled(kit):
    """CancelledError is the one exception that comes out, and it leaves no connection behind."""

    async def stall(asked, writer):
        await asyncio.sleep(60)

    async def go():
        async with kit.Site({"/feed": stall}) as site, Fetcher(kit.settings(), version="1") as fetcher:
            task = asyncio.create_task(fetcher.fetch(FetchRequest(site.url())))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not any(origin.users for origin in fetcher._connections._origins.values())

    asyncio.run(go())


def test_credentials_of_a_url_go_to_its_origin_only(kit):
    """user:password in a catalogue's URL becomes Basic authorisation, is not sent elsewhere and not shown."""

    async def go():
        async with kit.Site() as away, kit.Site() as home:
            home.answers = {"/feed": kit.answer(302, location="/next"), "/next": kit.answer(302, location=away.url())}
            url = home.url(host="ann:p%40ss@127.0.0.1")
            return await kit.fetch(url), home, away

    result, home, away = asyncio.run(go())
    assert [asked.value("authorization") for asked in home.asked] == [b"Basic YW5uOnBAc3M="] * 2
    assert away.asked[0].value("authorization") is None
    assert "p%40ss" not in result.url
    assert all("p%40ss" not in hop.url for hop in result.redirects)
