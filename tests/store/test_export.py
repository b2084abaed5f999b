import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import timedelta

import feedparser
import pytest

from aggregator.errors import UsageError
from aggregator.store.enrichment import MadeTexts
from aggregator.store.export import export_items, export_stories
from aggregator.store.following import Wanted
from aggregator.store.reader import open_reader

from .conftest import NOW, SPECS, make_item

DIENA, PAEV, DAILY, YOMI, SPORT = (spec.url for spec in SPECS)
HOUR = timedelta(hours=1)
NASTY = "He said \"<b>stop</b>\", 'then' & left, = SUM(A1)"


@pytest.fixture
def reader(desk):
    """Two stories of several outlets, one of one outlet, texts that want escaping."""
    desk.poll(DIENA, make_item(1, NASTY, language="lv", summary="Line one,\nline two", body="Teksts", tags=("a",)))
    desk.poll(PAEV, make_item(2, "Praam madalikul", language="et", at=NOW + HOUR))
    desk.poll(YOMI, make_item(3, "フェリー座礁", language="ja", at=NOW + 2 * HOUR), make_item(4, "雨", language="ja"))
    desk.poll(DAILY, make_item(5, "الفيضانات في المدينة", language="ar", at=NOW + 3 * HOUR, url="javascript:alert(1)"))
    desk.poll(SPORT, make_item(6, "Old", at=NOW - 99 * HOUR))
    desk.group((1, 2, 3), (4, 5), (6,))
    desk.writer.apply_assignments([], leads={2: 5}, now=NOW)
    with open_reader(desk.writer.path) as reader:
        yield reader


def items(reader, form, **given):
    """Items as bytes."""
    out = io.BytesIO()
    count = export_items(reader, form, out, since=NOW - HOUR, **given)
    return count, out.getvalue()


def stories(reader, form, **given):
    """Stories as bytes."""
    out = io.BytesIO()
    count = export_stories(reader, form, out, since=NOW - HOUR, **given)
    return count, out.getvalue()


def test_items_as_json_lines(reader):
    """One object a line, every text as it is, in order of time; only what was asked for."""
    count, data = items(reader, "jsonl")
    rows = [json.loads(line) for line in data.splitlines()]
    assert count == 5
    assert [r["item_id"] for r in rows] == [1, 4, 2, 3, 5]
    assert [r["published_at"] for r in rows] == sorted(r["published_at"] for r in rows)
    first = rows[0]
    assert (first["title"], first["summary"], first["body"]) == (NASTY, "Line one,\nline two", "Teksts")
    assert (first["country"], first["flag"], first["outlet"], first["similar_count"], first["story_id"]) == (
        "LV",
        "🇱🇻",
        "Dienas Ziņas",
        2,
        1,
    )
    assert [json.loads(line)["language"] for line in items(reader, "jsonl", language="et")[1].splitlines()] == ["et"]
    assert items(reader, "jsonl", country="lv")[0] == 1


def test_items_as_csv(reader):
    """Commas, quotes and line breaks come back as they were (RFC 4180); NULL is empty."""
    count, data = items(reader, "csv")
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert len(rows) == count == 5
    assert (rows[0]["title"], rows[0]["summary"], rows[0]["reprint_of"]) == (NASTY, "Line one,\nline two", "")
    assert b"\r\n" in data


def test_items_as_parquet(reader):
    """A Parquet file with the same values and types that say what they are."""
    from arro3 import io as arrow

    count, data = items(reader, "parquet")
    table = arrow.read_parquet(io.BytesIO(data)).read_all()
    assert table.num_rows == count == 5
    assert table["title"].to_pylist()[0] == NASTY
    assert table["similar_count"].to_pylist()[0] == 2
    assert table["reprint_of"].to_pylist()[0] is None
    assert "Float64" in str(table.schema.field("similarity").type)


def test_parquet_without_its_part(reader, monkeypatch):
    """Without the optional library the error says what to install."""
    from aggregator.store import parquet

    monkeypatch.setattr(parquet, "core", None)
    with pytest.raises(UsageError, match=r"pip install 'aggregator\[parquet\]'"):
        items(reader, "parquet")


def test_stories_as_json_lines_and_tables(reader):
    """A story has its items with it in jsonl; csv and parquet have a row a story; the filters hold."""
    count, data = stories(reader, "jsonl")
    rows = [json.loads(line) for line in data.splitlines()]
    assert count == 2
    assert [r["story_id"] for r in rows] == [2, 1]
    assert [i["item_id"] for i in rows[1]["items"]] == [1, 2, 3]
    assert stories(reader, "jsonl", min_outlets=3)[0] == 1
    assert stories(reader, "csv", country="ee")[0] == 1
    assert stories(reader, "parquet", language="ar")[0] == 1
    assert stories(reader, "jsonl", country="FR")[0] == 0


@pytest.mark.parametrize("given", [{}, {"country": "JP"}, {"min_outlets": 3}, {"country": "FR"}], ids=str)
def test_stories_as_atom(reader, given):
    """Feed readers take it: feedparser finds no fault, ids stay, links are the web's, titles are whole, also with no story."""
    count, data = stories(reader, "atom", **given)
    feed = feedparser.parse(io.BytesIO(data))
    assert not feed.bozo
    assert feed.version == "atom10"
    assert len(feed.entries) == count
    assert feed.feed.id.startswith("urn:uuid:")
    assert feed.feed.updated
    for entry in feed.entries:
        assert entry.id.startswith("urn:uuid:")
        assert entry.updated_parsed
        assert entry.published_parsed
        assert entry.authors
        assert "<script" not in entry.content[0].value
    assert data == stories(reader, "atom", **given)[1]


def test_the_atom_feeds_texts(reader):
    """Markup in a title is text, a link that is not the web's is none, each title names its language and direction."""
    root = ET.fromstring(stories(reader, "atom")[1])  # noqa: S314  made by us
    ns = "{http://www.w3.org/2005/Atom}"
    arabic, latvian = root.findall(f"{ns}entry")
    assert latvian.find(f"{ns}title").text == f"🇱🇻🇪🇪🇯🇵 {NASTY}"
    html = latvian.find(f"{ns}content").text
    assert "&lt;b&gt;stop&lt;/b&gt;" in html
    assert '<bdi lang="ja">フェリー座礁</bdi>' in html
    assert 'href="https://news.example/2"' in html
    assert arabic.find(f"{ns}link") is None
    assert "javascript:" not in arabic.find(f"{ns}content").text
    assert [c.get("term") for c in latvian.findall(f"{ns}category")] == ["LV", "EE", "JP", "lv", "et", "ja"]


def test_stories_as_json_feed(reader):
    """What JSON Feed 1.1 demands is there: version, title, items with id and content; dates are RFC 3339."""
    count, data = stories(reader, "jsonfeed")
    feed = json.loads(data)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"]
    assert len(feed["items"]) == count == 2
    story = feed["items"][1]
    assert story["id"].startswith("urn:uuid:")
    assert story["url"] == "https://news.example/1"
    assert story["date_published"] == "2026-02-25T06:23:00Z"
    assert story["content_html"].startswith("<ol><li>")
    assert story["_aggregator"]["outlet_count"] == 3
    assert "url" not in feed["items"][0]


def test_feeds_of_stories_carry_one_sentence_and_name_a_machine(desk, reader):
    """The summary is the one sentence that was chosen, not the whole description; what a machine translated says so."""
    followed = desk.writer.follow(99)
    chosen = MadeTexts("lv", "", "Line one,", "extractive")
    desk.writer.seen(followed, {1: chosen}, Wanted(), now=NOW)
    assert json.loads(stories(reader, "jsonfeed")[1])["items"][1]["summary"].endswith("3 countries. Line one,")
    desk.writer.save_item_texts(1, MadeTexts("en", "Stop, he said", "He said stop.", "machine", "", "mt 1"), now=NOW)
    told = json.loads(stories(reader, "jsonfeed")[1])["items"][1]
    assert (told["title"], told["language"]) == ("🇱🇻🇪🇪🇯🇵 Stop, he said", "en")
    assert told["summary"].endswith("3 countries. He said stop. (machine translation)")
    assert told["_aggregator"]["reader_origin"] == "machine"
    entry = feedparser.parse(io.BytesIO(stories(reader, "atom")[1])).entries[1]
    assert entry.summary == told["summary"]
    row = json.loads(stories(reader, "jsonl")[1].splitlines()[1])
    assert (row["sentence"], row["reader_origin"], row["reader_model"]) == ("Line one,", "machine", "mt 1")
    assert json.loads(items(reader, "jsonl")[1].splitlines()[0])["sentence"] == "Line one,"


def test_the_feeds_as_opml(reader):
    """The catalogue as OPML 2.0: a folder a country, every feed with its address."""
    root = ET.fromstring(reader.opml())  # noqa: S314  made by us
    assert root.get("version") == "2.0"
    assert {o.get("xmlUrl") for o in root.iter("outline") if o.get("type") == "rss"} == {s.url for s in SPECS}


def test_a_form_that_is_none(reader):
    """A form that does not exist, or not for items, is refused with those that do."""
    with pytest.raises(UsageError, match="jsonl, csv, parquet"):
        items(reader, "atom")
    with pytest.raises(UsageError, match="jsonfeed"):
        stories(reader, "xlsx")
