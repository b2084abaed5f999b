"""Every dialect, from bytes to items."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.config import Limits
from aggregator.models import DateSource, FailureReason, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.feed import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://www.example.lv/feeds/main.xml"

RSS2 = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"
  xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"
  xmlns:atom="http://www.w3.org/2005/Atom"><channel>
<title>Krasta Vēstis</title><link>https://www.example.lv/</link><language>lv-LV</language><ttl>15</ttl>
<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>
<skipHours><hour>0</hour><hour>24</hour><hour>3</hour></skipHours><skipDays><day>Sunday</day></skipDays>
<atom:link rel="hub" href="https://hub.example.org/"/>
<item><title>Ostā nodzēsts &lt;b&gt;ugunsgrēks&lt;/b&gt;</title><link>/raksts/1?utm_source=rss</link>
<guid isPermaLink="false">raksts-1</guid><pubDate>Sun, 01 Mar 2026 09:30:00 +0200</pubDate>
<description><![CDATA[<p>Ostā svētdien nodzēsts ugunsgrēks, cietušo nav.</p>]]></description>
<content:encoded><![CDATA[<p>Ostā svētdien nodzēsts ugunsgrēks.</p><p>Cietušo nav, <a href="/zina">ziņo</a> glābēji.</p><script>x()</script>]]></content:encoded>
<dc:creator>Anna Bērziņa</dc:creator><category>Ziņas</category><category>Osta</category>
<media:thumbnail url="https://img.example.lv/1.jpg" width="100" height="60"/></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="lv"><title type="html">Krasta &amp;amp; Vēstis</title>
<link rel="alternate" href="https://www.example.lv/"/><link rel="hub" href="https://hub.example.org/"/>
<updated>2026-03-01T08:00:00Z</updated><id>tag:example.lv,2026:feed</id>
<entry><title>Ostā nodzēsts ugunsgrēks</title><id>raksts-1</id><link href="https://www.example.lv/raksts/1?utm_source=rss"/>
<published>2026-03-01T07:30:00Z</published><updated>2026-03-01T08:00:00Z</updated>
<author><name>Anna Bērziņa</name></author><category term="Ziņas"/><category term="osta" label="Osta"/>
<summary type="html">&lt;p&gt;Ostā svētdien nodzēsts ugunsgrēks, cietušo nav.&lt;/p&gt;</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Ostā svētdien nodzēsts ugunsgrēks.</p><p>Cietušo nav, <a href="/zina">ziņo</a> glābēji.</p></div></content>
<link rel="enclosure" type="image/jpeg" href="https://img.example.lv/1.jpg"/></entry></feed>"""

ATOM03 = """<feed version="0.3" xmlns="http://purl.org/atom/ns#" xml:lang="lv"><title>Krasta Vēstis</title>
<link rel="alternate" type="text/html" href="https://www.example.lv/"/>
<entry><title>Ostā nodzēsts ugunsgrēks</title><id>raksts-1</id>
<link rel="alternate" type="text/html" href="https://www.example.lv/raksts/1"/><issued>2026-03-01T07:30:00Z</issued>
<modified>2026-03-01T08:00:00Z</modified><author><name>Anna Bērziņa</name></author>
<summary>Ostā svētdien nodzēsts ugunsgrēks, cietušo nav.</summary></entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://www.example.lv/"><title>Krasta Vēstis</title>
<link>https://www.example.lv/</link><dc:language>lv</dc:language></channel>
<item rdf:about="raksts-1"><title>Ostā nodzēsts ugunsgrēks</title><link>https://www.example.lv/raksts/1</link>
<description>Ostā svētdien nodzēsts ugunsgrēks, cietušo nav.</description><dc:date>2026-03-01T07:30:00Z</dc:date>
<dc:creator>Anna Bērziņa</dc:creator></item></rdf:RDF>"""

RSS090 = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://my.netscape.com/rdf/simple/0.9/">
<channel><title>Krasta Vēstis</title><link>https://www.example.lv/</link></channel>
<item><title>Ostā nodzēsts ugunsgrēks</title><link>https://www.example.lv/raksts/1</link></item></rdf:RDF>"""

RSS091 = """<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">
<rss version="0.91"><channel><title>Krasta V&#275;stis</title><link>https://www.example.lv/</link><language>lv</language>
<item><title>Ost&#257; nodz&#275;sts ugunsgr&#275;ks&nbsp;</title><link>https://www.example.lv/raksts/1</link>
<description>Ost&amacr; sv&emacr;tdien nodz&emacr;sts ugunsgr&emacr;ks, cietu&scaron;o nav.</description></item></channel></rss>"""

JSON = """{"version":"https://jsonfeed.org/version/1.1","title":"Krasta Vēstis","home_page_url":"https://www.example.lv/","language":"lv",
"hubs":[{"type":"WebSub","url":"https://hub.example.org/"}],"authors":[{"name":"Anna Bērziņa"}],
"items":[{"id":"raksts-1","url":"https://www.example.lv/raksts/1?utm_source=rss","title":"Ostā nodzēsts ugunsgrēks",
"summary":"Ostā svētdien nodzēsts ugunsgrēks, cietušo nav.","content_html":"<p>Ostā svētdien nodzēsts ugunsgrēks.</p><p>Cietušo nav, <a href=\\"/zina\\">ziņo</a> glābēji.</p>",
"date_published":"2026-03-01T09:30:00+02:00","tags":["Ziņas","Osta"],"image":"https://img.example.lv/1.jpg"}]}"""


def read(body, **more):
    """What one body says."""
    raw = body.encode() if isinstance(body, str) else body
    return parse(ParseJob(raw, URL, NOW, country="LV", outlet="Krasta Vēstis", **more), Limits())


def feed(body, **more):
    """The same, when it must be a feed."""
    found = read(body, **more)
    assert isinstance(found, ParsedFeed), found
    return found


@pytest.mark.parametrize(
    "body",
    [RSS2, ATOM, ATOM03, RDF, RSS090, RSS091, JSON],
    ids=["rss2", "atom1", "atom03", "rdf", "rss090", "rss091", "json"],
)
def test_every_dialect_tells_the_same(body):
    """One article told in seven dialects is the same item, as far as each can say it."""
    found = feed(body)
    (item,) = found.items
    assert found.title.replace(" & ", " ") == "Krasta Vēstis"
    assert found.homepage == "https://www.example.lv/"
    assert item.title == "Ostā nodzēsts ugunsgrēks"
    assert item.canonical_url == "https://example.lv/raksts/1"
    assert item.language == "lv"
    assert found.digests == (item.entry_digest,)
    if "svētdien" in body or "tdien" in body:
        assert item.summary == "Ostā svētdien nodzēsts ugunsgrēks, cietušo nav."
    if "raksts-1" in body:
        assert item.guid == "raksts-1"
    if "07:30" in body or "09:30" in body:
        assert item.published_at == datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
        assert item.date_source is DateSource.FEED
    else:
        assert (item.published_at, item.date_source) == (NOW, DateSource.FIRST_SEEN)
    if "Anna" in body:
        assert item.author == "Anna Bērziņa"


@pytest.mark.parametrize("body", [RSS2, ATOM, JSON])
def test_bodies_tags_and_images(body):
    """Paragraphs, safe HTML with absolute links, tags in order, one image."""
    (item,) = feed(body).items
    assert item.body == "Ostā svētdien nodzēsts ugunsgrēks.\n\nCietušo nav, ziņo glābēji."
    assert 'href="https://www.example.lv/zina"' in item.body_html
    assert "script" not in item.body_html
    assert [tag.casefold() for tag in item.tags] == ["ziņas", "osta"]
    assert item.image_url == "https://img.example.lv/1.jpg"


def test_publishers_hints():
    """ttl, update period, skipped hours (24 is midnight) and days, hub."""
    found = feed(RSS2)
    assert (found.ttl_s, found.update_period_s) == (900, 900)
    assert (found.skip_hours, found.skip_days) == (frozenset({0, 3}), frozenset({6}))
    assert found.hub == "https://hub.example.org/" == feed(ATOM).hub == feed(JSON).hub
    assert found.language == "lv"


@pytest.mark.parametrize(
    "encoding", ["windows-1257", "iso-8859-13", "iso-8859-4", "utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"]
)
@pytest.mark.parametrize("body", [RSS2, ATOM])
def test_dialects_in_other_encodings(body, encoding):
    """The same items come out of other encodings of the same text."""
    declared = encoding.removesuffix("-le").removesuffix("-be").removesuffix("-sig")
    raw = f'<?xml version="1.0" encoding="{declared}"?>\n{body}'.encode(encoding)
    assert [(i.title, i.summary, i.body) for i in feed(raw).items] == [
        (i.title, i.summary, i.body) for i in feed(body).items
    ]


SLIPS = {
    "bare ampersand": "Tom & Jerry a=1&b=2",
    "entity of HTML": "Tom &amp; Jerry&nbsp;a=1&amp;b=2",
    "number of no character": "Tom &#0;&#x1F;&amp; Jerry a=1&amp;b=2",
    "control character": "Tom \x08\x1b&amp; Jerry a=1&amp;b=2",
}


@pytest.mark.parametrize("title", SLIPS.values(), ids=SLIPS)
def test_common_slips_are_mended(title):
    """Slips that make XML malformed neither lose the feed nor show."""
    (item,) = feed(
        f"<rss version='2.0'><channel><title>t</title><item><title>{title}</title><guid>1</guid></item></channel></rss>"
    ).items
    assert item.title == "Tom & Jerry a=1&b=2"


def test_undeclared_prefixes_and_trailing_junk():
    """A prefix without declaration means what it usually does; what stands behind the root does not matter."""
    (item,) = feed(
        "<rss><channel><item><title>Title</title><dc:creator>Anna</dc:creator><foo:bar>x</foo:bar></item></channel></rss>\n<script>x</script><!-- y"
    ).items
    assert (item.title, item.author) == ("Title", "Anna")


def test_markup_that_is_no_xml_is_still_read():
    """Unclosed tags and an end cut off cost what they cover, no more; a warning says so."""
    found = feed(
        "<rss version='2.0'><channel><title>t</title><item><title>One</title><link>https://e.lv/1</link><description><p>Text <br> more</description></item><item><title>Two</title><link>https://e.lv/2</link></ite"
    )
    assert [item.title for item in found.items] == ["One", "Two"]
    assert any("not well-formed" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", FailureReason.NOT_A_FEED),
        (b"   \n ", FailureReason.NOT_A_FEED),
        (b"<!DOCTYPE html><html><head><title>x</title></head><body>rss</body></html>", FailureReason.NOT_A_FEED),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><body><p>Not found</p></body></html>", FailureReason.NOT_A_FEED),
        (
            b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>x</loc></url></urlset>",
            FailureReason.NOT_A_FEED,
        ),
        (b"just words", FailureReason.NOT_A_FEED),
        (b"\x89PNG\r\n\x1a\n", FailureReason.NOT_A_FEED),
        (b'{"error": "no"}', FailureReason.NOT_A_FEED),
        (b"[1, 2]", FailureReason.NOT_A_FEED),
        (b"{", FailureReason.NOT_A_FEED),
        (b"/etc/passwd", FailureReason.NOT_A_FEED),
        (b"<opml version='2.0'><body><outline type='rss' xmlUrl='x'/></body></opml>", FailureReason.NOT_A_FEED),
    ],
)
def test_what_is_no_feed_is_a_value(body, reason):
    """Pages, pictures, other XML and JSON are told apart from feeds, in words."""
    found = read(body)
    assert isinstance(found, ParseFailed)
    assert found.reason is reason
    assert found.detail.isprintable()


def test_an_empty_feed_is_a_feed():
    """No entries is no failure."""
    assert feed("<rss version='2.0'><channel><title>t</title></channel></rss>").items == ()
    assert feed('{"version":"https://jsonfeed.org/version/1.1","title":"t","items":[]}').items == ()


def test_a_date_in_the_future_is_clamped():
    """An item is never from after the moment it was first seen; the raw date is kept."""
    later = (NOW + timedelta(days=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    (item,) = feed(f"<rss><channel><item><title>x</title><pubDate>{later}</pubDate></item></channel></rss>").items
    assert (item.published_at, item.date_source, item.published_raw) == (NOW, DateSource.CLAMPED, later)


def test_texts_that_say_more_than_a_summary():
    """A long description is the body and the summary its lead; a body that repeats the summary is none."""
    text = "".join(f"<p>Sentence number {n} of a long report about the harbour.</p>" for n in range(60))
    (item,) = feed(
        f"<rss><channel><item><title>x</title><description><![CDATA[{text}]]></description></item></channel></rss>"
    ).items
    assert item.body.count("\n\n") == 59
    assert 100 < len(item.summary) <= 500
    (same,) = feed(
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x</title><id>1</id><summary>Same</summary><content>Same</content></entry></feed>"
    ).items
    assert (same.summary, same.body, same.body_html) == ("Same", "", "")


def test_limits_are_kept():
    """Entries, titles, summaries and bodies are cut to what the configuration allows."""
    limits = Limits(max_entries=3, max_title_chars=20, max_summary_chars=50, max_body_chars=100)
    items = "".join(
        f"<item><title>{'word ' * 50}{n}</title><guid>{n}</guid><description>{'word ' * 50}</description></item>"
        for n in range(9)
    )
    found = parse(ParseJob(f"<rss><channel>{items}</channel></rss>".encode(), URL, NOW), limits)
    assert isinstance(found, ParsedFeed)
    assert len(found.items) == len(found.digests) == 3
    assert all(len(i.title) <= 20 and len(i.summary) <= 50 and len(i.body) <= 100 for i in found.items)
    assert found.warnings


def test_the_hash_ignores_what_is_no_edit():
    """White space, case, punctuation and counters of readers change no hash; a word or a number does."""

    def hashed(title, text):
        (item,) = feed(
            f"<rss><channel><item><title>{title}</title><description>{text}</description></item></channel></rss>"
        ).items
        return item.content_hash

    base = hashed("Three hurt in fire", "The fire is out. 1 204 views")
    assert hashed("Three hurt in  FIRE!", "The fire is out. 2 377 views") == base
    assert hashed("Four hurt in fire", "The fire is out. 1 204 views") != base
    assert hashed("Three hurt in fire", "The fire is not out. 1 204 views") != base


def test_the_language_of_the_item_not_of_the_feed():
    """A Russian item in a Latvian feed is Russian."""
    (item,) = feed(
        "<rss><channel><language>lv</language><item><title>Пожар в порту потушен, сообщили спасатели</title></item></channel></rss>"
    ).items
    assert item.language == "ru"


def test_the_link_of_an_entry_is_the_best_that_it_has():
    """The front page as the link gives way to an address in the id; an alternate that is no page counts before a bare id."""
    rss = read(
        '<rss version="2.0"><channel><title>T</title><link>https://www.example.lv/</link><item><title>The port is open</title>'
        "<link>https://www.example.lv/</link><guid>https://www.example.lv/raksts/7</guid></item></channel></rss>"
    )
    assert rss.items[0].url == "https://www.example.lv/raksts/7"
    for base in ("", ' xml:base="https://www.example.lv/"'):  # the quick reader's, and feedparser's
        atom = read(
            f'<feed xmlns="http://www.w3.org/2005/Atom"{base}><title>T</title><id>f</id><entry><id>urn:2</id><title>The budget</title>'
            '<link rel="self" href="/self"/><link rel="alternate" type="application/pdf" href="/budget.pdf"/></entry></feed>'
        )
        assert atom.items[0].url == "https://www.example.lv/budget.pdf"
    feed = read(
        '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "https://www.example.lv/r/3", "content_text": "x"}]}'
    )
    assert feed.items[0].url == "https://www.example.lv/r/3"


def test_warnings_of_a_program_before_the_feed_are_passed_over():
    """What a PHP program complains of before the XML declaration does not cost the feed; a page that quotes XML stays a page."""
    warning = "<br />\n<b>Warning</b>: Undefined index in /srv/rss.php on line 3<br />\n"
    document = (
        '<?xml version="1.0"?><rss version="2.0"><channel><item><title>The port is open</title></item></channel></rss>'
    )
    assert [item.title for item in read(warning + document).items] == ["The port is open"]
    page = parse(ParseJob(f"<html><body>{document}</body></html>".encode(), URL, NOW), Limits())
    assert page.reason is FailureReason.NOT_A_FEED
