"""The rendered feeds, read back by feedparser and json."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO

import feedparser
import pytest

from aggregator.demo.feeds import render
from aggregator.demo.samples import load_outlets

NOW = datetime(2026, 2, 25, 6, 23, 41, tzinfo=UTC)
WEST = timedelta(hours=-6)  # CST
ZONES = {"EET": timedelta(hours=2), "CET": timedelta(hours=1), "CST": WEST, "KST": timedelta(hours=9)}
OUTLETS = load_outlets()
XML = [o for o in OUTLETS if o.format != "json"]
JSON = [o for o in OUTLETS if o.format == "json"]


def expected(outlet, after_min=0):
    """The items that the feed must show, newest first."""
    shown = [item for item in outlet.items if item.appears_min <= after_min]
    return sorted(shown, key=lambda item: (-item.ago_min, item.ref), reverse=True)


def instant(raw):
    """An instant from a feed's date, zone names by the table above: feedparser reads some of them wrongly."""
    if raw[:4].isdigit():
        return datetime.fromisoformat(raw).astimezone(UTC)
    head, _, zone = raw.rpartition(" ")
    if zone in ZONES:
        return parsedate_to_datetime(f"{head} +0000") - ZONES[zone]
    return parsedate_to_datetime(raw).astimezone(UTC)


def text(markup):
    """The text of a feed's HTML or plain summary."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def published(item):
    """When the item was published, to the second."""
    return NOW.replace(microsecond=0) - timedelta(minutes=item.ago_min)


@pytest.mark.parametrize("outlet", XML, ids=lambda o: o.slug)
@pytest.mark.parametrize("after_min", [0, 10])
def test_xml_feeds_are_read_back(outlet, after_min):
    """Read by feedparser, each item is there with its title, link, time and summary, and nothing to complain of."""
    feed = render(outlet, NOW, after_min, "http://127.0.1.1:8000/x")
    read = feedparser.parse(BytesIO(feed.body), response_headers={"content-type": feed.content_type})
    assert not read.bozo, read.get("bozo_exception")
    assert read.encoding.lower() == outlet.encoding
    assert read.version == {"rss2": "rss20", "atom": "atom10", "rdf": "rss10"}[outlet.format]
    assert read.feed.title == outlet.outlet
    assert read.feed.link == outlet.site
    items = expected(outlet, after_min)
    assert [e.link for e in read.entries] == [i.link for i in items]
    for entry, item in zip(read.entries, items, strict=True):
        late = item.revised and item.revised.appears_min <= after_min
        told = item.revised if late else item
        assert text(entry.title) == told.title
        assert text(entry.summary) == told.summary
        date = entry.get("published") or entry["updated"]
        assert instant(date) == published(item)
        assert bool(entry.get("content")) == bool(item.body)
        if item.body:
            assert text(entry.content[0].value.replace("</p><p>", "</p>\n\n<p>")) == item.body
        if outlet.guids == "number":
            assert entry.id == str(item.number)


@pytest.mark.parametrize("outlet", JSON, ids=lambda o: o.slug)
@pytest.mark.parametrize("after_min", [0, 10])
def test_json_feeds_are_read_back(outlet, after_min):
    """A JSON Feed 1.1 says the same: version, titles, links, times, summaries, texts."""
    read = json.loads(render(outlet, NOW, after_min, "http://127.0.1.1:8000/x").body)
    assert read["version"] == "https://jsonfeed.org/version/1.1"
    assert (read["title"], read["home_page_url"]) == (outlet.outlet, outlet.site)
    items = expected(outlet, after_min)
    for entry, item in zip(read["items"], items, strict=True):
        assert (entry["url"], entry["title"], entry["summary"]) == (item.link, item.title, item.summary)
        assert instant(entry["date_published"]) == published(item)
        assert ("content_html" in entry) != ("content_text" in entry)


@pytest.mark.parametrize("outlet", OUTLETS, ids=lambda o: o.slug)
def test_no_date_lies_after_now(outlet):
    """Items that appear later are dated before the start, so that no reader has to distrust them."""
    assert render(outlet, NOW, 10**6).modified <= NOW


def test_bytes_are_the_same_for_the_same_instant():
    """Rendering is pure, and moves with `now`."""
    for outlet in OUTLETS:
        assert render(outlet, NOW) == render(outlet, NOW)
        assert render(outlet, NOW).body != render(outlet, NOW + timedelta(minutes=1)).body


def test_what_appears_changes_the_feed():
    """A dozen items and an edit come after ten minutes, in several outlets; the other feeds stay as they are."""
    before = {o.slug: render(o, NOW).body for o in OUTLETS}
    changed = [o for o in OUTLETS if render(o, NOW, 10).body != before[o.slug]]
    assert 5 <= len(changed) < len(OUTLETS)
    assert all(render(o, NOW, 10).modified > render(o, NOW).modified for o in changed)
    edited = next(i for o in OUTLETS for i in o.items if i.revised)
    outlet = next(o for o in OUTLETS if edited in o.items)
    assert edited.revised.title not in before[outlet.slug].decode(outlet.encoding)
    assert edited.revised.title in render(outlet, NOW, 10).body.decode(outlet.encoding)


def test_encodings_are_real():
    """The bytes are in the declared encoding, so that reading them as UTF-8 fails."""
    for outlet in OUTLETS:
        body = render(outlet, NOW).body
        if outlet.encoding == "utf-8":
            body.decode()
        else:
            assert f'encoding="{outlet.encoding}"'.encode() in body[:60]
            with pytest.raises(UnicodeDecodeError):
                body.decode()
