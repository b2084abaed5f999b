"""Bytes of a feed → ParsedFeed: decides what is handed to feedparser, and in which pieces."""

import re
from dataclasses import replace
from itertools import islice
from typing import Final

from aggregator.config import Limits
from aggregator.models import FailureReason, Item, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing import jsonfeed
from aggregator.parsing.decode import decode
from aggregator.parsing.facts import facts
from aggregator.parsing.feed_judge import read_document
from aggregator.parsing.items import entry_digest, make_item
from aggregator.parsing.layout import Layout, Malformed, Refused, lay_out, without_prolog
from aggregator.parsing.quick import quick_entries
from aggregator.parsing.raw import RawEntry, RawFeed
from aggregator.parsing.repair import NAMESPACES
from aggregator.parsing.scan import Span

__all__ = ["parse"]

_FEED_ROOT: Final = re.compile(r"<(?:[A-Za-z][\w.-]{0,20}:)?(rss|rdf|feed|channel)\b", re.IGNORECASE)
_HTML_ROOT: Final = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_LOOK: Final = 5_000  # characters in which a feed's first element must begin
# Runs of text that feedparser's pattern for e-mail addresses would chew on, in documents that expat could not read.
_LONG_PERSON: Final = re.compile(
    r"(<(?:\w{1,20}:)?(?:author|creator|contributor|managingeditor|webmaster|publisher|name|email|owner|keywords|tags)\b[^<>]{0,500}>"
    r"\s{0,50}(?:<!\[CDATA\[)?[^<]{300})[^<]+",
    re.IGNORECASE,
)
_LOOSE_ENTRY: Final = re.compile(  # an entry ends at its end tag, at the next one's start or with the document
    r"<((?:\w{1,20}:)?(?:item|entry))(?=[\s>])(?:(?!</?\1[\s>]).)*(?:</\1\s*>|(?=<\1[\s>])|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_LOOSE_TAG: Final = re.compile(r"</?(?:\w{1,20}:)?(?:category|subject)\b[^<>]*>", re.IGNORECASE)
_MAX_LOOSE: Final = 2_000_000  # characters; feedparser's lenient parser takes about 4 µs for each
_MAX_LOOSE_TAGS: Final = 3_000


def parse(job: ParseJob, limits: Limits) -> ParsedFeed | ParseFailed:
    """Read a body as a feed. Pure; never raises: what cannot be read is a ParseFailed.

    Entries named in `job.seen` are not parsed. Entries beyond `limits.max_entries` are left out, with a warning.
    """
    try:
        return _parse(job, limits)
    except RecursionError:
        return ParseFailed(FailureReason.PARSE, "nested too deeply")
    except Exception as error:  # noqa: BLE001 - the promise of this function: a hostile body is a value, not an exception
        return ParseFailed(FailureReason.PARSE, f"the parser failed: {type(error).__name__}: {error}"[:300])


def _parse(job: ParseJob, limits: Limits) -> ParsedFeed | ParseFailed:
    if not job.body.strip():
        return ParseFailed(FailureReason.NOT_A_FEED, "the body is empty")
    decoded = decode(job.body, job.content_type, job.language)
    text = decoded.text.lstrip()
    notes = [decoded.warning] if decoded.warning else []
    if text.startswith(("{", "[")):
        raw = jsonfeed.read(text, limits.max_entries)
        if raw is None:
            return ParseFailed(FailureReason.NOT_A_FEED, "JSON, but no JSON Feed")
        return _finish(raw, _by_content(raw), job, limits, notes)
    text = _from_declaration(text)
    bare = without_prolog(text)
    if not isinstance(bare, Refused) and not _FEED_ROOT.search(bare[0][:_LOOK]):
        kind = "an HTML page" if _HTML_ROOT.search(text[:_LOOK]) else "neither XML of a feed nor JSON Feed"
        return ParseFailed(FailureReason.NOT_A_FEED, f"{kind}; it begins with {text[:40]!r}")
    layout = lay_out(text)
    if isinstance(layout, Refused):
        return ParseFailed(FailureReason.PARSE, layout.detail)
    if isinstance(layout, Malformed):
        notes.append(f"not well-formed: {layout.detail}")
        return _loose(layout.text, job, limits, notes)
    if len(layout.entries) > limits.max_entries:
        notes.append(f"{len(layout.entries)} entries; {limits.max_entries} are taken")
    return _strict(layout, job, limits, notes)


def _from_declaration(text: str) -> str:
    """`text` without what stands before its XML declaration, such as the warnings of a PHP program."""
    if not text.startswith("<") or _FEED_ROOT.match(text) or _HTML_ROOT.match(text):
        return text
    at = text.find("<?xml ", 1, _LOOK)
    return text[at:] if at > 0 and not text.startswith("<?") else text


def _strict(layout: Layout, job: ParseJob, limits: Limits, notes: list[str]) -> ParsedFeed | ParseFailed:
    """A well-formed document: only the entries not seen before are read, the plain ones of them without feedparser."""
    if not layout.regular:
        return _irregular(layout, job, limits, notes)
    digests = _digests(layout)
    new = [
        (span, digest)
        for span, digest in zip(layout.entries[: limits.max_entries], digests, strict=False)
        if digest not in job.seen and not span.heavy
    ]
    if any(span.heavy for span in layout.entries):
        notes.append("an entry with too many elements was left out")
    entries = quick_entries(_only(layout, [span for span, _ in new]), len(new))
    odd = [span for (span, _), entry in zip(new, entries, strict=True) if entry is None]
    try:
        raw = read_document(_only(layout, odd))
        judged: list[RawEntry | None] = [*raw.entries] if raw else []
    except Exception:  # noqa: BLE001 - feedparser raises what it likes on odd entries; the others shall not suffer
        raw = _attempt(_only(layout, []), []) or RawFeed()
        judged = [_alone(_only(layout, [span]), notes) for span in odd]
    if raw is None:
        return _no_feed(layout)
    if len(judged) != len(odd):
        raise AssertionError(f"{len(odd)} entries went to the parser and {len(judged)} came back")
    answers = iter(judged)
    merged = [(digest, entry or next(answers)) for (_, digest), entry in zip(new, entries, strict=True)]
    kept = [(digest, entry) for digest, entry in merged if entry is not None]
    raw = replace(raw, entries=tuple(entry for _, entry in kept))
    return _finish(raw, tuple(digest for digest, _ in kept), job, limits, notes, digests)


def _irregular(layout: Layout, job: ParseJob, limits: Limits, notes: list[str]) -> ParsedFeed | ParseFailed:
    """A well-formed document whose entries cannot be read apart from each other."""
    if any(span.heavy for span in layout.entries):
        return ParseFailed(FailureReason.PARSE, "an entry with too many elements")
    raw = _whole(layout.data, [layout.data[span.start : span.end] for span in layout.entries], notes)
    if raw is None:
        return _no_feed(layout)
    digests = _digests(layout) if len(raw.entries) == len(layout.entries) else _by_content(raw)
    return _finish(raw, digests, job, limits, notes)


def _only(layout: Layout, spans: list[Span]) -> bytes:
    """The document with these entries alone."""
    kept = set(spans)
    return layout.without(span for span in layout.entries if span not in kept)


def _alone(document: bytes, notes: list[str]) -> RawEntry | None:
    found = _attempt(document, notes)
    return found.entries[0] if found and found.entries else None


def _whole(document: bytes, slices: list[bytes], notes: list[str]) -> RawFeed | None:
    """A document that cannot be taken apart safely; and when feedparser fails on it, its entries, taken apart all the same."""
    try:
        return read_document(document)
    except Exception:  # noqa: BLE001 - see _strict
        found = (_attempt(_wrapped(piece), notes) for piece in slices)
        return RawFeed(entries=tuple(entry for one in found if one is not None for entry in one.entries))


def _attempt(document: bytes, notes: list[str]) -> RawFeed | None:
    try:
        return read_document(document)
    except Exception:  # noqa: BLE001 - see _strict
        notes.append("an entry on which the parser failed was left out")
        return None


def _wrapped(entry: bytes) -> bytes:
    """One entry as a document of its own."""
    names = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items()).encode()
    if re.match(rb"<(?:\w{1,20}:)?item\b", entry, re.IGNORECASE):
        return b'<rss version="2.0"' + names + b"><channel>" + entry + b"</channel></rss>"
    return b'<feed xmlns="http://www.w3.org/2005/Atom"' + names + b">" + entry + b"</feed>"


def _digests(layout: Layout) -> tuple[bytes, ...]:
    return tuple(entry_digest(layout.data[span.start : span.end]) for span in layout.entries)


def _no_feed(layout: Layout) -> ParseFailed:
    return ParseFailed(
        FailureReason.NOT_A_FEED,
        f"XML, but no feed: its root is <{layout.root or layout.data[1:30].decode(errors='replace')}>",
    )


def _loose(text: str, job: ParseJob, limits: Limits, notes: list[str]) -> ParsedFeed | ParseFailed:
    """A document that is no XML: feedparser's lenient parser takes it as a whole."""
    if _HTML_ROOT.match(text):
        return ParseFailed(FailureReason.NOT_A_FEED, f"an HTML page; it begins with {text[:40]!r}")
    if len(text) > _MAX_LOOSE:
        notes.append(f"{len(text)} characters that are not well-formed; {_MAX_LOOSE} are taken")
        text = text[:_MAX_LOOSE]
    text = _LONG_PERSON.sub(r"\1", text)
    if text.count("<category") + text.count(":subject>") + text.count(":category") > _MAX_LOOSE_TAGS:
        text = _LOOSE_TAG.sub("", text)
    found = list(islice(_LOOSE_ENTRY.finditer(text), limits.max_entries + 1))
    if len(found) > limits.max_entries:
        notes.append(f"more than {limits.max_entries} entries; {limits.max_entries} are taken")
        text = text[: found.pop().start()]
    slices = [one[0] for one in found]
    raw = _whole(text.encode("utf-8", "replace"), [piece.encode("utf-8", "replace") for piece in slices], notes)
    if raw is None:
        return ParseFailed(FailureReason.NOT_A_FEED, "no feed, and not well-formed")
    if len(slices) == len(raw.entries):
        digests = tuple(entry_digest(piece.encode("utf-8", "replace")) for piece in slices)
    else:
        digests = _by_content(raw)
    return _finish(raw, digests, job, limits, notes)


def _by_content(raw: RawFeed) -> tuple[bytes, ...]:
    return tuple(entry_digest(repr(entry).encode("utf-8", "replace")) for entry in raw.entries)


def _finish(
    raw: RawFeed,
    digests: tuple[bytes, ...],
    job: ParseJob,
    limits: Limits,
    notes: list[str],
    every: tuple[bytes, ...] | None = None,
) -> ParsedFeed:
    """`digests` are those of `raw.entries`, `every` those of all entries of the document where these are more."""
    head = facts(raw, job.url)
    language = head.language or job.language
    items: list[Item] = []
    for entry, digest in zip(raw.entries[: limits.max_entries], digests, strict=False):
        if digest in job.seen:
            continue
        item = make_item(entry, digest, job, language, limits)
        if item is None:
            notes.append("an entry without title, text and link was left out")
        else:
            items.append(item)
    return ParsedFeed(
        title=head.title,
        homepage=head.homepage,
        language=language,
        items=tuple(items),
        digests=(digests if every is None else every)[: limits.max_entries],
        ttl_s=head.ttl_s,
        update_period_s=head.update_period_s,
        skip_hours=head.skip_hours,
        skip_days=head.skip_days,
        hub=head.hub,
        warnings=tuple(dict.fromkeys(notes)),
    )
