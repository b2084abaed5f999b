"""Where the entries of an XML feed lie in its bytes; and the repairs and refusals that come before any parser of feeds.

expat reads the document once and tells where each entry begins and ends. So an entry can be recognised by its raw bytes
without being parsed, and new entries can be handed on alone, under the head of their feed. The document type and
everything else before the root element are cut off first: no parser behind this module sees an entity declaration.
"""

import html
import html.entities
import re
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

__all__ = ["Layout", "Malformed", "Refused", "Span", "lay_out", "without_prolog"]

_MAX_DEPTH: Final = 100
_MAX_SUBSET: Final = 2_000  # characters of a document type's internal subset
_MAX_GROWTH: Final = 100_000  # characters that a document's own entities may add to it
_MAX_PERSON: Final = 1_000  # bytes of an author's element; feedparser's pattern for addresses takes quadratic time
_PEOPLE: Final = frozenset(
    {"author", "creator", "contributor", "managingeditor", "webmaster", "publisher", "name", "email", "owner"}
)
_ENTRIES: Final = frozenset({"item", "entry"})
_PLACES: Final = {("rss", "channel"): "item", ("rdf:rdf",): "item", ("feed",): "entry"}
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

    `opening` is the start tags of the elements around the entries, `closing` their end tags, so that `opening + entry +
    closing` is a document. `regular`: every entry stands where its dialect wants it; else only the whole document can be
    parsed. `root` is the local name of the root element, lower case.
    """

    data: bytes
    entries: tuple[Span, ...]
    opening: bytes
    closing: bytes
    root: str
    regular: bool

    def head(self) -> bytes:
        """The document without its entries."""
        pieces, at = [], 0
        for span in self.entries:
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
    """Handlers for one run of expat. Offsets are bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.path: list[str] = []  # names down to the place where entries stand
        self.depth = 0
        self.entry_name = ""
        self.entry_depth = -1
        self.entry_at = -1
        self.opening: list[bytes] = []
        self.spans: list[Span] = []
        self.edits: list[tuple[int, int]] = []
        self.person: tuple[int, int] | None = None  # depth and offset behind the start tag
        self.regular = True
        self.root_end = -1

    def start(self, name: str, _: dict[str, str]) -> None:
        depth = self.depth
        self.depth = depth + 1
        if depth >= _MAX_DEPTH:
            raise _TooDeepError
        local = name.lower()
        if self.entry_at < 0:
            if depth == len(self.path) and (not depth or (*self.path, local) in _PREFIXES) and not self.entry_name:
                self.path.append(local)
                self.opening.append(self.tag())
                self.entry_name = _PLACES.get(tuple(self.path), "")
                self.entry_depth = self.depth
                return
            if depth == self.entry_depth and local == self.entry_name and depth == len(self.path):
                self.entry_at = self.parser.CurrentByteIndex
                return
        if self.person is None and local.rpartition(":")[2] in _PEOPLE:
            at = self.parser.CurrentByteIndex
            self.person = (depth, at)
        if local in _ENTRIES or local.endswith((":item", ":entry")):
            self.regular = False

    def end(self, name: str) -> None:
        self.depth -= 1
        depth = self.depth
        if self.person is not None and depth == self.person[0]:
            start, self.person = self.person[1], None
            if self.parser.CurrentByteIndex - start > _MAX_PERSON:
                tag = _START_TAG.match(self.data, start)
                if tag and tag.end() <= self.parser.CurrentByteIndex:
                    self.edits.append((tag.end(), self.parser.CurrentByteIndex))
        if depth == self.entry_depth and self.entry_at >= 0:
            at = self.parser.CurrentByteIndex
            if at == self.entry_at:  # <item/>
                self.regular = False
            self.spans.append(Span(self.entry_at, self.data.find(b">", at) + 1))
            self.entry_at = -1
        elif depth == 0:
            self.root_end = self.data.find(b">", self.parser.CurrentByteIndex) + 1
        elif depth < len(self.path) and self.spans and name.lower() == self.path[-1] and depth == len(self.path) - 1:
            # The channel has ended; a second one would be another feed.
            self.entry_depth = -1

    def tag(self) -> bytes:
        found = _START_TAG.match(self.data, self.parser.CurrentByteIndex)
        return found[0] if found else b""


_PREFIXES: Final = frozenset(place[: n + 1] for place in _PLACES for n in range(len(place)))


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
        scanner, error, _ = _scan(data)
        if error:
            repaired = _repaired(document, entities)
            if isinstance(repaired, Refused):
                return repaired
            if repaired != document:
                data = repaired.encode("utf-8")
                scanner, error, _ = _scan(data)
        if error:
            return Malformed(document, error)
    except _TooDeepError:
        return Refused(f"elements nested more than {_MAX_DEPTH} deep")
    if scanner.edits:
        return lay_out(_shortened(data, scanner.edits).decode("utf-8"))
    closing = b"".join(b"</" + tag[1:].split(None, 1)[0].rstrip(b">") + b">" for tag in reversed(scanner.opening))
    return Layout(
        data=data[: scanner.root_end],
        entries=tuple(scanner.spans),
        opening=b"".join(scanner.opening),
        closing=closing,
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
