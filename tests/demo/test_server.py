"""The sample feeds over real sockets."""

import gzip
import http.client
import socket
import sys
from datetime import UTC, datetime
from threading import active_count
from urllib.parse import urlsplit

import feedparser
import pytest

from aggregator.demo import server as module
from aggregator.demo.feeds import render
from aggregator.demo.samples import load_outlets
from aggregator.demo.server import DemoServer

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


@pytest.fixture
def server():
    """A server of all sample feeds."""
    with DemoServer(NOW) as running:
        yield running


def get(url, method="GET", **headers):
    """One request; header names with underscores for dashes. Returns status, headers (lower case), body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        connection.request(method, parts.path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_every_feed_is_served(server):
    """Each spec's URL answers 200 with the outlet's feed, and says who publishes it where and in which language."""
    specs = server.specs()
    assert len(specs) == 36
    for spec, outlet in zip(specs, load_outlets(), strict=True):
        assert (spec.outlet, spec.country, spec.language) == (outlet.outlet, outlet.country, outlet.language)
        assert spec.region
        assert spec.homepage == outlet.site
        status, headers, body = get(spec.url)
        assert status == 200
        assert headers["content-type"].startswith("application/")
        assert body == render(outlet, NOW, 0, spec.url).body
    assert [status for _, status in server.answers] == [200] * 36


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds any address of 127.0.0.0/8")
def test_each_outlet_is_a_host_of_its_own(server):
    """A poller that waits between requests to one host does not wait for another outlet's."""
    hosts = {urlsplit(spec.url).hostname for spec in server.specs()}
    assert len(hosts) == 36
    assert all(host.startswith("127.0.1.") for host in hosts)


def test_one_address_where_there_are_no_others(monkeypatch):
    """Where the system has 127.0.0.1 alone, the outlets are its paths; 198.51.100.1 stands for an address it lacks."""
    bind = module._bind
    monkeypatch.setattr(module, "_bind", lambda _, answer: bind(["198.51.100.1"], answer))
    with DemoServer(NOW) as server:
        urls = [spec.url for spec in server.specs()]
        assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}
        assert len(set(urls)) == 36
        assert get(urls[-1])[0] == 200


def test_no_port_that_is_free_on_all_addresses(monkeypatch):
    """When each port tried is taken on one of the addresses (here: by the first of two equal ones), one address serves all."""
    bind = module._bind
    monkeypatch.setattr(module, "_bind", lambda _, answer: bind(["127.0.1.1", "127.0.1.1"], answer))
    with DemoServer(NOW) as server:
        assert {urlsplit(spec.url).hostname for spec in server.specs()} == {"127.0.0.1"}
        assert get(server.specs()[0].url)[0] == 200


def test_two_servers_side_by_side():
    """Each has a port of its own: a demo can run while the tests do."""
    with DemoServer(NOW) as first, DemoServer(NOW) as second:
        assert {get(server.specs()[35].url)[0] for server in (first, second)} == {200}
        assert first.specs()[35].url != second.specs()[35].url


def test_conditional_get(server):
    """The validators of a 200 bring a 304 with the same validators and no body; after a change, a 200 with new ones."""
    kinds = set()
    for spec in server.specs():
        _, headers, body = get(spec.url)
        kinds.add(("etag" in headers, "last-modified" in headers))
        ask = {"If_None_Match": headers.get("etag"), "If_Modified_Since": headers.get("last-modified")}
        ask = {name: value for name, value in ask.items() if value}
        assert ask
        status, again, nothing = get(spec.url, **ask)
        assert (status, nothing) == (304, b"")
        assert all(again.get(name) == headers.get(name) for name in ("etag", "last-modified"))
        server.publish(10)
        status, _, later = get(spec.url, **ask)
        server.publish(0)
        assert status == 304 or later != body
    assert kinds == {(True, False), (False, True), (True, True)}


def test_etag_decides_over_the_date(server):
    """If-None-Match, when it names another version, brings the feed whatever If-Modified-Since says (RFC 9110, 13.1.3)."""
    spec = next(s for s in server.specs() if "last-modified" in get(s.url)[1] and "etag" in get(s.url)[1])
    date = get(spec.url)[1]["last-modified"]
    assert get(spec.url, If_Modified_Since=date)[0] == 304
    assert get(spec.url, If_Modified_Since=date, If_None_Match='"other"')[0] == 200
    assert get(spec.url, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT")[0] == 200
    assert get(spec.url, If_Modified_Since="yesterday")[0] == 200


def test_a_second_round_brings_news(server):
    """After `publish`, a poll with the old validators gets 200 from the outlets that have news and 304 from the rest."""
    known = {}
    for spec in server.specs():
        _, headers, body = get(spec.url)
        pairs = (("If_None_Match", headers.get("etag")), ("If_Modified_Since", headers.get("last-modified")))
        known[spec.url] = {name: value for name, value in pairs if value}, len(feedparser.parse(body).entries)
    server.publish(10)
    news = {spec.outlet for spec in server.specs() if get(spec.url, **known[spec.url][0])[0] == 200}
    outlets = load_outlets()
    assert news == {o.outlet for o in outlets if any(i.appears_min or i.revised for i in o.items)}


def test_gzip_only_when_asked(server):
    """A body is compressed for a client that accepts gzip, and plain for one that does not."""
    url = server.specs()[0].url
    _, headers, plain = get(url)
    assert "content-encoding" not in headers
    _, headers, packed = get(url, Accept_Encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert len(packed) < len(plain)
    assert gzip.decompress(packed) == plain


def test_head_and_unknown_paths(server):
    """HEAD has the headers alone; a path that is no feed is 404."""
    url = server.specs()[0].url
    assert get(url, "HEAD")[1]["content-length"] == get(url)[1]["content-length"]
    assert get(url, "HEAD")[2] == b""
    assert get(url + "x")[0] == 404
    assert server.answers[-1][1] == 404


def test_stops_clean():
    """After the block no thread and no port is left, also when a client still hangs there without asking for anything."""
    before = active_count()
    with DemoServer(NOW) as server:
        parts = urlsplit(server.specs()[3].url)
        idle = socket.create_connection((parts.hostname, parts.port))
        assert get(server.specs()[3].url)[0] == 200
    with idle:
        assert active_count() == before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((parts.hostname, parts.port), timeout=1)
