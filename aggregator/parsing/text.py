"""HTML of entries → plain text and safe HTML. nh3 (html5ever, ammonia) reads the HTML, so that what is stored is what a browser saw."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import nh3

from aggregator.cleaning import plain, plain_line, unescape

__all__ = ["bounded", "cut", "first_image", "lead", "sanitised", "to_line", "to_paragraphs"]

_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"}
    | {
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    }
)
_DROPPED: Final = frozenset(
    {"iframe", "math", "noscript", "object", "script", "style", "svg", "template", "textarea", "title"}
)
_KEPT: Final = frozenset(
    {"a", "abbr", "b", "blockquote", "br", "cite", "code", "dd", "del", "div", "dl", "dt", "em", "figcaption", "figure"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li", "ol", "p", "pre", "q", "s", "small", "span"}
    | {"strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul"}
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "time": {"datetime"},
} | {tag: {"lang", "dir"} for tag in ("p", "div", "span", "blockquote")}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
# A tag by its name: "<3" and "a < b" are text. The length bound keeps the search linear.
_NAMES: Final = "|".join(sorted(_BLOCKS | _DROPPED | _KEPT | {"audio", "body", "center", "embed", "font", "form", "html", "input"}
                                | {"link", "meta", "nobr", "picture", "source", "strike", "tt", "video", "wbr"}, key=len, reverse=True))  # fmt: skip
_TAG: Final = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]{{0,4000}})?/?>|<!--", re.IGNORECASE)
_DROPS: Final = re.compile(rf"<({'|'.join(sorted(_DROPPED))})\b[^<>]{{0,4000}}>?", re.IGNORECASE)
_ENTITY: Final = re.compile(r"&#?\w{1,31};")
_BREAK: Final = re.compile(
    rf"</?(?:{'|'.join(sorted(_BLOCKS - {'br'}, key=len, reverse=True))})\b[^<>]*>|<br\b[^<>]*>\s*<br\b[^<>]*>"
)
_BR: Final = re.compile(r"<br\b[^<>]*>")
_OPEN_OR_CLOSE: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)[^<>]*>")
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_IMAGE: Final = re.compile(r"<img\b[^<>]{0,2000}?\bsrc\s*=\s*(?:\"([^\"<>]{1,2000})\"|'([^'<>]{1,2000})'|([^\s\"'<>]{1,2000}))[^<>]{0,2000}>", re.IGNORECASE)  # fmt: skip
_PIXEL: Final = re.compile(r"\b(?:width|height)\s*=\s*[\"']?\s*[01](?:px)?[\s\"'/>]", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"[.!?…。！？؟।]+[\"'»”’」』)]*(?=\s|$|(?<=[。！？]))")
_DEEPEST: Final = 100  # levels of nesting; html5ever takes time that grows with depth times length
_MOST_TAGS: Final = 5_000


def bounded(html: str, most: int) -> str:
    """`html` in a form that cannot hurt a sanitiser: at most `most` characters, and no tags at all where they nest too deeply."""
    html = html[:most]
    if html.count("<") > _DEEPEST:
        depth = deepest = count = 0
        for found in _OPEN_OR_CLOSE.finditer(html):
            count += 1
            if found[2].lower() in _VOID or found[0].endswith("/>"):
                continue
            depth = max(0, depth - 1) if found[1] else depth + 1
            deepest = max(deepest, depth)
        # What is left of "<" begins no tag for our pattern, but might for the sanitiser.
        if deepest > _DEEPEST or count > _MOST_TAGS or html.count("<") - count > _DEEPEST:
            return (
                html.replace("<", " <").translate({ord("<"): None, ord(">"): " "})
                if count == 0
                else _without_tags(html)
            )
    return html


def _without_tags(html: str) -> str:
    return _OPEN_OR_CLOSE.sub(" ", html).replace("<", " ").replace(">", " ")


def _stripped(html: str) -> str:
    """Text with paragraphs marked by newlines; entities stay as nh3 writes them."""
    clean = _STRIPPER.clean(html)
    return _BR.sub("\n", _BREAK.sub("\n\n", clean))


def _word_or_tag(value: str) -> str:
    lower = value.lower()
    return _DROPS.sub(lambda tag: tag[0] if f"</{tag[1].lower()}" in lower else f" {tag[1]} ", value)


def _text(value: str, finish: Callable[[str], str], *, words: bool = False) -> str:
    """Tags and entities are undone by turns, since careless feeds escape once too often."""
    for _ in range(3):
        if "<" in value and _TAG.search(value):
            value = unescape_once(_stripped(_word_or_tag(value) if words else value))
        elif "&" in value and _ENTITY.search(value):
            value = unescape_once(value)
        else:
            break
    return finish(unescape(value))


def unescape_once(text: str) -> str:
    """Entities decoded, one level."""
    import html  # noqa: PLC0415 - the parameter of this module's functions has the better right to the name

    return html.unescape(text)


def to_line(html: str) -> str:
    """One line of plain text. A tag whose inside would be dropped and that never ends is left as a word: "How <script> works"."""
    return _text(html, plain_line, words=True)


def to_paragraphs(html: str) -> str:
    """Plain text, paragraphs divided by an empty line."""
    return _text(html, plain)


@lru_cache(maxsize=64)
def _sanitiser(base: str) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_KEPT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        clean_content_tags=set(_DROPPED),
        url_schemes=set(_SCHEMES),
        url_relative=("rewrite_with_base", base),
        link_rel="noopener noreferrer nofollow",
    )


_STRIPPER: Final = nh3.Cleaner(
    tags=set(_BLOCKS), attributes={}, clean_content_tags=set(_DROPPED), strip_comments=True, link_rel=None
)


def sanitised(html: str, base: str) -> str:
    """Safe HTML with absolute links: no scripts, styles, frames, forms, event handlers; `base` is an absolute URL."""
    return _sanitiser(base).clean(html)


def first_image(html: str) -> str:
    """The address of the first image that is no counting pixel; "" when there is none. As written, not resolved."""
    if "<" not in html:
        return ""
    for found in _IMAGE.finditer(html):
        if not _PIXEL.search(found[0]) and not found[0].lower().count("data:image"):
            return unescape_once(found[1] or found[2] or found[3])
    return ""


def cut(text: str, most: int) -> str:
    """`text` within `most` characters, ended at a word with "…" when it was longer."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    space = head.rfind(" ")
    return (head[:space] if space > most // 2 else head).rstrip() + "…"


def lead(body: str, most: int) -> str:
    """The first paragraphs of `body` that fit, else its first sentences, else a cut, on one line."""
    taken = ""
    for paragraph in body.split("\n\n"):
        longer = f"{taken} {paragraph}".strip()
        if len(longer) > most or len(taken) > most // 2:
            break
        taken = longer
    if taken:
        return taken
    head = " ".join(body[: most * 2].split())
    ends = [found.end() for found in _SENTENCE.finditer(head[:most])]
    return head[: ends[-1]].strip() if ends and ends[-1] > most // 4 else cut(head, most)
