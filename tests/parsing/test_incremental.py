"""Parsing only what is new gives what a full parse gives."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.config import Limits
from aggregator.models import ParsedFeed, ParseJob
from aggregator.parsing.feed import parse
from aggregator.parsing.feed_judge import read_document
from aggregator.parsing.layout import Layout, lay_out
from aggregator.parsing.quick import quick_entries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = ParseJob(b"", "https://example.org/feed", NOW)

RSS_PARTS = [
    "<title>Fire in port</title>", "<title><![CDATA[A <item> in </item> text]]></title>", "<link>https://example.org/1</link>", "<link/>",
    "<guid>https://example.org/2</guid>", "<guid isPermaLink='false'>7</guid>", "<pubDate>Sun, 01 Mar 2026 09:30:00 +0200</pubDate>",
    "<description>&lt;p&gt;Text&lt;/p&gt;</description>", "<description><p>inline <b>markup</b></p></description>", "<description/>",
    "<dc:creator>Anna (anna@example.org)</dc:creator>", "<author>a@example.org (Anna)</author>", "<dc:date>2026-03-01</dc:date>",
    "<content:encoded><![CDATA[<p>Body</p>]]></content:encoded>", "<category>News</category>", "<media:content url='x.jpg' medium='image'><media:title>M</media:title></media:content>",
    "<media:group><media:description>D</media:description></media:group>", "<source url='https://s.example/'>Source</source>", "<dc:language>lv</dc:language>",
    "<enclosure url='e.jpg' type='image/jpeg' length='1'/>", "<x:own xmlns:x='urn:own' a='1'>own</x:own>", "<itunes:author>I</itunes:author>", "<!-- <item> -->", "text", "<image><url>i.png</url></image>",
    "<textInput><name>n</name></textInput>", "<summary>S</summary>", "<description><title>T</title></description>", "<p xml:base='/sub/'>x</p>", "<dc:title>Second</dc:title>",
    "<media:thumbnail xmlns:media='http://search.yahoo.com/mrss/' url='t.jpg'/>", "<title>Twice</title>", "<svg>x</svg>", "<body xmlns='http://www.w3.org/1999/xhtml'><p>B</p></body>",
]  # fmt: skip
ATOM_PARTS = [
    "<title>Fire</title>", "<title type='html'>&lt;b&gt;Fire&lt;/b&gt;</title>", "<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>X</div></title>", "<id>1</id>", "<link href='/1'/>",
    "<link rel='alternate' type='text/plain' href='/2'/>", "<link rel='enclosure' type='image/png' href='e.png'/>", "<published>2026-03-01T07:30:00Z</published>", "<updated>2026-03-01T08:00:00Z</updated>",
    "<author><name>Anna</name><email>a@example.org</email></author>", "<author/>", "<contributor><name>C</name></contributor>", "<summary>S</summary>", "<summary type='html'>&lt;i&gt;S&lt;/i&gt;</summary>",
    "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>P <title>t</title></p></div></content>", "<content type='html'>&lt;p&gt;C&lt;/p&gt;</content>", "<content src='https://example.org/c'/>",
    "<content type='text'>plain</content>", "<content type='image/png'>aGVsbG8=</content>", "<category term='t' label='L'/>", "<source><title>Src</title><id>s</id></source>", "<rights>R</rights>",
    "<content xml:lang='de' type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><svg xmlns='http://www.w3.org/2000/svg'><title>v</title></svg></div></content>", "<thr:total xmlns:thr='http://purl.org/syndication/thread/1.0'>3</thr:total>",
    "<summary><content>nested</content></summary>", "<link rel='alternate' href='/3' xml:base='https://other.example/'/>", "stray", "<m:math xmlns:m='http://www.w3.org/1998/Math/MathML'>x</m:math>",
]  # fmt: skip
HEADS = [
    "",
    "<title>Feed</title>",
    "<link>https://example.org/</link>",
    "<image><title>I</title><url>u</url></image>",
    "<language>lv</language>",
    "<content:encoded>h</content:encoded>",
    "<description><p>x</p></description>",
    "<textInput><title>q</title></textInput>",
]
NAMESPACES = "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:content='http://purl.org/rss/1.0/modules/content/' xmlns:media='http://search.yahoo.com/mrss/' xmlns:itunes='http://www.itunes.com/DTDs/PodCast-1.0.dtd'"


def rss(entries, head=""):
    """An RSS 2.0 document."""
    return f"<rss version='2.0' {NAMESPACES}><channel>{head}{''.join(f'<item>{entry}</item>' for entry in entries)}</channel></rss>"


def atom(entries, head=""):
    """An Atom document."""
    head = head.replace("<link>https://example.org/</link>", "<link href='https://example.org/'/>")
    return f"<feed xmlns='http://www.w3.org/2005/Atom' {NAMESPACES}>{head}{''.join(f'<entry>{entry}</entry>' for entry in entries)}</feed>"


def rdf(entries, head=""):
    """An RSS 1.0 document."""
    items = "".join(f"<item rdf:about='u{n}'>{entry}</item>" for n, entry in enumerate(entries))
    root = "rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'"
    return f"<{root} {NAMESPACES}><channel>{head}</channel>{items}</rdf:RDF>"


entry_of = {rss: RSS_PARTS, rdf: RSS_PARTS, atom: ATOM_PARTS}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_subset_of_entries_reads_as_in_the_whole(data):
    """Entries made of odd parts in any order: where the layout is regular, each reads alone as it does among the others.

    And what is read without feedparser is what it reads.
    """
    make = data.draw(st.sampled_from([rss, atom, rdf]))
    entry = st.lists(st.sampled_from(entry_of[make]), max_size=6).map("".join)
    text = make(
        data.draw(st.lists(entry, min_size=1, max_size=6)),
        data.draw(st.lists(st.sampled_from(HEADS), max_size=3).map("".join)),
    )
    layout = lay_out(text)
    assert isinstance(layout, Layout)
    if not layout.regular:
        return
    try:
        full = read_document(layout.data)
    except KeyError:  # feedparser's own, on <textInput> inside an entry
        return
    assert full is not None
    for quick, judged in zip(quick_entries(layout.data, len(full.entries)), full.entries, strict=True):
        assert quick is None or quick == judged
    chosen = data.draw(st.lists(st.booleans(), min_size=len(layout.entries), max_size=len(layout.entries)))
    part = read_document(layout.without(span for span, take in zip(layout.entries, chosen, strict=True) if not take))
    assert part is not None
    assert part.entries == tuple(entry for entry, take in zip(full.entries, chosen, strict=True) if take)
    assert replace(part, entries=()) == replace(full, entries=())


@pytest.mark.parametrize(
    "text",
    [
        rss(["<link xml:base='https://other.example/'>a</link><title>x</title>", "<link>b</link>"]),
        rss(["<description>a <title>b</title></description>", "<description>&lt;p&gt;c</description><title>d</title>"]),
        rss(["<item><title>inner</title></item>", "<title>x</title>"]),
        rss(["<title>x</title>"], "<content:encoded>h</content:encoded>"),
        rss(["<a xmlns:dc='urn:mine'/>", "<title>x</title>"]),
        "<rss><channel><title>t</title></channel><item><title>x</title></item></rss>",
        "<feed xmlns='urn:unknown'><entry><title>x</title></entry></feed>".replace("<feed", "<root><feed") + "</root>",
    ],
)
def test_what_could_leak_is_parsed_as_a_whole(text):
    """Documents in which feedparser's state would pass from one entry to the next are recognised as such."""
    layout = lay_out(text)
    assert isinstance(layout, Layout)
    assert not layout.regular


PLAIN = [
    part
    for part in RSS_PARTS
    if part.startswith(
        (
            "<title>F",
            "<link>",
            "<guid",
            "<pubDate",
            "<description>&",
            "<dc:c",
            "<dc:d",
            "<content:",
            "<cat",
            "<encl",
            "<source",
            "<media:thumb",
        )
    )
]


@settings(max_examples=100, deadline=None)
@given(
    st.permutations(PLAIN),
    st.integers(0, len(PLAIN)),
    st.sampled_from(
        [
            "Fire",
            "",
            "A &amp;amp; B",
            " \u00a0x\u3000 ",
            "Ã©tÃ©",
            "caf\u0092s",
            "&lt;b&gt;x&lt;/b&gt; &#8211; y",
            "ā 火",
        ]
    ),
)
def test_plain_entries_are_read_without_feedparser_to_the_same_result(parts, count, text):
    """Elements that news feeds are made of, in any order, with texts of all kinds, need no feedparser."""
    entry = "".join(dict.fromkeys(part.replace("Fire in port", text).replace("News", text) for part in parts[:count]))
    layout = lay_out(rss([entry], "<title>Feed</title>"))
    (quick,) = quick_entries(layout.data, 1)
    full = read_document(layout.data)
    if entry.count("<guid") < 2:
        assert quick is not None
    assert quick is None or quick == full.entries[0]


def test_the_leaks_are_real():
    """Without that check the results would differ: a base address inside one entry moves the next entry's link."""
    layout = lay_out(rss(["<p xml:base='https://other.example/'/><title>x</title>", "<title>y</title><link>b</link>"]))
    assert isinstance(layout, Layout)
    full, alone = read_document(layout.data), read_document(layout.without(layout.entries[:1]))
    assert full is not None
    assert alone is not None
    assert full.entries[1] != alone.entries[0]


def test_an_entry_that_breaks_the_parser_costs_only_itself():
    """Feedparser raises KeyError on a text input inside an entry: the other entries are read all the same."""
    text = rss(
        ["<title>One</title>", "<textInput><name>n</name></textInput><title>Two</title>", "<title>Three</title>"]
    )
    found = parse(replace(JOB, body=text.encode()), Limits())
    assert isinstance(found, ParsedFeed)
    assert [item.title for item in found.items] == ["One", "Three"]
    assert any("parser failed" in warning for warning in found.warnings)


def test_empty_entries_do_not_swallow_their_neighbours():
    """<item/> is an entry of its own, without anything to store."""
    found = parse(
        replace(JOB, body=b"<rss><channel><title>t</title><item/><item><title>x</title></item><item/></channel></rss>"),
        Limits(),
    )
    assert isinstance(found, ParsedFeed)
    assert [item.title for item in found.items] == ["x"]
    assert len(found.digests) == 3


def numbered(numbers):
    """A feed with these entries."""
    return rss(
        [f"<title>Report number {n}</title><guid>{n}</guid><description>Text {n}</description>" for n in numbers],
        "<title>Feed</title>",
    ).encode()


def test_seen_entries_are_named_but_not_parsed():
    """After two new entries: two items, and the digests of all, in the order of the document."""
    first = parse(replace(JOB, body=numbered(range(30, 0, -1))), Limits())
    assert isinstance(first, ParsedFeed)
    body = numbered(range(32, 2, -1))
    second = parse(replace(JOB, body=body, seen=frozenset(first.digests)), Limits())
    full = parse(replace(JOB, body=body), Limits())
    assert isinstance(second, ParsedFeed)
    assert isinstance(full, ParsedFeed)
    assert second.items == full.items[:2]
    assert second.digests == full.digests
    assert set(second.digests) - set(first.digests) == set(second.digests[:2])
    assert (second.title, second.language) == (full.title, full.language)


def test_an_edited_entry_has_another_digest():
    """One changed word makes an entry unseen; its neighbours stay seen."""
    body = numbered([3, 2, 1])
    first = parse(replace(JOB, body=body), Limits())
    edited = parse(replace(JOB, body=body.replace(b"Text 2", b"Text two"), seen=frozenset(first.digests)), Limits())
    assert [item.summary for item in edited.items] == ["Text two"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(lambda b: b.replace(b"</channel>", b"<b></channel>"), ["4"]), (lambda b: b[:-40], ["4", "1"])],
)
def test_malformed_feeds_are_incremental_too(spoil, expected):
    """Digests of a feed that is no XML are of its entries' text, as when it is well-formed; the one cut off is read again."""
    first = parse(replace(JOB, body=numbered([3, 2, 1])), Limits())
    found = parse(replace(JOB, body=spoil(numbered([4, 3, 2, 1])), seen=frozenset(first.digests)), Limits())
    assert [item.guid for item in found.items] == expected


def test_json_feeds_are_incremental_too():
    """Seen items of a JSON Feed are left out."""

    def body(numbers):
        return (
            '{"version":"https://jsonfeed.org/version/1.1","title":"t","items":['
            + ",".join(f'{{"id":"{n}","title":"Report {n}"}}' for n in numbers)
            + "]}"
        ).encode()

    first = parse(replace(JOB, body=body([2, 1])), Limits())
    second = parse(replace(JOB, body=body([3, 2, 1]), seen=frozenset(first.digests)), Limits())
    assert [item.guid for item in second.items] == ["3"]
    assert len(second.digests) == 3
