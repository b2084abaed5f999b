"""One run of expat over a feed: where its entries lie, whether one can change how another is read, what is too much."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.parsers import expat

from aggregator.parsing.repair import NAMESPACES

__all__ = ["UNBOUND_PREFIX", "Scan", "Span", "TooMuchError", "scan"]

UNBOUND_PREFIX: Final = 27  # expat's XML_ERROR_UNBOUND_PREFIX
_MAX_DEPTH: Final = 100
_MAX_ATTRIBUTES: Final = 200  # of one element; feedparser's time grows with the square
_MAX_CHILDREN: Final = 1_000  # elements right below an entry, or below the feed
_MAX_TAGS: Final = 300  # categories of an entry; feedparser compares each with each
_MAX_SHORT: Final = 1_000  # bytes of an author or of keywords; feedparser's patterns for them take quadratic time
_SHORT: Final = frozenset(
    {"author", "creator", "contributor", "managingeditor", "webmaster", "publisher", "name", "email", "owner"}
    | {"keywords", "tags"}
)
_TAGS: Final = frozenset({"category", "subject"})
_ENTRIES: Final = frozenset({"item", "entry"})
_PLACES: Final = {("rss", "channel"): "item", ("rdf",): "item", ("feed",): "entry"}
_PREFIXES: Final = frozenset(place[: n + 1] for place in _PLACES for n in range(len(place)))
# Elements for which feedparser counts how deep in text it is; one inside another upsets its count.
_TEXTS: Final = frozenset(
    {"title", "subtitle", "tagline", "rights", "copyright", "description", "abstract", "info", "browserfriendly"}
    | {"summary", "content", "body", "encoded", "fullitem"}
)
_BODIES: Final = frozenset({"content", "body", "encoded", "fullitem"})
# The namespaces that feedparser takes for those of RSS and Atom themselves.
_PLAIN: Final = frozenset(
    """
    http://backend.userland.com/rss http://blogs.law.harvard.edu/tech/rss http://purl.org/rss/1.0/
    http://my.netscape.com/rdf/simple/0.9/ http://example.com/newformat# http://example.com/necho http://purl.org/echo/
    uri/of/echo/namespace# http://purl.org/pie/ http://purl.org/atom/ns# http://www.w3.org/2005/atom
    http://purl.org/rss/1.0/modules/rss091#
    """.split()
)
_KNOWN: Final = (frozenset(map(str.lower, NAMESPACES.values())) | {"http://search.yahoo.com/mrss"}) - _PLAIN
_KNOWN_PREFIXES: Final = frozenset(NAMESPACES) | {"cc", "creativecommons", "psc", "admin"}
_START_TAG: Final = re.compile(rb"<[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*>")


class TooMuchError(Exception):
    """More of something than any feed needs; the message says of what."""


@dataclass(frozen=True, slots=True)
class Span:
    """One entry: `data[start:end]`. `heavy`: it holds more elements than any article, and is not worth parsing."""

    start: int
    end: int
    heavy: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """What a run found. `error` is expat's message, "" when the document is well-formed up to the end of its root.

    `end` is the offset behind the root's end tag, `long` the insides of elements that must be shortened; offsets are bytes.
    """

    spans: tuple[Span, ...]
    long: tuple[tuple[int, int], ...]
    root: str
    regular: bool
    end: int
    error: str = ""
    code: int = 0


def scan(data: bytes) -> Scan:
    """Read a document (UTF-8, without prolog). Raises TooMuchError."""
    scanner = _Scanner(data)
    error, code = "", 0
    try:
        scanner.parser.Parse(data, True)
    except expat.ExpatError as failure:
        # What stands behind the root's end tag is no part of the feed.
        if scanner.root_end < 0:
            error, code = str(failure), failure.code
    return Scan(
        spans=tuple(scanner.spans),
        long=tuple(scanner.long),
        root=scanner.path[0] if scanner.path else "",
        regular=scanner.regular and bool(scanner.entry_name),
        end=scanner.root_end,
        error=error,
        code=code,
    )


class _Scanner:
    """Handlers of expat.

    `regular` turns False at whatever would let one entry change how feedparser reads the next, or the head the entries:
    it keeps much state, and cleans up after well-behaved elements only.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.namespace_prefixes = True  # names are "uri local prefix", "uri local" or "local"
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartNamespaceDeclHandler = self.declaration
        self.path: list[str] = []  # local names down to the place where entries stand
        self.depth = 0
        self.entry_name = ""
        self.entry_at = -1
        self.children = self.tags = 0  # of the entry; between entries, of the feed
        self.head_children = 0
        self.spans: list[Span] = []
        self.long: list[tuple[int, int]] = []
        self.short: tuple[int, int] | None = None  # depth and offset of an element that must be short
        self.text = -1  # depth of the element of text that we are in
        self.regular = True
        self.root_end = -1

    def start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self.depth
        self.depth = depth + 1
        if depth >= _MAX_DEPTH:
            raise TooMuchError(f"elements nested more than {_MAX_DEPTH} deep")
        local, plain = _local(name)
        if attributes:
            self.look_at(attributes, inside=self.entry_at >= 0 or local == self.entry_name)
        if self.entry_at < 0 and depth == len(self.path) and self.is_place(local, plain=plain):
            return
        self.children += depth <= len(self.path) + 1
        if local in _TEXTS:
            if self.text >= 0 or (self.entry_at < 0 and local in _BODIES):
                self.regular = False
            else:
                self.text = depth
        elif local in _ENTRIES:
            self.regular = self.regular and not plain
        elif local in _TAGS:
            self.tags += 1
        elif local in _SHORT and self.short is None:
            self.short = (depth, self.parser.CurrentByteIndex)

    def look_at(self, attributes: dict[str, str], *, inside: bool) -> None:
        if len(attributes) > _MAX_ATTRIBUTES:
            raise TooMuchError(f"an element with {len(attributes)} attributes; {_MAX_ATTRIBUTES} are allowed")
        if inside and any(map(_is_base, attributes)):
            self.regular = False

    def is_place(self, local: str, *, plain: bool) -> bool:
        """Whether an element is one around the entries, or an entry in its place; notes it."""
        if not self.entry_name and (*self.path, local) in _PREFIXES:
            self.path.append(local)
            self.entry_name = _PLACES.get(tuple(self.path), "")
            return True
        if plain and local == self.entry_name:
            self.entry_at = self.parser.CurrentByteIndex
            self.text = -1
            self.head_children = self.head_within_limits()
            self.children = self.tags = 0
            return True
        return False

    def head_within_limits(self) -> int:
        """Elements of the feed itself so far."""
        total = self.head_children + self.children
        if total > _MAX_CHILDREN * 2 or self.tags > _MAX_CHILDREN:
            raise TooMuchError(f"more than {_MAX_CHILDREN} elements outside the entries")
        return total

    def end(self, _: str) -> None:
        self.depth -= 1
        depth = self.depth
        if depth == self.text:
            self.text = -1
        if self.short is not None and depth == self.short[0]:
            start, self.short = self.short[1], None
            at = self.parser.CurrentByteIndex
            if at - start > _MAX_SHORT:
                tag = _START_TAG.match(self.data, start)
                if tag and tag.end() <= at:
                    self.long.append((tag.end(), at))
        if self.entry_at >= 0 and depth == len(self.path):
            heavy = self.children > _MAX_CHILDREN or self.tags > _MAX_TAGS
            self.spans.append(Span(self.entry_at, self.behind_tag(), heavy))
            self.entry_at = -1
            self.children = self.tags = 0
        elif depth == 0:
            self.head_within_limits()
            self.root_end = self.behind_tag()
        elif depth < len(self.path) and self.entry_name:
            self.entry_name = "-"  # the channel has ended; entries behind it stand in the wrong place

    def behind_tag(self) -> int:
        """Offset behind the end tag that expat is at; it is behind an empty element such as <item/> already."""
        at = self.parser.CurrentByteIndex
        return self.data.find(b">", at) + 1 if self.data.startswith(b"</", at) else at

    def declaration(self, prefix: str | None, uri: str | None) -> None:
        """Namespaces declared inside an entry stay known to feedparser behind it; those it knows anyway do no harm."""
        if self.entry_at >= 0 and ((uri or "").lower() in _PLAIN or (prefix or "").lower() in _KNOWN_PREFIXES):
            self.regular = self.regular and (uri or "").lower() in _KNOWN


@lru_cache(maxsize=512)
def _local(name: str) -> tuple[str, bool]:
    """Local name, lower case, and whether feedparser takes the element for one of RSS or Atom itself."""
    parts = name.split(" ")
    local = parts[min(len(parts), 2) - 1].lower()
    uri = parts[0].lower() if len(parts) > 1 else ""
    if not uri or uri in _PLAIN or "backend.userland.com/rss" in uri:
        return local, True
    # An unknown namespace without a prefix counts as none.
    return local, len(parts) == 2 and uri not in _KNOWN  # noqa: PLR2004 - uri, local


@lru_cache(maxsize=512)
def _is_base(attribute: str) -> bool:
    """Whether feedparser takes an attribute for xml:base, which stays in force behind its element when the root has none."""
    return attribute.lower() == "base" or " base" in attribute.lower()
