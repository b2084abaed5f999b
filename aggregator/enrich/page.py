"""An article's page → its text, in a worker process: the only user of trafilatura.

`read_page` is run by the pool that parses feeds, under the same limits, and answers in its nouns: the page as a feed of
one entry. The HTML that is kept is built here, tag by tag, from the extracted tree: nothing of the page's own markup goes
through, so there is nothing to sanitise.
"""

import html
import logging
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import trafilatura

from aggregator.cleaning import plain, plain_line
from aggregator.config import Limits
from aggregator.enrich.summary import is_teaser
from aggregator.enrich.walls import wall
from aggregator.models import DateSource, FailureReason, Item, ParsedFeed, ParseFailed, ParseJob

__all__ = ["extractor", "read_page"]

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_TEASER_CHARS: Final = 220  # a longer paragraph that asks for something also tells something
_TAGS: Final = {"p": "p", "quote": "blockquote", "head": "h2", "item": "li", "row": "p", "code": "pre", "ab": "p"}
_MOST_TAGS: Final = 40
_HTML: Final = re.compile(r"<\s*(?:!doctype\s+html|html|head|body|article|div|p)\b", re.IGNORECASE)

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # a page without text is told by the answer
logging.getLogger("htmldate").setLevel(logging.CRITICAL)


@cache
def extractor() -> str:
    """Name and version of what takes texts from pages: `bodies.model`."""
    return f"trafilatura {version('trafilatura')}"


def read_page(job: ParseJob, limits: Limits) -> ParsedFeed | ParseFailed:
    """The article of the page in `job.body`: one item with body, image, author, tags; or why there is none.

    The item's `title`, `summary` and `language` are the page's own and may be empty; its times mean nothing.
    """
    source = _decoded(job)
    if not _HTML.search(source[:4096]):
        return ParseFailed(FailureReason.NO_TEXT, "not an HTML page")
    found: Any = trafilatura.bare_extraction(
        source, url=job.url, with_metadata=True, include_comments=False, include_tables=False, include_links=False,
        include_images=False, date_extraction_params={"extensive_search": False, "original_date": True},
    )  # fmt: skip
    title = plain_line(str(getattr(found, "title", None) or ""))
    every = list(_blocks(getattr(found, "body", None), title))
    blocks = [(kind, text) for kind, text in every if len(text) >= _TEASER_CHARS or not is_teaser(text)]
    body = plain("\n\n".join(text for _, text in blocks))[: limits.max_body_chars]
    reason = wall(source, body, job.url, " ".join(text for _, text in every))
    if reason:
        return ParseFailed(FailureReason.CHALLENGE if "anti-bot" in reason else FailureReason.NO_TEXT, reason)
    item = Item(
        guid=job.url,
        url=job.url,
        canonical_url=job.url,
        title=title[: limits.max_title_chars],
        title_key="",
        summary=plain_line(str(found.description or ""))[: limits.max_summary_chars],
        body=body,
        body_html=_markup(blocks)[: 2 * limits.max_body_chars],
        language=job.language,
        published_at=job.now,
        published_raw="",
        date_source=DateSource.FIRST_SEEN,
        content_hash="",
        author=plain_line(str(found.author or "").replace(";", ","))[:200],
        image_url=_address(str(found.image or ""), job.url),
        tags=_tags(found.tags),
    )
    return ParsedFeed(title=plain_line(str(found.sitename or "")), homepage="", language="", items=(item,), digests=())


def _decoded(job: ParseJob) -> str:
    """BOM, then the HTTP header's charset, then what the page declares, then UTF-8, at last windows-1252 (WHATWG Encoding)."""
    body = job.body
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    declared = [
        found[1] for text in (job.content_type, body[:2048].decode("latin-1")) if (found := _CHARSET.search(text))
    ]
    try:
        return body.decode("utf-8")  # what is valid UTF-8 and not ASCII is UTF-8, whatever is declared
    except UnicodeDecodeError:
        pass
    for name in declared:
        try:
            return body.decode(
                "windows-1252" if name.lower() in {"iso-8859-1", "latin1", "us-ascii"} else name, "replace"
            )
        except LookupError:
            continue
    return body.decode("windows-1252", "replace")


def _blocks(tree: Any, title: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each block in order; kinds are those of _TAGS. The title's repetition is left out."""
    if tree is None:
        return
    for element in tree.iter(*_TAGS):
        if next(element.iterdescendants(*_TAGS), None) is not None:
            continue  # its parts come by themselves
        kind = str(element.tag)
        text = plain_line(" ".join(element.itertext()))
        repeats = kind == "head" and text.casefold() == title.casefold()
        if text and not repeats:
            yield kind, text


def _markup(blocks: list[tuple[str, str]]) -> str:
    """The blocks as HTML that holds nothing but h2, p, blockquote, pre, ul and li without attributes."""
    parts: list[str] = []
    for kind, text in blocks:
        tag = _TAGS[kind]
        block = f"<{tag}>{html.escape(text, quote=False)}</{tag}>"
        if tag != "li":
            parts.append(block)
        elif parts and parts[-1].endswith("</ul>"):
            parts[-1] = parts[-1].removesuffix("</ul>") + block + "</ul>"
        else:
            parts.append(f"<ul>{block}</ul>")
    return "\n".join(parts)


def _address(url: str, base: str) -> str:
    """An absolute http(s) address, or ""."""
    try:
        whole = urljoin(base, url.strip())
        return whole if url and urlsplit(whole).scheme in ("http", "https") and len(whole) < 2000 else ""  # noqa: PLR2004 - no browser takes more
    except ValueError:
        return ""


def _tags(values: Any) -> tuple[str, ...]:
    split = (part for value in values or () for part in re.split(r"[,;]", str(value)))
    cleaned = (plain_line(part)[:80] for part in split)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:_MOST_TAGS]
