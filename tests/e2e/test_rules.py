"""The rules of polling that only the whole program can keep: a real daemon over real HTTP, looked at through its database."""

import threading
import zlib
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from daemonkit import DaemonProcess, until

from aggregator.models import FeedSpec, parse_iso

XML = '<?xml version="1.0" encoding="{}"?>'
ENCODINGS = {
    "windows-1251": "Президент выступил с речью",
    "koi8-r": "Погода на завтра",
    "windows-1257": "Rīgā atklāj jaunu tiltu",
    "iso-8859-13": "Vilniuje prasidėjo šventė",
    "utf-16": "Ünnep Győrben",
    "utf-8": "東京で地震",
}
HOSTILE_TITLE = "Plain &lt;b&gt;title&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt; \u202etxt.exe\u202c &amp;amp; more \u009b31m end"


def rss(*items, head="", encoding="utf-8"):
    """A feed in bytes of that encoding."""
    return f"{XML.format(encoding)}<rss version='2.0'><channel><title>T</title>{head}{''.join(items)}</channel></rss>".encode(
        encoding
    )


def item(guid, title, link="", date="Wed, 25 Feb 2026 06:23:00 GMT", text="A text of some length about it."):
    """One entry; a date of None leaves it out."""
    link = link or f"https://paper.example/{guid}"
    dated = f"<pubDate>{date}</pubDate>" if date is not None else ""
    return f"<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title><link>{link}</link>{dated}<description>{text}</description></item>"


class Paper:
    """A server whose pages a test sets; it remembers what was asked."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        paper = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                paper.asked.append((self.path, dict(self.headers)))
                body, fields = paper.pages.get(self.path, (b"", {}))
                self.send_response(200 if self.path in paper.pages else 404)
                for name, value in {"Content-Length": str(len(body)), **fields}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)  # noqa: S104 - every address of 127/8 is a host
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        """A URL of this server: each path has a host of its own."""
        return f"http://127.3.0.{1 + zlib.crc32(path.encode()) % 250}:{self.server.server_address[1]}{path}"

    def count(self, path):
        """How often a page was asked for."""
        return sum(1 for asked, _ in self.asked if asked == path)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """A daemon that has polled feeds of all kinds, before and after they changed; stopped, with its database."""
    paper = Paper()
    try:
        for encoding, title in ENCODINGS.items():
            paper.pages[f"/{encoding}"] = (rss(item(encoding, title), encoding=encoding), {"Content-Type": "text/xml"})
        whitespace = b"\n\n  " + rss(item("space", "Rīts"), encoding="windows-1257")
        paper.pages["/space"] = (whitespace, {"Content-Type": "text/xml"})
        damaged = rss(item("damaged", "Ēka XX nojaukta")).replace(b"XX", b"\xff")
        paper.pages["/damaged"] = (damaged, {"Content-Type": "text/xml"})
        dates = {
            "eest": "Wed, 25 Jun 2025 12:00:00 EEST",
            "pm": "2/25/2026 3:04:05 PM",
            "epoch": "1771999380",
            "local": "25. februāris 2026 08:23",
            "future": "Wed, 25 Feb 2099 06:23:00 GMT",
            "missing": None,
        }
        paper.pages["/dates"] = (rss(*(item(f"d-{k}", f"Dated {k} way", date=v) for k, v in dates.items())), {})
        entity = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{paper.url("/secret")}"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        body = rss(item("entity", "Entity &x; here", text="&f;")).replace(b"<rss", entity.encode() + b"<rss")
        paper.pages["/entity"] = (body, {})
        paper.pages["/secret"] = (b"stolen", {})
        paper.pages["/plain"] = (
            rss(item("plain", HOSTILE_TITLE, text="&lt;p&gt;One&lt;/p&gt;&lt;img src=x onerror=alert(1)&gt;")),
            {},
        )
        paper.pages["/late"] = (
            rss(*(item(f"l{n}", f"Late paper reports event {n}") for n in range(3))),
            {"ETag": 'W/"1-gzip"'},
        )
        same = [
            item(f"s{n}", f"Council of the town decides matter {n}", f"https://sister.example/a/{n}") for n in range(4)
        ]
        paper.pages["/one"] = (rss(*same), {})
        paper.pages["/two"] = (rss(*same), {})
        paths = [*(f"/{e}" for e in ENCODINGS), "/space", "/damaged", "/dates", "/entity", "/plain", "/late"]
        specs = [FeedSpec(paper.url(path), f"Outlet {path}", "LV", "lv") for path in paths]
        specs += [FeedSpec(paper.url(path), "Sister", "LV", "en") for path in ("/one", "/two")]
        specs.append(FeedSpec(paper.url("/nothing"), "Nobody", "LV", "lv"))
        with DaemonProcess(tmp_path_factory.mktemp("rules"), specs).start() as daemon:
            polled = "SELECT count(*) FROM feed_state WHERE last_poll_at IS NOT NULL"
            until(lambda: daemon.value(polled) == len(specs), 60, "every feed is polled")
            old = item("l-old", "An old event of last year that was forgotten", date="Wed, 25 Feb 2025 06:23:00 GMT")
            paper.pages["/late"] = (
                rss(*(item(f"l{n}", f"Late paper reports event {n}") for n in range(3)), old),
                {"ETag": "2"},
            )
            changed = [
                item(
                    "new-guid",
                    "Council of the town decides matter 0",
                    "https://sister.example/a/0?utm_source=rss&amp;fbclid=1",
                ),
                item("s1", "Council of the town decides the second matter, corrected", "https://sister.example/a/1"),
                item(
                    "s2",
                    "A wholly different report of fishing boats",
                    "https://sister.example/fish/9",
                    text="Boats and nets.",
                ),
                item(
                    "s3",
                    "Council of the town decides matter 3",
                    "https://sister.example/a/3",
                    text="What it said has changed altogether.",
                ),
            ]
            paper.pages["/one"] = (rss(*changed), {})
            asked = {path: paper.count(path) for path in ("/late", "/one", "/two")}
            until(lambda: all(paper.count(path) > n + 2 for path, n in asked.items()), 60, "changed feeds are polled")
            assert daemon.stop() == 0
            yield daemon, paper
    finally:
        paper.server.shutdown()
        paper.server.server_close()


def titles(daemon, path):
    """Titles of the items first seen in the feed at a path."""
    return {
        t
        for (t,) in daemon.rows(
            "SELECT i.title FROM items AS i JOIN feeds AS f USING (feed_id) WHERE f.url LIKE '%' || ?", path
        )
    }


def test_rule_14_bytes_become_the_text_that_was_meant(month):
    """Rule 14: the encodings of the press, white space before the declaration, UTF-8 with a bad byte."""
    daemon, _ = month
    for encoding, title in ENCODINGS.items():
        assert titles(daemon, f"/{encoding}") == {title}
    assert titles(daemon, "/space") == {"Rīts"}
    (damaged,) = titles(daemon, "/damaged")
    assert damaged.startswith("Ēka")
    assert damaged.endswith("nojaukta")


def test_rule_15_dates_are_read_and_their_origin_is_told(month):
    """Rule 15: EEST, PM, epoch numbers, localised months; a future date is clamped, a missing one is first_seen_at; raw kept."""
    daemon, _ = month
    rows = daemon.rows(
        "SELECT s.guid, i.published_at, i.first_seen_at, i.date_source, i.published_raw FROM items AS i JOIN sightings AS s"
        " USING (item_id) WHERE s.guid LIKE 'd-%'"
    )
    found = {guid: rest for guid, *rest in rows}
    assert found["d-eest"][0] == "2025-06-25T09:00:00Z"
    assert found["d-epoch"][0] == "2026-02-25T06:03:00Z"
    assert found["d-local"][0] == "2026-02-25T06:23:00Z"
    assert found["d-pm"][0][11:] != "03:04:05Z"
    for guid, source in (("d-future", "clamped"), ("d-missing", "first_seen")):
        published, first_seen, kind, _raw = found[guid]
        assert kind == source
        assert (
            timedelta(0) <= parse_iso(first_seen) - parse_iso(published) < timedelta(seconds=30)
        )  # parsed, then stored
    assert found["d-future"][3] == "Wed, 25 Feb 2099 06:23:00 GMT"
    assert all(found[f"d-{kind}"][2] == "feed" for kind in ("eest", "epoch", "local", "pm"))


def test_rule_16_no_external_entity_is_fetched(month):
    """Rule 16: neither a URL nor a file that a document names as an entity is opened."""
    daemon, paper = month
    assert paper.count("/entity") > 0
    assert paper.count("/secret") == 0
    assert daemon.value("SELECT count(*) FROM items WHERE title LIKE '%stolen%' OR summary LIKE '%root:%'") == 0


def test_rule_17_an_item_with_an_old_date_is_not_dropped(month):
    """Rule 17: what was not seen before is new, whatever its date."""
    daemon, _ = month
    assert "An old event of last year that was forgotten" in titles(daemon, "/late")


def test_rule_18_one_article_is_one_item(month):
    """Rule 18: a sister feed, a new GUID with tracking, a new title: one item, revised; a reused GUID for another is a new one."""
    daemon, _ = month
    items = daemon.rows(
        "SELECT i.item_id, i.title FROM items AS i JOIN outlets AS o USING (outlet_id) WHERE o.name = 'Sister'"
    )
    assert len(items) == 5
    assert sum("fishing boats" in title for _, title in items) == 1
    assert daemon.value("SELECT count(*) FROM sightings WHERE guid = 'new-guid'") == 1
    assert daemon.value("SELECT count(DISTINCT item_id) FROM sightings WHERE guid IN ('s0', 'new-guid')") == 1
    revised = {title for (title,) in daemon.rows("SELECT title FROM revisions")}
    assert "Council of the town decides matter 1" in revised
    assert daemon.value("SELECT count(*) FROM revisions WHERE changed LIKE '%summary%'") >= 1
    assert daemon.doubles() == []


def test_rule_20_texts_are_plain(month):
    """Rule 20: no tags, controls, bidi overrides or terminal escapes in titles and summaries; scripts nowhere."""
    daemon, _ = month
    (title,) = titles(daemon, "/plain")
    assert title.startswith("Plain title")
    assert "<" not in title
    assert not set(title) & set("\u202e\u202c\u009b\x1b")
    for (text,) in daemon.rows("SELECT title || summary FROM items UNION ALL SELECT body || body_html FROM bodies"):
        assert "<script" not in text
        assert "onerror" not in text


def test_rule_21_health_is_a_view(month):
    """Rule 21: status, last success, last 304 or new item, failures, lossy count and staleness of every feed; with the reason."""
    daemon, paper = month
    columns = "state, last_success_at, last_not_modified_at, last_new_item_at, failures, lossy_count, stale, next_poll_at, why, last_error"
    health = {url: rest for url, *rest in daemon.rows(f"SELECT url, {columns} FROM feed_health")}  # noqa: S608 - our own words
    assert len(health) == len(ENCODINGS) + 9
    good, bad = health[paper.url("/late")], health[paper.url("/nothing")]
    assert (good[0], good[4], good[9]) == ("ok", 0, None)
    assert good[1]
    assert good[3]
    assert bad[0] == "failing"
    assert bad[4] > 0
    assert "404" in bad[9]
    assert all(rest[8] for rest in health.values())


def test_rule_01_validators_travel_through_the_database(month):
    """Rule 1: what a server sent as its ETag comes back byte for byte from the stored state."""
    _, paper = month
    sent = [fields.get("If-None-Match") for path, fields in paper.asked if path == "/late"]
    assert sent[0] is None
    assert 'W/"1-gzip"' in sent
    assert sent[-1] == "2"


def test_rule_03_restarts_cause_no_early_poll(tmp_path):
    """Rule 3: next_poll_at lives in the database: four restarts, by SIGTERM and by kill -9, ask nothing again."""
    paper = Paper()
    try:
        paper.pages["/feed"] = (rss(item("one", "An event")), {})
        with DaemonProcess(
            tmp_path,
            [FeedSpec(paper.url("/feed"), "Paper", "LV", "lv")],
            settings={"floor_s": "600", "first_interval_s": "600", "ceiling_s": "6000"},
        ) as daemon:
            daemon.start()
            until(lambda: daemon.value("SELECT count(*) FROM polls") == 1, 20, "the feed is polled")
            for number in range(4):
                daemon.kill() if number % 2 else daemon.stop()
                daemon.start()
            assert daemon.stop() == 0
            assert paper.count("/feed") == 1
    finally:
        paper.server.shutdown()
        paper.server.server_close()
