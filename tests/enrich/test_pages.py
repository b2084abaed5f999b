"""Article pages: what is taken from them, what is recognised as no article, what robots.txt allows."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config import Limits
from aggregator.enrich.page import extractor, read_page
from aggregator.enrich.robots import robots_url, rules_of
from aggregator.enrich.walls import tells_of, wall
from aggregator.models import Failed, FailureReason, Fetched, ParsedFeed, ParseFailed, ParseJob

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
URL = "https://news.example/2026/02/ferry"
PARAGRAPHS = [
    "A ferry with 214 people on board ran aground near the harbour of Arvala on Tuesday morning, in thick fog.",
    "No one was hurt, said captain Andris Bērziņš. Tugs <b>pulled</b> the ship free at 11:40 &amp; took it to the yard.",
    "The port authority has opened an inquiry, and the trip to Besnik is cancelled until Thursday, the company said.",
]


def page(*paragraphs, head="", before="", after=""):
    """A page as a news site makes it: navigation, article, related links, footer."""
    text = "".join(f"<p>{p}</p>" for p in paragraphs)
    return (
        '<!doctype html><html lang="en"><head><title>Ferry aground near Arvala | The Daily Lamp</title>'
        '<meta property="og:image" content="/pictures/ferry.jpg"><meta name="author" content="Ilze Kadiķe">'
        f'<meta name="keywords" content="ferry, Arvala">{head}</head><body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>{before}'
        f"<main><article><h1>Ferry aground near Arvala</h1>{text}</article></main>{after}"
        '<aside><a href="/1">Ten pictures of cats you have to see today</a></aside><footer>© The Daily Lamp</footer></body></html>'
    )


def read(source, url=URL, content_type="text/html; charset=utf-8", **limits):
    """What the worker's function says of a page."""
    body = source if isinstance(source, bytes) else source.encode()
    return read_page(ParseJob(body, url, NOW, content_type, "en"), Limits(**limits))


def test_an_article_is_taken_from_its_page():
    """The paragraphs come out clean and in order, with picture, author and tags; navigation, links and footer do not."""
    found = read(page(*PARAGRAPHS))
    assert isinstance(found, ParsedFeed)
    item = found.items[0]
    assert item.body.split("\n\n") == [html.unescape(re.sub("<[^>]+>", "", p)) for p in PARAGRAPHS]
    assert item.body_html.count("<p>") == 3
    assert "<b>" not in item.body_html
    assert "11:40 &amp; took" in item.body_html
    assert (item.image_url, item.author, item.tags) == (
        "https://news.example/pictures/ferry.jpg",
        "Ilze Kadiķe",
        ("ferry", "Arvala"),
    )
    assert extractor().startswith("trafilatura 2.")


def test_headings_lists_and_quotes_are_kept():
    """Blocks of other kinds stay blocks; list items are one list; the title is not repeated; asking paragraphs go."""
    source = page(*PARAGRAPHS).replace(
        "</article>",
        "<h2>What is known</h2><ul><li>214 people were on board</li><li>Nobody was hurt at all</li></ul><blockquote>We saw nothing, it was like milk.</blockquote>"
        "<p>Subscribe to our newsletter and read more every day.</p></article>",
    )
    item = read(source).items[0]
    assert "<h2>What is known</h2>" in item.body_html
    assert item.body_html.count("<ul>") == 1
    assert item.body_html.count("<li>") == 2
    assert "<blockquote>We saw nothing" in item.body_html
    assert "Ferry aground near Arvala" not in item.body
    assert "newsletter" not in item.body


EVIL = [
    '<p onclick="alert(1)">{}</p>',
    "<p>{}<script>alert(1)</script></p>",
    '<p><a href="javascript:alert(1)">{}</a></p>',
    "<p>&lt;script&gt;alert(1)&lt;/script&gt; {}</p>",
    '<p>{}<img src=x onerror="alert(1)"><iframe src="http://evil.example"></iframe></p>',
    "<p>{} &#x202e;gnp.exe</p>",
]


@pytest.mark.parametrize("evil", EVIL)
def test_no_markup_of_the_page_goes_through(evil):
    """Scripts, handlers, frames, links, escaped tags and overrides come out as plain text or not at all."""
    item = read(page(evil.format(PARAGRAPHS[0]), *PARAGRAPHS[1:])).items[0]
    tags = set(re.findall(r"<(/?[a-z0-9]+)([^>]*)>", item.body_html))
    assert tags <= {(slash + name, "") for name in ("p", "h2", "li", "ul", "blockquote", "pre") for slash in ("", "/")}
    assert "\u202e" not in item.body + item.body_html


@pytest.mark.parametrize(
    ("encoding", "header", "declared"),
    [("utf-8", "", ""), ("windows-1257", "text/html; charset=windows-1257", ""), ("windows-1257", "text/html", '<meta charset="windows-1257">'),
     ("utf-8", "text/html; charset=iso-8859-1", ""), ("utf-16", "text/html", "")],
)  # fmt: skip
def test_pages_are_read_in_their_encoding(encoding, header, declared):
    """BOM, header and declaration are believed in this order; valid UTF-8 is UTF-8 whatever is said."""
    text = ["Prāmis ar 214 pasažieriem otrdienas rītā uzskrējis uz sēkļa pie Ventspils ostas, ziņo ostas pārvalde šodien.", "Cietušo nav, paziņoja kapteinis Bērziņš, un reiss ir atcelts līdz ceturtdienai."]  # fmt: skip
    source = page(*text, head=declared).replace("Ilze Kadiķe", "I. K.").replace("©", "")
    found = read(source.encode(encoding), content_type=header)
    assert found.items[0].body.split("\n\n") == text


WALLS = [
    ("paywall", page(*PARAGRAPHS, head='<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>')),
    ("paywall", page(PARAGRAPHS[0], after='<div class="box paywall">Subscribe to continue reading</div>')),
    ("paywall", page(PARAGRAPHS[0], "Lai turpinātu lasīt šo rakstu, abonējiet mūsu izdevumu vai pieslēdzieties savam kontam.")),
    ("paywall", page(PARAGRAPHS[0], head='<meta property="article:content_tier" content="locked">')),
    ("consent", page("We and our 812 partners use cookies to store data. You can give your consent or change your privacy settings at any time.", "Cookies help us. Consent to cookies for legitimate interest. Read our cookie policy and privacy policy on cookies.")),
    ("anti-bot", "<!doctype html><html><head><title>Just a moment...</title></head><body><p>Enable JavaScript and cookies to continue</p></body></html>"),
    ("nothing", "<!doctype html><html><head><title>404 Page not found</title></head><body><p>The page you are looking for does not exist any more, we are sorry. Go to the front page or use the search to find what you need here.</p></body></html>"),
    ("log-in", '<!doctype html><html><body><form><p>Log in</p><input type="password" name="p"></form></body></html>'),
    ("no article", "<!doctype html><html><body><p>Short.</p></body></html>"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "source"), WALLS, ids=[f"{n}-{w[0]}" for n, w in enumerate(WALLS)])
def test_pages_that_are_no_article_are_not_stored(kind, source):
    """Paywalls (as marked for search engines, or by their words), consent, anti-bot, missing and log-in pages are told by name."""
    found = read(source)
    assert isinstance(found, ParseFailed), found
    assert kind in found.detail


def test_a_free_page_that_mentions_subscriptions_is_an_article():
    """A whole article with a subscription box, and one about cookies, are kept."""
    assert isinstance(
        read(page(*PARAGRAPHS * 4, after='<div class="paywall-teaser">Already a subscriber? Log in</div>')), ParsedFeed
    )
    assert wall("<html>", "The bakery sold 500 cookies on Tuesday. " * 12, URL) == ""
    assert "consent" in wall("<html>", "x " * 300, "https://consent.news.example/collect")


def test_what_is_no_page_is_refused():
    """A picture, a PDF, JSON or nothing at all is no page."""
    for body in (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, b"%PDF-1.7", b'{"a": 1}', b""):
        assert isinstance(read(body), ParseFailed)


def test_bodies_are_bounded():
    """No more of a page is kept than the limit for bodies."""
    assert len(read(page(*PARAGRAPHS * 300), max_body_chars=5000).items[0].body) <= 5000


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=400))
def test_any_bytes_give_an_answer(body):
    """Whatever bytes a page holds, the answer is a value."""
    assert isinstance(read(b"<html><body><p>" + body), ParsedFeed | ParseFailed)


def test_a_page_must_tell_of_its_title():
    """A page is the item's when it has a third of the title's words or a number of it; a front page is not."""
    assert tells_of("Ferry aground near Arvala", PARAGRAPHS[0])
    assert tells_of("214 stranded", "There were 214 of them.")
    assert not tells_of("Parliament dissolves after budget defeat", " ".join(PARAGRAPHS))
    assert tells_of("フェリーが港で座礁", "火曜日、フェリーが港の近くで座礁した。")


ROBOTS = b"User-agent: *\nDisallow: /private/\nAllow: /private/open\nCrawl-delay: 5\n\nUser-agent: aggregator\nDisallow: /not-for-us\nCrawl-delay: 2\n"


def test_robots_txt_is_followed():
    """The group that names this program counts alone (RFC 9309); its Crawl-delay is read; rules hold for a day."""
    rules = rules_of(Fetched("https://news.example/robots.txt", ROBOTS, {"content-type": "text/plain"}), NOW)
    assert rules.until == NOW + timedelta(hours=24)
    assert rules.delay_s == 2
    assert rules.allows("https://news.example/private/x")
    assert not rules.allows("https://news.example/not-for-us/1")


def test_robots_txt_for_everybody():
    """Without a group of its own the program follows that for all, the longest rule first."""
    rules = rules_of(Fetched("u", ROBOTS.replace(b"aggregator", b"otherbot"), {}), NOW)
    assert not rules.allows("https://news.example/private/x")
    assert rules.allows("https://news.example/private/open")
    assert rules.allows("https://news.example/a")


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [(Failed("u", FailureReason.HTTP, "", 404), True), (Failed("u", FailureReason.GONE, "", 410), True), (Failed("u", FailureReason.HTTP, "", 403), True),
     (Failed("u", FailureReason.HTTP, "", 503), False), (Failed("u", FailureReason.RATE_LIMITED, "", 429), False),
     (Failed("u", FailureReason.TIMEOUT, ""), False), (Fetched("u", b"<html>Not found</html>", {"content-type": "text/html"}), True),
     (Fetched("u", b"", {}), True)],
)  # fmt: skip
def test_no_robots_txt(answer, allowed):
    """No file allows everything; a server that fails or is busy allows nothing for an hour (RFC 9309, 2.3.1)."""
    rules = rules_of(answer, NOW)
    assert rules.allows("https://news.example/a") is allowed
    assert allowed or rules.until == NOW + timedelta(hours=1)


def test_where_robots_txt_is():
    """At the root of scheme, host and port; credentials stay behind."""
    assert robots_url("https://u:p@news.example:8443/a/b?c#d") == "https://news.example:8443/robots.txt"
