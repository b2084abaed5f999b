import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.polling.discover import find_feeds

PAGE = b"""<!DOCTYPE html><html lang="lv-LV"><head><title>Zi\xc5\x86as - Mans Laiks</title>
<meta property="og:site_name" content="Mans &amp; Laiks">
<link rel="stylesheet" href="/style.css"><link rel="alternate" hreflang="en" href="/en/">
<link rel="alternate" type="application/rss+xml" title="Mans Laiks &raquo; Comments" href="/comments/feed/">
<link rel="alternate" type="application/rss+xml" title="Mans Laiks &raquo; Feed" href="/feed/">
<LINK REL='Alternate Home' TYPE='application/atom+xml; charset=utf-8' HREF='https://other.example/atom.xml#top'>
<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/1">
<link rel="alternate" type="application/feed+json" href="feed.json">
</head><body><a href="/rss/kultura">RSS</a><a href="javascript:feed()">x</a><a href="/about">About</a></body></html>"""


def test_the_feeds_of_a_page_come_in_order():
    """Named ones first, comments behind the articles, linked ones next, the usual places last; each once, absolute."""
    found = find_feeds(PAGE, "https://mans-laiks.lv/zinas/")
    named = [candidate.url for candidate in found if not candidate.guessed]
    assert named == [
        "https://mans-laiks.lv/feed/",
        "https://other.example/atom.xml",
        "https://mans-laiks.lv/zinas/feed.json",
        "https://mans-laiks.lv/rss/kultura",
        "https://mans-laiks.lv/comments/feed/",
    ]
    guessed = [candidate.url for candidate in found if candidate.guessed]
    assert guessed[0] == "https://mans-laiks.lv/zinas/feed"
    assert "https://mans-laiks.lv/rss.xml" in guessed
    assert len({candidate.url for candidate in found}) == len(found)
    assert found[0].title == "Mans Laiks » Feed"


def test_what_the_page_says_of_its_outlet():
    """Name, country and language are guessed from the page and its domain."""
    first = find_feeds(PAGE, "https://mans-laiks.lv/")[0]
    assert (first.outlet, first.country, first.language) == ("Mans & Laiks", "LV", "lv")


@pytest.mark.parametrize(
    ("html", "url", "outlet", "country", "language"),
    [
        ("<title>News | The Harbour</title>", "https://harbour.co.uk/", "The Harbour", "GB", ""),
        ("<html lang=pt-BR><title>Jornal</title>", "https://jornal.com/", "Jornal", "BR", "pt"),
        ("<meta property=og:locale content=de_AT>", "https://www.blatt.info/", "blatt.info", "AT", "de"),
        ("", "https://paper.io/", "paper.io", "", ""),
        ("<html lang='x-klingon'>", "https://paper.tv/", "paper.tv", "", ""),
    ],
)
def test_guesses_where_the_page_says_little(html, url, outlet, country, language):
    """The domain tells the country unless it is used world-wide; the page's locale else; nothing is made up."""
    candidate = find_feeds(html.encode(), url)[0]
    assert (candidate.outlet, candidate.country, candidate.language) == (outlet, country, language)


def test_a_page_from_a_server(kit):
    """A fetched page leads to a feed that can be fetched."""

    async def go():
        page = b"<link rel=alternate type=application/rss+xml href=news/feed>"
        async with kit.Site({"/a/": kit.answer(body=page), "/a/news/feed": kit.answer(body=kit.feed("One"))}) as site:
            result = await kit.fetch(site.url("/a/"))
            return await kit.fetch(find_feeds(result.body, result.url)[0].url)

    assert b"<title>One</title>" in asyncio.run(go()).body


@given(st.binary(max_size=400), st.sampled_from(["https://paper.example/a/b", "http://[::1]/", "https://x.lv"]))
def test_any_bytes_give_addresses_or_none(html, url):
    """Whatever a page holds, what comes out is a short list of http(s) URLs."""
    found = find_feeds(b"<link rel=alternate type=text/xml href='" + html, url)
    assert all(candidate.url.startswith(("http://", "https://")) for candidate in found)
    assert len(found) < 200


@pytest.mark.parametrize(
    "piece", [b"<link rel=alternate type=text/xml href=a", b"<a href=/feed>", b"<!--", b"<![CDATA[", b"&#x", b"<title>"]
)
def test_a_hostile_page_costs_little(piece):
    """Half a megabyte of openings without an end is read in seconds."""
    began = time.process_time()
    find_feeds(piece * (600_000 // len(piece)), "https://paper.example/")
    assert time.process_time() - began < 5
