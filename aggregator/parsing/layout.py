"""Where the entries of an XML feed lie in its bytes; and the repairs and refusals that come before any parser of feeds.

expat reads the document once and tells where each entry begins and ends. So an entry can be recognised by its raw bytes
without being parsed, and new entries can be handed on alone, under the head of their feed. The document type and
everything else before the root element are cut off first: no parser behind this module sees an entity declaration.
"""

import html
import html.entities
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.parsers import expat

__all__ = ["Layout", "Malformed", "Refused", "Span", "lay_out", "without_prolog"]

_MAX_DEPTH: Final = 100
_MAX_SUBSET: Final = 2_000  # characters of a document type's internal subset
_MAX_GROWTH: Final = 100_000  # characters that a document's own entities may add to it
_MAX_PREFIXES: Final = 200
_UNBOUND_PREFIX: Final = 27  # expat's XML_ERROR_UNBOUND_PREFIX
_MAX_PERSON: Final = 1_000  # bytes of an author's element; feedparser's pattern for addresses takes quadratic time
_PEOPLE: Final = frozenset(
    {"author", "creator", "contributor", "managingeditor", "webmaster", "publisher", "name", "email", "owner"}
)
_ENTRIES: Final = frozenset({"item", "entry"})
_PLACES: Final = {("rss", "channel"): "item", ("rdf",): "item", ("feed",): "entry"}
_PREFIXES: Final = frozenset(place[: n + 1] for place in _PLACES for n in range(len(place)))
# Elements for which feedparser counts how deep in text it is; one inside another upsets its count.
_TEXTS: Final = frozenset(
    {"title", "subtitle", "tagline", "rights", "copyright", "description", "abstract", "info", "browserfriendly"}
    | {"summary", "content", "body", "encoded", "fullitem"}
)
_BODIES: Final = frozenset({"content", "body", "encoded", "fullitem"})
# feedparser's names for namespaces ("" for those of RSS and Atom themselves), as far as they matter here.
_PLAIN_NAMESPACES: Final = frozenset(
    """
    http://backend.userland.com/rss http://blogs.law.harvard.edu/tech/rss http://purl.org/rss/1.0/
    http://my.netscape.com/rdf/simple/0.9/ http://example.com/newformat# http://example.com/necho http://purl.org/echo/
    uri/of/echo/namespace# http://purl.org/pie/ http://purl.org/atom/ns# http://www.w3.org/2005/atom
    http://purl.org/rss/1.0/modules/rss091#
    """.split()
)
_DECLARATIONS: Final = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "georss": "http://www.georss.org/georss",
    "gml": "http://www.opengis.net/gml",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "thr": "http://purl.org/rss/1.0/modules/threading/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
_PREFIXED: Final = frozenset(_DECLARATIONS) | {"cc", "creativecommons", "psc", "admin"}
_PREFIXED_NAMESPACES: Final = frozenset(map(str.lower, _DECLARATIONS.values())) | {"http://search.yahoo.com/mrss"}
_START_TAG: Final = re.compile(rb"<[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*>")
_DECLARED: Final = re.compile(r"""<!ENTITY\s+(\w{1,40})\s+(?:"([^"<&%]{0,200})"|'([^'<&%]{0,200})')\s*>""")
_REFERENCE: Final = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|(\w{1,32});)?", re.DOTALL)  # fmt: skip
_CHARACTERS: Final = (
    (9, 10, 13),
    range(0x20, 0xD800),
    range(0xE000, 0xFFFE),
    range(0x10000, 0x110000),
)  # XML 1.0, Char
_XML_ENTITIES: Final = frozenset({"lt", "gt", "amp", "quot", "apos"})


@dataclass(frozen=True, slots=True)
class Span:
    """One entry: `data[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A well-formed feed: its bytes (UTF-8, from the root's start tag to its end tag) and where things lie in them.

    `regular`: every entry stands where its dialect wants it, and none can change how another is read; else only the whole
    document can be parsed. `root` is the local name of the root element, lower case, "" when it is none of a feed's.
    """

    data: bytes
    entries: tuple[Span, ...]
    root: str
    regular: bool

    def without(self, left_out: Iterable[Span]) -> bytes:
        """The document without some of its entries, which are given in order."""
        pieces, at = [], 0
        for span in left_out:
            pieces.append(self.data[at : span.start])
            at = span.end
        return b"".join((*pieces, self.data[at:]))


@dataclass(frozen=True, slots=True)
class Malformed:
    """No well-formed XML, even after the common repairs. `text` is the document from its root on."""

    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Made to hurt, or as if."""

    detail: str


def without_prolog(text: str) -> tuple[str, dict[str, str]] | Refused:
    """`text` from its root's start tag on, and the harmless entities that its document type declares."""
    at, entities = 0, {}
    while True:
        at = _skip_space(text, at)
        if text.startswith("<?", at):
            end = text.find("?>", at)
            step = 2
        elif text.startswith("<!--", at):
            end = text.find("-->", at)
            step = 3
        elif text[at : at + 9].upper() == "<!DOCTYPE":
            end, subset = _doctype(text, at)
            if len(subset) > _MAX_SUBSET:
                return Refused(
                    f"the document type holds {len(subset)} characters of declarations; {_MAX_SUBSET} are allowed"
                )
            entities = {found[1]: found[2] or found[3] or "" for found in _DECLARED.finditer(subset)}
            step = 1
        else:
            break
        if end < 0:
            return text[at:], entities
        at = end + step
    if not text.startswith("<", at):
        start = re.search(r"<[A-Za-z_]", text[at : at + 100_000])
        at = at + start.start() if start else at
    return text[at:], entities


def _skip_space(text: str, at: int) -> int:
    found = re.compile(r"\s*").match(text, at)
    return found.end() if found else at


def _doctype(text: str, at: int) -> tuple[int, str]:
    """Index of the ">" that ends a document type (or -1), and its internal subset."""
    pattern = re.compile(r"\"[^\"]*\"|'[^']*'|[\[>]")
    for found in pattern.finditer(text, at):
        if found[0] == ">":
            return found.start(), ""
        if found[0] == "[":
            end = re.compile(r"\]\s*>").search(text, found.end())
            if end is None:
                return -1, text[found.end() :]
            return end.end() - 1, text[found.end() : end.start()]
    return -1, ""


class _Scanner:
    """Handlers for one run of expat. Offsets are bytes.

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
        self.spans: list[Span] = []
        self.edits: list[tuple[int, int]] = []
        self.person: tuple[int, int] | None = None  # depth and offset of an author's element
        self.content = -1  # depth of the element of text that we are in
        self.regular = True
        self.root_end = -1

    def start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self.depth
        self.depth = depth + 1
        if depth >= _MAX_DEPTH:
            raise _TooDeepError
        local, plain = _local(name)
        if attributes and (self.entry_at >= 0 or local == self.entry_name) and any(map(_is_base, attributes)):
            self.regular = False
        if self.entry_at < 0 and depth == len(self.path) and self.is_place(local, plain=plain):
            return
        if local in _TEXTS:
            if self.content >= 0 or (self.entry_at < 0 and local in _BODIES):
                self.regular = False
            else:
                self.content = depth
        elif local in _ENTRIES:
            self.regular = self.regular and not plain
        elif local in _PEOPLE and self.person is None:
            self.person = (depth, self.parser.CurrentByteIndex)

    def is_place(self, local: str, *, plain: bool) -> bool:
        """Whether an element is one around the entries, or an entry in its place; notes it."""
        if not self.entry_name and (*self.path, local) in _PREFIXES:
            self.path.append(local)
            self.entry_name = _PLACES.get(tuple(self.path), "")
            return True
        if plain and local == self.entry_name:
            self.entry_at = self.parser.CurrentByteIndex
            self.content = -1
            return True
        return False

    def end(self, _: str) -> None:
        self.depth -= 1
        depth = self.depth
        if depth == self.content:
            self.content = -1
        if self.person is not None and depth == self.person[0]:
            start, self.person = self.person[1], None
            if self.parser.CurrentByteIndex - start > _MAX_PERSON:
                tag = _START_TAG.match(self.data, start)
                if tag and tag.end() <= self.parser.CurrentByteIndex:
                    self.edits.append((tag.end(), self.parser.CurrentByteIndex))
        if self.entry_at >= 0 and depth == len(self.path):
            at = self.parser.CurrentByteIndex
            if at == self.entry_at:  # <item/>
                self.regular = False
            self.spans.append(Span(self.entry_at, self.data.find(b">", at) + 1))
            self.entry_at = -1
        elif depth == 0:
            self.root_end = self.data.find(b">", self.parser.CurrentByteIndex) + 1
        elif depth < len(self.path) and self.entry_name:
            self.entry_name = "-"  # the channel has ended; entries behind it stand in the wrong place

    def declaration(self, prefix: str | None, uri: str | None) -> None:
        """Namespaces declared inside an entry stay known to feedparser behind it; those it knows anyway do no harm."""
        if self.entry_at >= 0 and ((uri or "").lower() in _PLAIN_NAMESPACES or (prefix or "").lower() in _PREFIXED):
            self.regular = self.regular and (uri or "").lower() in _PREFIXED_NAMESPACES


@lru_cache(maxsize=512)
def _local(name: str) -> tuple[str, bool]:
    """Local name, lower case, and whether feedparser takes the element for one of RSS or Atom itself."""
    parts = name.split(" ")
    local = parts[min(len(parts), 2) - 1].lower()
    uri = parts[0].lower() if len(parts) > 1 else ""
    if not uri or uri in _PLAIN_NAMESPACES or "backend.userland.com/rss" in uri:
        return local, True
    # An unknown namespace without a prefix counts as none.
    return local, len(parts) == 2 and uri not in _PREFIXED_NAMESPACES  # noqa: PLR2004 - uri, local


@lru_cache(maxsize=512)
def _is_base(attribute: str) -> bool:
    """Whether feedparser takes an attribute for xml:base, which stays in force behind its element when the root has none."""
    return attribute.lower() == "base" or " base" in attribute.lower()


class _TooDeepError(Exception):
    """Elements nested beyond all sense."""


def _scan(data: bytes) -> tuple[_Scanner, str, int]:
    """The scanner after its run, the error ("" = none) and expat's code of it."""
    scanner = _Scanner(data)
    try:
        scanner.parser.Parse(data, True)
    except expat.ExpatError as error:
        if scanner.root_end < 0:
            return scanner, str(error), error.code
        # What stands after the root's end tag is no part of the feed.
    return scanner, "", 0


def lay_out(text: str) -> Layout | Malformed | Refused:
    """Find the entries of `text` (without prolog problems: decoded, no control characters)."""
    bare = without_prolog(text)
    if isinstance(bare, Refused):
        return bare
    document, entities = bare
    try:
        data = document.encode("utf-8")
        scanner, error, code = _scan(data)
        for _ in range(2):
            if not error:
                break
            repaired = _declared(document) if code == _UNBOUND_PREFIX else _repaired(document, entities)
            if isinstance(repaired, Refused):
                return repaired
            document, data = repaired, repaired.encode("utf-8")
            scanner, error, code = _scan(data)
        if error:
            return Malformed(document, error)
    except _TooDeepError:
        return Refused(f"elements nested more than {_MAX_DEPTH} deep")
    if scanner.edits:
        return lay_out(_shortened(data, scanner.edits).decode("utf-8"))
    return Layout(
        data=data[: scanner.root_end],
        entries=tuple(scanner.spans),
        root=scanner.path[0] if scanner.path else "",
        regular=scanner.regular and bool(scanner.entry_name),
    )


def _shortened(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    """`data` with the insides of over-long authors replaced by the beginning of their text."""
    pieces, at = [], 0
    for start, end in edits:
        inside = re.sub(rb"<!\[CDATA\[|\]\]>|<[^<>]*>", b" ", data[start : min(end, start + 4 * _MAX_PERSON)])
        inside = re.sub(rb"&[^;&<>]{0,10}$|[<>]", b"", inside.strip()[: _MAX_PERSON // 4])
        text = re.sub(r"&(?!#?\w{1,31};)", "&amp;", inside.decode("utf-8", "ignore"))
        pieces += [data[at:start], text.encode()]
        at = end
    return b"".join((*pieces, data[at:]))


def _declared(text: str) -> str:
    """`text` with declarations for the prefixes of namespaces that it uses and never declares."""
    declared = set(re.findall(r"\bxmlns:([\w.-]{1,40})\s*=", text))
    used = dict.fromkeys(found[1] for found in re.finditer(r"(?:</?|\s)([A-Za-z_][\w.-]{0,39}):[A-Za-z_]", text))
    root = re.match(r"<[^\s<>/]+", text)
    more = "".join(
        f' xmlns:{prefix}="{_DECLARATIONS.get(prefix, "urn:undeclared:" + prefix)}"'
        for prefix in list(used)[:_MAX_PREFIXES]
        if prefix not in declared and prefix not in ("xml", "xmlns")
    )
    return text[: root.end()] + more + text[root.end() :] if root else text


def _repaired(text: str, entities: dict[str, str]) -> str | Refused:
    """`text` with the common slips mended outside CDATA: bare "&", entities of HTML, references to no character."""
    growth = 0

    def mend(found: re.Match[str]) -> str:
        nonlocal growth
        number, name = found[1], found[2]
        if number:
            code = int(number[1:], 16) if number[0] in "xX" else int(number)
            legal = any(code in span for span in _CHARACTERS)
            return found[0] if legal else ""
        if name in _XML_ENTITIES or found[0].startswith("<"):
            return found[0]
        if name and name in entities:
            growth += len(entities[name])
            return html.escape(entities[name]) if growth <= _MAX_GROWTH else ""
        if name and f"{name};" in html.entities.html5:
            return "".join(f"&#{ord(c)};" for c in html.entities.html5[f"{name};"])
        return f"&amp;{found[0][1:]}"

    mended = _REFERENCE.sub(mend, text)
    return Refused(f"entities that grow beyond {_MAX_GROWTH} characters") if growth > _MAX_GROWTH else mended
