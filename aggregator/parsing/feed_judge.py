"""The only user of feedparser, the judge of every dialect of RSS and Atom: a document → RawFeed."""

import io
import re
import time
from typing import Any, Final

import feedparser

from aggregator.parsing.raw import MAX_IMAGES, RawEntry, RawFeed, is_image

__all__ = ["read_document"]

_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'
_SKIPPED: Final = re.compile(r"<skip(Hours|Days)\b[^<>]*>(.{0,2000}?)</skip", re.IGNORECASE | re.DOTALL)
_SKIP: Final = re.compile(r"<(?:hour|day)\b[^<>]*>\s*(\w{1,10})\s*<", re.IGNORECASE)

# feedparser would read each date by six parsers, whose answers nobody here asks for.
feedparser.registerDateHandler(lambda _: time.gmtime(0))


def read_document(document: bytes) -> RawFeed | None:
    """Feedparser's reading of a document in UTF-8 without prolog; None when it finds no feed in it."""
    found: Any = feedparser.parse(io.BytesIO(_DECLARATION + document), sanitize_html=False, resolve_relative_uris=False)
    if not found.version and not found.entries:
        return None
    feed = found.feed
    skipped = [(kind.lower(), _SKIP.findall(inside)) for kind, inside in _SKIPPED.findall(_text(document[:100_000]))]
    return RawFeed(
        title=_str(feed.get("title")),
        homepage=_str(feed.get("link")),
        language=_str(feed.get("language")),
        ttl=_str(feed.get("ttl")),
        update_period=_str(feed.get("sy_updateperiod")),
        update_frequency=_str(feed.get("sy_updatefrequency")),
        skip_hours=tuple(value for kind, values in skipped if kind == "hours" for value in values),
        skip_days=tuple(value for kind, values in skipped if kind == "days" for value in values),
        hub=next((_str(link.get("href")) for link in feed.get("links", ()) if link.get("rel") == "hub"), ""),
        entries=tuple(map(_entry, found.entries)),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _entry(entry: Any) -> RawEntry:
    contents = [part for part in entry.get("content", ()) if _str(part.get("value"))]
    body = max(contents, key=lambda part: len(part["value"]), default=None)
    summary = _str(entry.get("summary"))
    guid = _str(entry.get("id"))
    title = entry.get("title_detail") or {}
    dates = (_str(dict.get(entry, key)) for key in ("published", "updated", "created"))
    names = [_str(person.get("name")) for person in entry.get("authors", ())]
    context = body or entry.get("summary_detail") or title
    return RawEntry(
        guid=guid,
        link=_link(entry) or (guid if guid.startswith(("http://", "https://")) else ""),
        original=_str(entry.get("feedburner_origlink")) or _str(entry.get("pheedo_origlink")),
        title=_str(entry.get("title")),
        summary="" if body and summary == body["value"] else summary,
        body=body["value"] if body else "",
        dates=tuple(date for date in dates if date),
        author=", ".join(name for name in names if name) if len(names) > 1 else _str(entry.get("author")),
        tags=tuple(filter(None, (_str(tag.get("term")) or _str(tag.get("label")) for tag in entry.get("tags", ())))),
        images=_images(entry),
        language=_str(dict.get(entry, "language")) or _str(title.get("language")),
        base=_str(context.get("base")),
    )


def _link(entry: Any) -> str:
    """The article's address; an alternate of a type that feedparser does not take for a page, where there is no other."""
    alternates = (one for one in entry.get("links", ()) if one.get("rel") == "alternate")
    other = next((_str(one["href"]) for one in alternates if one.get("href")), "")
    link = _str(entry.get("link"))
    only_id = link == _str(entry.get("id")) and not link.startswith(("http://", "https://"))  # feedparser's stopgap
    return other if other and only_id else link or other


def _images(entry: Any) -> tuple[str, ...]:
    media = [
        one.get("url")
        for one in entry.get("media_content", ())
        if one.get("medium") == "image" or one.get("type", "").startswith("image/") or is_image(one.get("url", ""))
    ]
    media += [one.get("url") for one in entry.get("media_thumbnail", ())]
    media += [
        link.get("href")
        for link in entry.get("links", ())
        if link.get("rel") == "enclosure"
        and (link.get("type", "").startswith("image/") or is_image(link.get("href", "")))
    ]
    image = entry.get("image")
    media.append(image.get("href") if isinstance(image, dict) else "")
    return tuple(_str(url) for url in media if url)[:MAX_IMAGES]
