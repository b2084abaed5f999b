"""Where the entries of an XML feed lie in its bytes; and the repairs and refusals that come before any parser of feeds.

expat reads the document once and tells where each entry begins and ends. So an entry can be recognised by its raw bytes
without being parsed, and new entries can be handed on alone, under the head of their feed. The document type and
everything else before the root element are cut off first: no parser behind this module sees an entity declaration.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aggregator.parsing.repair import declared, mended, shortened
from aggregator.parsing.scan import UNBOUND_PREFIX, Span, TooMuchError, scan

__all__ = ["Layout", "Malformed", "Refused", "lay_out", "without_prolog"]

_MAX_SUBSET: Final = 2_000  # characters of a document type's internal subset
_DECLARED: Final = re.compile(r"""<!ENTITY\s+(\w{1,40})\s+(?:"([^"<&%]{0,200})"|'([^'<&%]{0,200})')\s*>""")
_SPACE: Final = re.compile(r"\s*")
_DOCTYPE_PART: Final = re.compile(r"\"[^\"]*\"|'[^']*'|[\[>]")
_SUBSET_END: Final = re.compile(r"\]\s*>")


@dataclass(frozen=True, slots=True)
class Layout:
    """A well-formed feed: its bytes (UTF-8, from the root's start tag to its end tag) and where its entries lie.

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
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _doctype(text: str, at: int) -> tuple[int, str]:
    """Index of the ">" that ends a document type (or -1), and its internal subset."""
    for found in _DOCTYPE_PART.finditer(text, at):
        if found[0] == ">":
            return found.start(), ""
        if found[0] == "[":
            end = _SUBSET_END.search(text, found.end())
            if end is None:
                return -1, text[found.end() :]
            return end.end() - 1, text[found.end() : end.start()]
    return -1, ""


def lay_out(text: str) -> Layout | Malformed | Refused:
    """Find the entries of `text`, a decoded document without control characters."""
    bare = without_prolog(text)
    if isinstance(bare, Refused):
        return bare
    document, entities = bare
    try:
        data = document.encode("utf-8")
        found = scan(data)
        for _ in range(2):  # a slip of each kind
            if not found.error:
                break
            repaired = declared(document) if found.code == UNBOUND_PREFIX else mended(document, entities)
            if repaired is None:
                return Refused("the document's own entities make it grow too much")
            document, data = repaired, repaired.encode("utf-8")
            found = scan(data)
        if found.error:
            return Malformed(document, found.error)
        if found.long:
            data = shortened(data, list(found.long))
            found = scan(data)
            if found.error:
                return Malformed(data.decode("utf-8", "replace"), found.error)
    except TooMuchError as error:
        return Refused(str(error))
    return Layout(data[: found.end], found.spans, found.root, found.regular)
