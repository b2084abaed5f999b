"""`aggregator feeds`: add, switch, import, export, check; on a database of its own."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Kuldīgas Balss</title><link>{base}/</link><language>lv</language>
<item><title>Atvērts jauns tilts pār Ventu</title><link>{base}/tilts</link><guid>1</guid></item></channel></rss>"""
PAGE = """<!doctype html><html lang="lv"><head><title>Kuldīgas Balss</title>{links}</head><body><h1>Ziņas</h1></body></html>"""
LINK = '<link rel="alternate" type="application/rss+xml" title="{title}" href="{href}">'


class Site(BaseHTTPRequestHandler):
    """A newspaper's site: a page with one feed, a page with two, a page with none, and the feeds."""

    def do_GET(self):
        """Answer with the page or feed at the path, or 404."""
        base = f"http://{self.headers['Host']}"
        pages = {
            "/": PAGE.format(links=LINK.format(title="Ziņas", href="/rss.xml")),
            "/two": PAGE.format(
                links=LINK.format(title="Ziņas", href="/rss.xml") + LINK.format(title="Sports", href="/sports.xml")
            ),
            "/none": PAGE.format(links=""),
            "/rss.xml": FEED.format(base=base),
            "/sports.xml": FEED.format(base=base),
        }
        text = pages.get(self.path)
        body = (text or "no").encode()
        self.send_response(200 if text else 404)
        self.send_header(
            "Content-Type", "application/rss+xml" if self.path.endswith("xml") else "text/html; charset=utf-8"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    """The site, served on loopback; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def config(tmp_path):
    """A configuration without a catalogue that may fetch from loopback."""
    path = tmp_path / "aggregator.toml"
    path.write_text(
        f'feeds = []\n[database]\npath = "{tmp_path}/a.db"\n[embedding]\nbackend = "off"\n'
        '[fetching]\nallow_networks = ["127.0.0.0/8"]\nhost_spacing_s = 0.0\n'
    )
    return path


def listed(aggregator, config):
    """What `feeds list` lists."""
    return json.loads(aggregator("feeds", "list", "--json", config=config).stdout)


def test_a_feed_is_added_polled_switched_and_removed(aggregator, site, config):
    """A feed added by its address is polled, can be switched off and on, and be removed; its items stay."""
    added = aggregator("feeds", "add", f"{site}/rss.xml", "--country", "LV", config=config)
    assert added.returncode == 0, added.stderr
    assert added.stdout.strip() == f"{site}/rss.xml"
    (row,) = listed(aggregator, config)
    assert (row["outlet"], row["country"], row["language"]) == ("Kuldīgas Balss", "LV", "lv")
    polled = json.loads(aggregator("poll", "--json", config=config).stdout)
    assert (polled["polled"], polled["new"]) == (1, 1)
    assert aggregator("feeds", "disable", f"{site}/rss.xml", config=config).returncode == 0
    assert listed(aggregator, config)[0]["state"] == "off"
    assert aggregator("poll", "--feed", f"{site}/none.xml", config=config).returncode == 3
    assert aggregator("feeds", "enable", f"{site}/rss.xml", config=config).returncode == 0
    assert listed(aggregator, config)[0]["state"] == "ok"
    assert aggregator("feeds", "remove", f"{site}/rss.xml", config=config).returncode == 0
    assert listed(aggregator, config) == []
    assert json.loads(aggregator("search", "tilts", "--json", config=config).stdout)
    assert aggregator("feeds", "remove", f"{site}/rss.xml", config=config).returncode == 3


def test_a_page_is_looked_through_for_its_feed(aggregator, site, config):
    """The address of a page adds the one feed that it names, with the page's language."""
    added = aggregator("feeds", "add", f"{site}/", config=config)
    assert added.returncode == 0, added.stderr
    assert added.stdout.strip() == f"{site}/rss.xml"


def test_a_page_with_two_feeds_asks_which(aggregator, site, config):
    """A page that names two feeds adds none, and shows both."""
    done = aggregator("feeds", "add", f"{site}/two", config=config)
    assert done.returncode == 2
    assert "/rss.xml" in done.stderr
    assert "/sports.xml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_without_a_feed_is_refused(aggregator, site, config):
    """A page with no feed is refused with exit status 2, and --no-check adds it all the same."""
    assert aggregator("feeds", "add", f"{site}/missing", config=config).returncode == 2
    assert aggregator("feeds", "add", f"{site}/missing", "--no-check", config=config).returncode == 0
    assert listed(aggregator, config)[0]["url"] == f"{site}/missing"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["https://[x"], "no host"),
        (["no address at all"], "no host"),
        (["https://a.example/", "--country", "Latvia"], "two capital letters"),
        (["https://a.example/", "--language", "Latvian!"], "language tag"),
        (["https://a.example/", "--timezone", "Mars/X"], "IANA name"),
    ],
)
def test_what_the_catalogue_would_refuse_is_not_added(aggregator, config, words, says):
    """`feeds add --no-check` holds a feed to the rules of the files: one line, exit status 2."""
    done = aggregator("feeds", "add", "--no-check", *words, config=config)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_check_tells_feeds_from_others(aggregator, site, config):
    """`check` says what each address is and exits 1 when one is no feed; nothing is stored."""
    done = aggregator("feeds", "check", f"{site}/rss.xml", f"{site}/none", f"{site}/gone", "--json", config=config)
    assert done.returncode == 1
    rows = {row["url"].rpartition("/")[2]: row for row in json.loads(done.stdout)}
    assert rows["rss.xml"]["ok"]
    assert rows["rss.xml"]["entries"] == 1
    assert not rows["none"]["ok"]
    assert rows["gone"]["status"] == 404
    assert aggregator("feeds", "check", f"{site}/rss.xml", config=config).returncode == 0


def test_opml_goes_out_and_comes_in(aggregator, site, config, tmp_path):
    """What `export` writes, `import` reads into another database: same feeds, outlets, countries and languages."""
    aggregator("feeds", "add", f"{site}/rss.xml", "--country", "LV", config=config)
    opml = tmp_path / "feeds.opml"
    opml.write_text(aggregator("feeds", "export", config=config).stdout, encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().replace("a.db", "b.db"))
    aggregator("feeds", "add", f"{site}/sports.xml", config=other)
    done = aggregator("feeds", "import", opml, config=other)
    assert done.returncode == 0, done.stderr
    keys = ("url", "outlet", "country", "language")
    assert [row[k] for row in listed(aggregator, config) for k in keys] == [
        row[k] for row in listed(aggregator, other) for k in keys if row["url"].endswith("rss.xml")
    ]
    again = aggregator("feeds", "import", opml, config=other)
    assert "0 of 1 feeds added" in again.stderr


def test_what_is_no_opml_is_refused(aggregator, config, tmp_path):
    """A file that is no OPML, or has no feed, is exit status 2 and a line that names it."""
    for text in ("no xml at all", "<opml><body/></opml>"):
        file = tmp_path / "x.opml"
        file.write_text(text)
        done = aggregator("feeds", "import", file, config=config)
        assert done.returncode == 2
        assert str(file) in done.stderr
