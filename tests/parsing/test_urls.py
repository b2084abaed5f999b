"""One form for the many addresses of one article."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.parsing.urls import absolute, canonical, is_site_root

SAME = [
    (
        "https://example.lv/raksts/ugunsgreks-osta",
        [
            "http://example.lv/raksts/ugunsgreks-osta",
            "https://www.example.lv/raksts/ugunsgreks-osta/",
            "https://m.example.lv/raksts/ugunsgreks-osta?utm_source=rss&utm_medium=feed",
            "https://mobile.example.lv/raksts/ugunsgreks-osta#comments",
            "https://amp.example.lv/raksts/ugunsgreks-osta",
            "https://example.lv/raksts/ugunsgreks-osta/amp/",
            "https://example.lv/amp/raksts/ugunsgreks-osta",
            "https://example.lv:443/raksts//ugunsgreks-osta?fbclid=IwAR0&ref=rss",
            "HTTPS://EXAMPLE.LV/raksts/./x/../ugunsgreks-osta",
            "https://user:secret@example.lv/raksts/ugunsgreks-osta",
            "https://example.lv/raksts/ugunsgreks-osta;jsessionid=5F3A",
            "https://example-lv.cdn.ampproject.org/c/s/example.lv/raksts/ugunsgreks-osta",
            "https://www.google.com/amp/s/example.lv/raksts/ugunsgreks-osta",
            "https://www.google.com/url?sa=t&url=https%3A%2F%2Fexample.lv%2Fraksts%2Fugunsgreks-osta&ct=ga",
            "https://l.facebook.com/l.php?u=https%3A%2F%2Fexample.lv%2Fraksts%2Fugunsgreks-osta%3Ffbclid%3D1&h=AT0",
            "  https://example.lv/raksts/\nugunsgreks-osta ",
            "https://example.lv/%72aksts/ugunsgreks%2Dosta?",
        ],
    ),
    (
        "https://example.org/n?a=1&b=2",
        ["http://www.example.org/n?b=2&a=1&gclid=x", "https://example.org/n?b=2&amp;a=1"],
    ),
    ("https://example.org/%C4%81?q=a%20b", ["https://example.org/ā?q=a+b", "https://example.org/%c4%81?q=a%20b"]),
    ("https://xn--e1afmkfd.xn--p1ai/x", ["https://пример.рф/x"]),
    ("https://example.org?p=12", ["https://example.org/?p=12", "https://example.org/index.php?p=12"]),
]


@pytest.mark.parametrize(("expected", "url"), [(expected, url) for expected, urls in SAME for url in urls])
def test_one_article_one_address(expected, url):
    """Tracking, AMP, mobile hosts, redirectors, ports, slashes, case and escapes change nothing."""
    assert canonical(url) == expected


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://example.org/news?id=1", "https://example.org/news?id=2"),
        ("https://example.org/news?cid=1", "https://example.org/news?cid=2"),
        ("https://example.org/?ref=12345", "https://example.org/?ref=12346"),
        ("https://example.org/a/B", "https://example.org/a/b"),
        ("https://example.org/a%2Fb", "https://example.org/a/b"),
        ("https://example.org:8080/a", "https://example.org/a"),
        ("https://news.example.org/a", "https://sport.example.org/a"),
        ("https://example.org/#!/news/1", "https://example.org/#!/news/2"),
        ("https://m.co/x", "https://co/x"),
    ],
)
def test_two_articles_two_addresses(one, two):
    """Numbers of articles, paths, ports and other hosts stay apart."""
    assert canonical(one) != canonical(two)


def test_proxies_of_feeds_give_way_to_the_original():
    """A feedburner address is replaced by what the entry names as its original; a publisher's own is not."""
    proxy = "http://feedproxy.google.com/~r/example/~3/AbC/"
    assert canonical(proxy, "http://example.lv/raksts?utm_source=feedburner") == "https://example.lv/raksts"
    assert canonical("https://example.lv/a", "https://example.org/b") == "https://example.lv/a"
    assert canonical(proxy) == "https://feedproxy.google.com/~r/example/~3/AbC"


def test_google_news_ids_that_hold_the_target():
    """Old Google News ids carry the article's address; new ones are left as they are."""
    old = "https://news.google.com/rss/articles/CBMiJ2h0dHBzOi8vZXhhbXBsZS5jb20vbmV3cy9zdG9yeS0xMjPSAQA?oc=5"
    assert canonical(old) == "https://example.com/news/story-123"
    new = "https://news.google.com/rss/articles/AU_yqLNabcdef?oc=5"
    assert canonical(new).startswith("https://news.google.com/rss/articles/AU_yqLNabcdef")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "mailto:a@example.org",
        "data:text/html,x",
        "http://",
        "https://[::1",
        "ftp://example.org/x",
        "http:///x",
        "//",
        "#",
        "http://exa mple:x/",
    ],
)
def test_what_is_no_web_address_is_nothing(url):
    """Only http and https with a host are addresses of articles."""
    assert canonical(url) == ""


def test_relative_addresses_are_resolved():
    """Against the base, with white space and controls removed."""
    assert absolute("/a/b", "https://example.org/feed/") == "https://example.org/a/b"
    assert absolute("c?d=1", "https://example.org/feed/") == "https://example.org/feed/c?d=1"
    assert absolute("ht\ntps://example.org/\u200bx", "") == "https://example.org/x"
    assert absolute("www.example.org/x", "https://other.org/") == "http://www.example.org/x"


def test_site_roots_identify_nothing():
    """A link to the front page is no article's."""
    assert is_site_root(canonical("https://www.example.org/"))
    assert not is_site_root(canonical("https://www.example.org/?p=1"))


pieces = st.sampled_from(
    [
        "http://",
        "https://",
        "//",
        "/",
        "www.",
        "m.",
        "amp.",
        "example.org",
        "пример.рф",
        "[::1]",
        ":80",
        ":8080",
        "user@",
        "?",
        "&",
        ";",
        "=",
        "#",
        "#!",
        "a",
        "B",
        "%41",
        "%2f",
        "%zz",
        "%",
        "+",
        "..",
        ".",
        "amp",
        "/amp",
        ".html",
        "utm_source=x",
        "id=1",
        "index.php",
        "ā",
        "新闻",
        "\t",
        "\n",
        "<",
        ">",
        '"',
        "'",
        "[",
        "]",
        "{",
        "}",
        "|",
        "\\",
        "^",
        "`",
        "url=https://example.org/y",
        "www.google.com/url",
        "news.google.com/rss/articles/",
        "cdn.ampproject.org/c/s/",
        ";jsessionid=1",
        "\u202e",
        "\u00a0",
        "ā" * 700,
        "\x00",
    ]
)


@pytest.mark.parametrize("url", ["https://[::1%\u3002]:99/x", "https://[fe80::1%25eth0]/x", "https://[::]@1]:99/x"])
def test_what_is_no_host_has_no_canonical_form(url):
    """Brackets where none belong, and zones of addresses of the sixth version, name no public host and are no error."""
    assert canonical(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com\u3002/a",
        "https://x.cdn.ampproject.org//c/s/example.lv/a",
        "https://x.cdn.ampproject.org./c/s/example.lv/a",
        "https://news.google.com/rss/articles//CBMiK2h0dHBzOi8vZXhhbXBsZS5sdi8x?oc=5",
    ],
)
def test_a_canonical_form_is_its_own(url):
    """What normalising lays bare (a doubled slash, a dot behind the host) is seen the first time already."""
    once = canonical(url)
    assert once.startswith("https://example.")
    assert canonical(once) == once


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(pieces, max_size=9).map("".join),
        st.lists(pieces, max_size=9).map(lambda p: "https://example.org/" + "".join(p)),
    )
)
def test_canonical_is_idempotent_and_never_raises(url):
    """The canonical form of a canonical form is itself; any text is taken."""
    once = canonical(url)
    assert canonical(once) == once
    assert not once or once.startswith("https://")
    assert once.isascii() or not once
