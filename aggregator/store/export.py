"""Items and stories out of the database, in the forms that other programs read."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import IO

from aggregator.errors import UsageError
from aggregator.models import iso
from aggregator.store.formats import atom, json_feed
from aggregator.store.parquet import write_parquet
from aggregator.store.reader import Reader
from aggregator.store.readonly import Row

__all__ = ["FORMATS", "ITEM_FORMATS", "export_items", "export_stories"]

ITEM_FORMATS = ("jsonl", "csv", "parquet")
FORMATS = (*ITEM_FORMATS, "atom", "jsonfeed")
_FEED_STORIES = 100  # in a feed, the latest

_ITEM_COLUMNS: tuple[tuple[str, type], ...] = (
    ("item_id", int), ("story_id", int), ("published_at", str), ("first_seen_at", str), ("updated_at", str), ("retracted_at", str),
    ("country", str), ("country_name", str), ("flag", str), ("outlet", str), ("region", str), ("language", str), ("title", str),
    ("summary", str), ("sentence", str), ("body", str), ("text_origin", str), ("reader_title", str), ("reader_summary", str), ("reader_body", str),
    ("reader_origin", str), ("reader_model", str), ("link", str), ("image_url", str), ("author", str), ("tags", str),
    ("date_source", str), ("similar_count", int), ("similarity", float), ("reprint_of", int),
)  # fmt: skip
_STORY_COLUMNS: tuple[tuple[str, type], ...] = (
    ("story_id", int), ("title", str), ("language", str), ("summary", str), ("sentence", str), ("reader_title", str), ("reader_summary", str),
    ("reader_origin", str), ("reader_model", str), ("link", str), ("lead_item_id", int), ("first_item_id", int), ("item_count", int), ("outlet_count", int),
    ("independent_count", int), ("country_count", int), ("language_count", int), ("countries", str), ("flags", str), ("languages", str),
    ("first_item_at", str), ("last_item_at", str), ("updated_at", str),
)  # fmt: skip

_ITEMS = f"""
SELECT {", ".join(name for name, _ in _ITEM_COLUMNS)} FROM coverage
WHERE published_at >= :since AND (:country = '' OR country = :country) AND (:language = '' OR language = :language)
ORDER BY published_at, item_id
"""  # noqa: S608  column names of our own
_STORIES = """
SELECT s.story_id, s.title, s.language, h.summary, h.sentence, h.reader_title, h.reader_summary, h.reader_origin, h.reader_model,
       (SELECT value FROM meta WHERE key = 'reader_language') AS reader_language, h.link, s.lead_item_id, s.first_item_id, s.item_count, s.outlet_count, s.independent_count, s.country_count, s.language_count, s.countries,
       s.flags, s.languages, s.first_item_at, s.last_item_at, s.updated_at
FROM stories AS s JOIN story_heads AS h ON h.story_id = s.story_id
WHERE s.merged_into IS NULL AND s.outlet_count > 1 AND s.last_item_at >= :since AND s.outlet_count >= :min_outlets
  AND (:country = '' OR ' ' || s.countries || ' ' LIKE '% ' || :country || ' %')
  AND (:language = '' OR ' ' || s.languages || ' ' LIKE '% ' || :language || ' %')
ORDER BY s.last_item_at DESC, s.story_id DESC LIMIT :limit
"""


def export_items(
    reader: Reader,
    form: str,
    out: IO[bytes],
    *,
    since: datetime,
    country: str | None = None,
    language: str | None = None,
) -> int:
    """Write the items published since then, in order of time, as one of ITEM_FORMATS. How many.

    Rows of `coverage`, all texts with them. Raises UsageError, StoreError.
    """
    if form not in ITEM_FORMATS:
        raise UsageError(f"items cannot be written as {form}; choose one of: {', '.join(ITEM_FORMATS)}")
    parameters = {"since": iso(since), "country": (country or "").upper(), "language": (language or "").lower()}
    return _WRITE[form](reader.each(_ITEMS, parameters), _ITEM_COLUMNS, out)


def export_stories(
    reader: Reader,
    form: str,
    out: IO[bytes],
    *,
    since: datetime,
    country: str | None = None,
    language: str | None = None,
    min_outlets: int = 2,
    limit: int | None = None,
    title: str = "Similar coverage",
) -> int:
    """Write the stories with an item since then that several outlets tell, the latest first, as one of FORMATS. How many.

    `country` and `language` keep those told there, or in it. In jsonl each has its `items`; a feed (atom, jsonfeed) holds
    the latest 100, or `limit`. Raises UsageError, StoreError.
    """
    if form not in FORMATS:
        raise UsageError(f"stories cannot be written as {form}; choose one of: {', '.join(FORMATS)}")
    is_feed = form in ("atom", "jsonfeed")
    parameters = {
        "since": iso(since),
        "country": (country or "").upper(),
        "language": (language or "").lower(),
        "min_outlets": min_outlets,
        "limit": limit or (_FEED_STORIES if is_feed else -1),
    }
    rows = reader.each(_STORIES, parameters)
    if form in ("csv", "parquet"):
        return _WRITE[form](rows, _STORY_COLUMNS, out)
    told = ({**row, "items": reader.timeline(row["story_id"])} for row in rows)
    if not is_feed:
        return _jsonl(told, (*_STORY_COLUMNS, ("items", list)), out)
    stories = list(told)
    identity = reader.query("SELECT value FROM meta WHERE key = 'created_at'")[0]["value"]
    if form == "atom":
        text = atom(stories, title=title, identity=identity, updated=iso(since))
    else:
        text = json_feed(stories, title=title, identity=identity)
    out.write(text.encode())
    return len(stories)


def _jsonl(rows: Iterable[Row], columns: Sequence[tuple[str, type]], out: IO[bytes]) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007  the last one is returned
        line = {name: row[name] for name, _ in columns}
        out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return count


def _csv(rows: Iterable[Row], columns: Sequence[tuple[str, type]], out: IO[bytes]) -> int:
    """RFC 4180, in UTF-8, with a line of names; NULL is an empty field."""
    count = 0
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([name for name, _ in columns])
    for count, row in enumerate(rows, 1):  # noqa: B007  the last one is returned
        writer.writerow([row[name] for name, _ in columns])
    text.detach()
    return count


_WRITE: dict[str, Callable[[Iterator[Row], Sequence[tuple[str, type]], IO[bytes]], int]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": write_parquet,
}
