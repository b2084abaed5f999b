"""HTML of entries to plain text and safe HTML."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.parsing.text import bounded, cut, first_image, lead, sanitised, to_line, to_paragraphs

LINES = [
    ("Plain title", "Plain title"),
    ("AT&amp;T &amp;amp; Co", "AT&T & Co"),
    ("&lt;b&gt;Bold&lt;/b&gt; claim", "Bold claim"),
    ("&amp;lt;p&amp;gt;Escaped twice&amp;lt;/p&amp;gt;", "Escaped twice"),
    ("Fire<br>in port", "Fire in port"),
    ("<p>One</p><p>Two</p>", "One Two"),
    ("a < b and c > d", "a < b and c > d"),
    ("Temperature <3 degrees", "Temperature <3 degrees"),
    ("<script>alert(1)</script>Safe", "Safe"),
    ("<style>p{color:red}</style>Text<!-- secret -->", "Text"),
    ("Zero\u200bwidth \u202eoverride\u202c", "Zerowidth override"),
    ("e\u0301", "é"),
    ("tab\tand\nline&nbsp;end", "tab and line end"),
    ("می\u200cخواهم", "می\u200cخواهم"),
    ("\x1b[31mred\x1b[0m", "[31mred[0m"),
    ("5 &gt; 3 &#8211; &#x2019;tis", "5 > 3 – ’tis"),
    ("<unknown>kept</unknown> text", "<unknown>kept</unknown> text"),
]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("How <script> tags slow a page down", "How script tags slow a page down"),
        ("How &lt;title&gt; is read", "How title is read"),
        ("One <script>alert(1)</script> two", "One two"),
    ],
)
def test_a_tag_that_never_ends_is_a_word(html, expected):
    """A title on HTML keeps its words; a real script does not get into it."""
    assert to_line(html) == expected


@pytest.mark.parametrize(("html", "expected"), LINES)
def test_one_line(html, expected):
    """Tags, entities of any depth, controls and tricks go; what only looks like a tag stays."""
    assert to_line(html) == expected


def test_paragraphs_stay_apart():
    """Blocks become paragraphs, single breaks do not."""
    assert to_paragraphs("<div>One<br>line</div><ul><li>Two</li><li>Three</li></ul>") == "One line\n\nTwo\n\nThree"


def test_html_is_made_safe_and_absolute():
    """Scripts, handlers, frames and foreign schemes go; links and images are resolved."""
    html = '<p onclick="x()">A <a href="/b" style="x">b</a> <a href="javascript:y()">c</a><img src="i.jpg" onerror="z()"><iframe src="q"></iframe></p><script>s()</script>'
    safe = sanitised(html, "https://example.org/news/1")
    assert 'href="https://example.org/b"' in safe
    assert 'src="https://example.org/news/i.jpg"' in safe
    assert not re.search("onclick|onerror|javascript|iframe|script|style", safe)


def test_first_image_skips_counting_pixels():
    """An image of one pixel and a data: image are no pictures."""
    html = "<img src='https://s.example/p.gif' width='1' height='1'><img src=\"data:image/png;base64,xx\"><img alt='' src='/foto.jpg?a=1&amp;b=2'>"
    assert first_image(html) == "/foto.jpg?a=1&b=2"
    assert first_image("no image") == ""


def test_cuts_end_at_words_and_leads_at_sentences():
    """A text is never cut inside a word where that can be avoided."""
    assert cut("one two three four", 12) == "one two…"
    assert cut("short", 12) == "short"
    assert (
        lead("First sentence. Second sentence is rather long. Third.", 50)
        == "First sentence. Second sentence is rather long."
    )
    assert lead("First.\n\nSecond.", 100) == "First. Second."
    assert lead("首相は辞任した。後任は未定だ。" * 20, 40).endswith("。")


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<b>" * 50_000,
        "<a><p>" * 30_000,
        "<table><tr><td>" * 30_000,
        "<" * 200_000,
        "<p>x" * 40_000,
        "<!--" * 50_000,
        "<b><i><p></b>" * 12_000,
    ],
)
def test_html_made_to_hurt_costs_little(html):
    """What takes a sanitiser minutes is bounded before it: less than two seconds of CPU (mostly milliseconds)."""
    start = time.process_time()
    safe = bounded(html, 200_000)
    to_paragraphs(safe)
    sanitised(safe, "https://example.org/")
    assert time.process_time() - start < 2


tags = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<a",
        "href=x>",
        "&lt;b&gt;",
        "&amp;lt;i&amp;gt;",
        "&nbsp;",
        "<",
        ">",
        "&",
        ";",
        "text",
        "\u202e",
        "\x00",
        "é",
        "<br/>",
        "<img",
        "src=y>",
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(tags, max_size=12).map("".join)))
def test_lines_hold_no_tags_or_controls(html):
    """Whatever the input, a line has no control, no bidi override, no line break, no known tag, and is stable."""
    line = to_line(bounded(html, 1000))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", line)
    assert not re.search(r"<(?:script|b|p|br|i)>", line)
