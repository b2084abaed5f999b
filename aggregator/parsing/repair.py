"""The common slips of XML in feeds, mended before any parser sees them; and what is too long for feedparser, cut."""

import html
import html.entities
import re
from typing import Final

__all__ = ["NAMESPACES", "declared", "mended", "shortened"]

# What the usual prefixes stand for.
NAMESPACES: Final = {
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
_MAX_PREFIXES: Final = 200
_MAX_GROWTH: Final = 100_000  # characters that a document's own entities may add to it
_MAX_SHORT: Final = 250  # bytes that are left of an over-long author or list of keywords
_USED: Final = re.compile(r"(?:</?|\s)([A-Za-z_][\w.-]{0,39}):[A-Za-z_]")
_REFERENCE: Final = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|(\w{1,32});)?", re.DOTALL
)
_CHARACTERS: Final = (
    (9, 10, 13),
    range(0x20, 0xD800),
    range(0xE000, 0xFFFE),
    range(0x10000, 0x110000),
)  # XML 1.0, Char
_XML_ENTITIES: Final = frozenset({"lt", "gt", "amp", "quot", "apos"})


def declared(text: str) -> str:
    """`text`, which begins with its root, with declarations of the namespaces whose prefixes it uses without any."""
    known = set(re.findall(r"\bxmlns:([\w.-]{1,40})\s*=", text)) | {"xml", "xmlns"}
    used = [prefix for prefix in dict.fromkeys(_USED.findall(text)) if prefix not in known]
    root = re.match(r"<[^\s<>/]+", text)
    if root is None:
        return text
    more = "".join(f' xmlns:{prefix}="{NAMESPACES.get(prefix, "urn:" + prefix)}"' for prefix in used[:_MAX_PREFIXES])
    return text[: root.end()] + more + text[root.end() :]


def mended(text: str, entities: dict[str, str]) -> str | None:
    """`text` with what is outside CDATA put right: bare "&", entities of HTML, references to no character.

    `entities` are the document's own, by name; None when they would add too much.
    """
    growth = 0

    def mend(found: re.Match[str]) -> str:
        nonlocal growth
        number, name = found[1], found[2]
        if number:
            code = int(number[1:], 16) if number[0] in "xX" else int(number)
            return found[0] if any(code in span for span in _CHARACTERS) else ""
        if name in _XML_ENTITIES or found[0].startswith("<"):
            return found[0]
        if name and name in entities:
            growth += len(entities[name])
            return html.escape(entities[name]) if growth <= _MAX_GROWTH else ""
        if name and f"{name};" in html.entities.html5:
            return "".join(f"&#{ord(c)};" for c in html.entities.html5[f"{name};"])
        return f"&amp;{found[0][1:]}"

    result = _REFERENCE.sub(mend, text)
    return result if growth <= _MAX_GROWTH else None


def shortened(data: bytes, insides: list[tuple[int, int]]) -> bytes:
    """`data` with each of these stretches, the insides of elements, replaced by the beginning of its text."""
    pieces, at = [], 0
    for start, end in insides:
        inside = re.sub(rb"<!\[CDATA\[|\]\]>|<[^<>]*>", b" ", data[start : min(end, start + 16 * _MAX_SHORT)])
        inside = re.sub(rb"[<>]", b"", inside.strip()[:_MAX_SHORT])
        text = re.sub(r"&(?!#?\w{1,31};)", "&amp;", inside.decode("utf-8", "ignore"))
        pieces += [data[at:start], text.encode()]
        at = end
    return b"".join((*pieces, data[at:]))
