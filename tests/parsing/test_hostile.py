"""Bodies made to hurt: each costs a bounded time, and is a value at the end."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.config import Limits
from aggregator.models import FailureReason, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.feed import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 5  # of CPU, on a slow and busy machine; most cases take hundredths


def rss(inside, before=""):
    """A well-formed feed around something."""
    return f"{before}<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>t</title>{inside}</channel></rss>".encode()


def item(inside):
    """An item that is fine but for one thing."""
    return f"<item><title>Fine</title><link>https://e.example/1</link>{inside}</item>"


def read(body):
    """The answer, within the time."""
    start = time.process_time()
    found = parse(ParseJob(body, "https://e.example/feed", NOW, "text/xml"), Limits())
    assert time.process_time() - start < SECONDS
    return found


LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)) + "]>"
)

READ = {
    "nested tags in a description": rss(item("<description>" + "&lt;div&gt;" * 100_000 + "</description>")),
    "nested tags in CDATA": rss(item("<description><![CDATA[" + "<b>" * 300_000 + "]]></description>")),
    "author of 20 kB": rss(item("<author>" + "a" * 20_000 + "</author>")),
    "author of 2 MB": rss(item("<dc:creator>" + "a.b-" * 500_000 + "</dc:creator>")),
    "author in pieces": rss(item("<author>" + "aaaaaaaaaa<!--x-->" * 20_000 + "</author>")),
    "author where no XML is": rss(item("<author>" + "a" * 200_000 + "</author><b>")),
    "author in Atom": f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>Fine</title><author><name>{'a' * 50_000}</name></author></entry></feed>".encode(),
    "keywords": rss(item("<keywords>" + ",".join(map(str, range(100_000))) + "</keywords>")),
    "white space before the feed": b'<?xml version="1.0"?>' + b" " * 2_000_000 + rss(item("")),
    "undefined encoding": b'<?xml version="1.0" encoding="undefined"?>' + rss(item("")),
    "codec that is no charset": b'<?xml version="1.0" encoding="zlib_codec"?>'
    + rss(item("")).replace(b"Fine", b"Fine\xff"),
    "entities that nest": rss(item("<description>&a9;</description>"), LAUGHS),
    "external entity": rss(
        item("<description>&x;</description>"), '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    ),
    "long title": rss("<item><title>" + "Fine " * 500_000 + "</title></item>"),
    "long date": rss(item("<pubDate>" + "1 " * 500_000 + "</pubDate>")),
    "open comments": rss(item("<description>" + "&lt;!--" * 100_000 + "</description>")),
    "stray ampersands": rss(item("<description>" + "& " * 100_000 + "</description>")),
    "categories where no XML is": rss(item("".join(f"<category>{n}</category>" for n in range(20_000))) + "<b>"),
    "marks on one letter": rss(item("<description>a" + "\u0301\u0323" * 60_000 + "</description>")),
    "namespaces": rss(item("<a " + " ".join(f'xmlns:a{n}="urn:{n}"' for n in range(10_000)) + "/>")),
    "20,000 entries": rss(item("") * 20_000),
    "20,000 entries where no XML is": rss(item("") * 20_000 + "<b>"),
}
REFUSED = {
    "elements 100,000 deep": rss("<a>" * 100_000 + "</a>" * 100_000),
    "elements 100,000 deep and open": rss(item("<a>" * 100_000)),
    "attributes": rss(item("<a " + " ".join(f'a{n}="x"' for n in range(20_000)) + "/>")),
    "categories of the feed": rss("".join(f"<category>{n}</category>" for n in range(20_000))),
    "large document type": rss(item(""), f'<!DOCTYPE x [<!ENTITY a "{"x" * 100_000}">]>'),
    "entity often used": rss(
        item("<description>" + "&a;" * 50_000 + "</description>"), f'<!DOCTYPE x [<!ENTITY a "{"x" * 150}">]>'
    ),
    "JSON 1,000,000 deep": b'{"version":"https://jsonfeed.org/version/1.1","items":[' + b"[" * 1_000_000,
    "a file's name": b"/etc/passwd",
}


@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_the_rest_of_the_feed_is_read(body):
    """One hostile part costs little, and the item around it is still there."""
    found = read(body)
    assert isinstance(found, ParsedFeed)
    assert found.items[0].title.startswith("Fine")
    assert len(found.items) <= 500
    assert "root:" not in found.items[0].summary


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_can_only_hurt_is_refused(body):
    """Refusals are values with a reason in words."""
    found = read(body)
    assert isinstance(found, ParseFailed)
    assert found.reason in (FailureReason.PARSE, FailureReason.NOT_A_FEED)
    assert found.detail.isprintable()


def test_an_entry_with_too_many_elements_is_left_out():
    """30,000 different categories, compared each with each, would take minutes: that entry goes, the others stay."""
    found = read(
        rss(item("".join(f"<category>{n}</category>" for n in range(30_000))) + "<item><title>Other</title></item>")
    )
    assert isinstance(found, ParsedFeed)
    assert [one.title for one in found.items] == ["Other"]
    assert found.warnings


SEEDS = [rss(item("<description>&lt;p&gt;x&lt;/p&gt;</description><pubDate>Sun, 01 Mar 2026 09:30:00 EET</pubDate>") * 2), b'{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"x"}]}',
         b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title type='xhtml'><div>x</div></title><id>1</id></entry></feed>"]  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 30), st.binary(max_size=8)), max_size=4),
)
def test_no_damage_makes_the_parser_fail(seed, edits):
    """Feeds with bytes cut out and put in anywhere are read or refused; no exception is behind the answer."""
    body = seed
    for at, length, new in edits:
        body = body[:at] + new + body[at + length :]
    found = read(body)
    assert isinstance(found, ParsedFeed) or "the parser failed" not in found.detail
