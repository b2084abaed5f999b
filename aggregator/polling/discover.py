"""The feeds of a site, from its page: those it names, then places where feeds usually are. Pure.

WHATWG HTML, "Link type alternate"; RSS autodiscovery (Pilgrim 2002).
"""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from aggregator.cleaning import plain_line

__all__ = ["Candidate", "find_feeds"]

_READ: Final = 512_000  # bytes of a page that are looked at: its head, mostly
_MOST: Final = 50  # candidates that a page may name
_TYPES: Final = frozenset(
    {
        "application/rss+xml",
        "application/atom+xml",
        "application/rdf+xml",
        "application/feed+json",
        "application/xml",
        "text/xml",
        "text/rss+xml",
    }
)
_JSON: Final = "application/json"  # a feed only when its address says so: WordPress names its API so too
_PATHS: Final = ("feed", "rss", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feeds", "?feed=rss2", "feed.json")
_ANCHOR_SIGNS: Final = ("/feed", "/rss", "rss.xml", "feed.xml", "atom.xml", ".rss", ".rdf", "feed=rss")
# Two-letter domains that are used world-wide and say nothing of a country.
_GENERIC: Final = frozenset({"ai", "cc", "co", "eu", "fm", "io", "ly", "me", "su", "to", "tv", "ws"})
_OTHER_CODES: Final = {"uk": "GB"}
_SHORT: Final = 3  # letters of a word that says nothing
_SEPARATORS: Final = (" | ", " \u2013 ", " \u2014 ", " - ", " :: ", " » ")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that may be a feed of the site. What is guessed about the outlet is "" where nothing tells.

    `guessed` is False for a feed that the page names, True for one of the usual places.
    """

    url: str
    guessed: bool
    title: str = ""
    outlet: str = ""
    country: str = ""
    language: str = ""


class _Page(HTMLParser):
    """What a page says of its feeds and of itself. HTMLParser takes any bytes for a page, and needs no more than time."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.language = ""
        self.locale = ""
        self.site_name = ""
        self.title = ""
        self.links: list[tuple[str, str]] = []  # address and title, as link elements name them
        self.anchors: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        match tag:
            case "html":
                self.language = self.language or attributes.get("lang", "") or attributes.get("xml:lang", "")
            case "base":
                self.base = self.base or attributes.get("href", "")
            case "title":
                self._in_title = not self.title
            case "meta":
                self._meta(attributes)
            case "link":
                self._link(attributes)
            case "a":
                href = attributes.get("href", "")
                if len(self.anchors) < _MOST and any(sign in href.lower() for sign in _ANCHOR_SIGNS):
                    self.anchors.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("title", "head"):
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data[:500]

    def _meta(self, attributes: dict[str, str]) -> None:
        name = (attributes.get("property") or attributes.get("name", "")).lower()
        content = attributes.get("content", "")
        if name == "og:site_name" or (name == "application-name" and not self.site_name):
            self.site_name = content
        elif name == "og:locale":
            self.locale = content

    def _link(self, attributes: dict[str, str]) -> None:
        rel = attributes.get("rel", "").lower().split()
        kind = attributes.get("type", "").partition(";")[0].strip().lower()
        href = attributes.get("href", "")
        is_feed = kind in _TYPES or (kind == _JSON and "feed" in href.lower() and "wp-json" not in href)
        named = ("alternate" in rel and "stylesheet" not in rel and is_feed) or "feed" in rel
        if named and href and len(self.links) < _MOST:
            self.links.append((href, attributes.get("title", "")))


def find_feeds(html: bytes, url: str) -> tuple[Candidate, ...]:
    """Addresses that may be feeds of the page at `url`: those that link elements name, those that it links to by an
    address that looks like one, then the usual places, of the page's folder and of the site's root.
    """  # noqa: D205 - one sentence
    page = _Page()
    page.feed(_text(html[:_READ]))
    base = _absolute(url, page.base) or url
    outlet, country, language = _outlet(page, url), _country(page, url), _language(page)
    found: dict[str, Candidate] = {}

    def add(address: str, *, guessed: bool, title: str = "") -> None:
        absolute = _absolute(base, address)
        if absolute and absolute not in found:
            found[absolute] = Candidate(absolute, guessed, plain_line(title)[:200], outlet, country, language)

    comments: list[tuple[str, str]] = []
    for href, title in page.links:
        if "comments" in href.lower():
            comments.append((href, title))  # WordPress names the feed of its comments beside that of its posts
        else:
            add(href, guessed=False, title=title)
    for href in page.anchors:
        add(href, guessed=False)
    for href, title in comments:
        add(href, guessed=False, title=title)
    root = urljoin(url, "/")
    for place in dict.fromkeys((url if url.endswith("/") else root, root)):
        for path in _PATHS:
            add(urljoin(place, path), guessed=True)
    return tuple(found.values())


def _text(html: bytes) -> str:
    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        return html.decode("latin-1")


def _absolute(base: str, address: str) -> str:
    """`address` as an http(s) URL without a fragment; "" when it is none."""
    try:
        absolute = urljoin(base, address.strip())
        parts = urlsplit(absolute)
        return parts._replace(fragment="").geturl() if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def _outlet(page: _Page, url: str) -> str:
    """The site's name: as it names itself, else the part of its title that its host repeats, else the shortest, else its host."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    if name := plain_line(page.site_name)[:100]:
        return name
    title = plain_line(page.title)[:200]
    for separator in _SEPARATORS:
        if separator in title:
            parts = [part for part in title.split(separator) if part.strip()]
            known = [
                part for part in parts if any(word in host for word in part.casefold().split() if len(word) > _SHORT)
            ]
            return min(known or parts, key=len, default="").strip()
    return title or host


def _country(page: _Page, url: str) -> str:
    """ISO 3166-1 alpha-2, from the domain, else from the page's locale; "" when neither tells."""
    suffix = (urlsplit(url).hostname or "").rpartition(".")[2]
    if suffix in _OTHER_CODES:
        return _OTHER_CODES[suffix]
    if len(suffix) == 2 and suffix.isalpha() and suffix.isascii() and suffix not in _GENERIC:  # noqa: PLR2004 - a code's length
        return suffix.upper()
    for tag in (page.locale, page.language):
        region = tag.replace("_", "-").rpartition("-")[2]
        if len(region) == 2 and region.isalpha() and region.isascii() and len(region) < len(tag):  # noqa: PLR2004 - the same
            return region.upper()
    return ""


def _language(page: _Page) -> str:
    """The primary tag of the page's language; "" when it does not say."""
    for tag in (page.language, page.locale):
        primary = tag.strip().replace("_", "-").partition("-")[0].lower()
        if primary.isascii() and primary.isalpha() and len(primary) in (2, 3):
            return primary
    return ""
