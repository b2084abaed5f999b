"""RawEntry → Item: texts made plain, addresses canonical, the date judged, the language recognised."""

import hashlib
import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from typing import Final

from aggregator.cleaning import match_summary, plain_line, title_key
from aggregator.config import Limits
from aggregator.models import DateSource, Item, ParseJob
from aggregator.parsing import text
from aggregator.parsing.dates import parse_date
from aggregator.parsing.language import detect, primary
from aggregator.parsing.raw import RawEntry
from aggregator.parsing.urls import absolute, canonical, is_site_root

__all__ = ["content_hash", "entry_digest", "make_item"]

_LEAD: Final = 500  # characters of a summary made from the body
_FULL: Final = 1_200  # characters from which a description counts as the article itself
_MAX_GUID: Final = 1_000
_MAX_AUTHOR: Final = 200
_MAX_TAGS: Final = 20
_EMAIL: Final = re.compile(r"^[^\s@()]{1,100}@[^\s@()]{1,100}\s*\(([^()]{2,200})\)$|^([^<>]{2,200}?)\s*<[^<>\s]{3,200}>$|\s*\([^()\s@]{1,100}@[^()\s@]{1,100}\)$")  # fmt: skip
_ADDRESS: Final = re.compile(r"^[^\s@]{1,100}@[^\s@]{1,100}\.[^\s@]{2,30}$")
# Counters that grow with every reader: no edit of the article.
_COUNTERS: Final = re.compile(
    r"\b\d[\d.,\s]{0,12}\s*(?:views?|comments?|reads?|shares?|likes?|skatījum\w*|komentār\w*|peržiūr\w*|komentar\w*|vaatamis\w*|"
    r"kommentaar\w*|просмотр\w*|комментари\w*|перегляд\w*|коментар\w*|wyświetle\w*|visningar|kommenttia|görüntülenme|"
    r"vues?|commentaires?|visualizações|visualizaciones|comentarios?|aufrufe|kommentare|次浏览|閲覧|조회)\b"
    r"|\b(?:views?|comments?|просмотр\w*|комментари\w*|skatījumi|peržiūros|vues|aufrufe|görüntülenme|조회수?|阅读|閲覧数?)\s*[:(]\s*\d[\d.,\s]{0,12}\)?",
    re.IGNORECASE,
)


def entry_digest(raw: bytes) -> bytes:
    """8 bytes that stand for a raw entry."""
    return hashlib.blake2b(raw, digest_size=8).digest()


def content_hash(title: str, summary: str, body: str) -> str:
    """Changes when an edit is worth a revision: not with case, punctuation, white space, counters, datelines, "read more".

    `title` is a title key; `summary` and `body` are plain texts.
    """
    return hashlib.blake2b(
        "\n".join((title, _key(match_summary(summary)), _key(body))).encode(), digest_size=12
    ).hexdigest()


def _key(value: str) -> str:
    if any(map(str.isdigit, value)):
        value = _COUNTERS.sub(" ", value)
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
    return " ".join(re.findall(r"\w+", value.casefold()))


def make_item(entry: RawEntry, digest: bytes, job: ParseJob, language: str, limits: Limits) -> Item | None:
    """The Item of one entry, or None when it has neither text nor link.

    `language` is the feed's. Everything is cut to its limit before any other work is done on it.
    """
    base = absolute(entry.base, job.url) or job.url
    title = text.cut(text.to_line(text.bounded(entry.title, limits.max_title_chars * 4)), limits.max_title_chars)
    html = text.bounded(entry.body, limits.max_body_chars)
    summary_html = text.bounded(entry.summary, limits.max_body_chars)
    summary = text.to_paragraphs(summary_html)
    body = summary if html == summary_html else text.to_paragraphs(html) if html else ""
    if not body and len(summary) >= _FULL:
        body, html = summary, summary_html
    if body and (not summary or len(summary) >= _FULL or summary == body):
        summary = text.lead(body, _LEAD)
    summary = text.cut(plain_line(summary), limits.max_summary_chars)
    if body and plain_line(body) == summary:
        body = html = ""
    if not title:
        title = text.cut(text.lead(summary or body, 120), limits.max_title_chars)
    link = absolute(entry.link, base)
    if link and is_site_root(canonical(link)) and entry.guid.startswith(("http://", "https://")):
        link = absolute(entry.guid, base) or link  # the site's front page as the link, the article's address as the id
    if not title and not link:
        return None
    title = title or link
    guid = plain_line(entry.guid[:_MAX_GUID])
    own_language = detect(f"{title}. {summary}"[:400], primary(entry.language) or language)
    published, raw_date, source = _published(entry.dates, job, language or own_language)
    key = title_key(title, job.outlet)
    return Item(
        # Without one: link and title, as some feeds give all their articles the link of one page.
        guid=guid or f"{link or 'urn:title'}#{entry_digest(key.encode()).hex()}",
        url=link,
        canonical_url=canonical(link, absolute(entry.original, base)) if link else "",
        title=title,
        title_key=key,
        summary=summary,
        body=body,
        body_html=text.sanitised(html, base) if html else "",
        language=own_language,
        published_at=published,
        published_raw=raw_date,
        date_source=source,
        content_hash=content_hash(key, summary, body),
        entry_digest=digest,
        author=_author(entry.author),
        image_url=_image(entry, html or summary_html, base),
        tags=_tags(entry.tags),
    )


def _published(dates: tuple[str, ...], job: ParseJob, language: str) -> tuple[datetime, str, DateSource]:
    """The first date that can be read; never after the moment it was first seen."""
    for raw in dates:
        at = parse_date(raw, job.now, job.country, language, job.timezone)
        if at is not None:
            if at > job.now:
                return job.now, plain_line(raw[:200]), DateSource.CLAMPED
            return at, plain_line(raw[:200]), DateSource.FEED
    return job.now, plain_line(dates[0][:200]) if dates else "", DateSource.FIRST_SEEN


@lru_cache(maxsize=1024)
def _author(raw: str) -> str:
    """A name: without the e-mail address that RSS wants before it."""
    name = text.to_line(text.bounded(raw, 4 * _MAX_AUTHOR))
    found = _EMAIL.search(name)
    if found:
        name = (found[1] or found[2] or name[: found.start()]).strip()
    return "" if _ADDRESS.match(name) else text.cut(name, _MAX_AUTHOR)


def _image(entry: RawEntry, html: str, base: str) -> str:
    for candidate in (*entry.images, text.first_image(html)):
        if candidate and (url := absolute(candidate, base)):
            return url
    return ""


@lru_cache(maxsize=1024)
def _tags(raw: tuple[str, ...]) -> tuple[str, ...]:
    """Distinct tags in the order of the feed."""
    tags = (text.cut(text.to_line(text.bounded(tag, 400)), 100) for tag in raw[: 2 * _MAX_TAGS])
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:_MAX_TAGS]
