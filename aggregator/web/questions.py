"""What the pages ask of the database beyond what the Reader offers: mostly its public views, for many stories at once."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from aggregator.models import iso
from aggregator.store.reader import Reader

__all__ = [
    "countries_of", "countries_told", "coverage_over_time", "digest", "feed_states", "feeds", "first_reports", "language_names",
    "languages_told", "masthead", "origins", "reader_language", "story_heads",
]  # fmt: skip

Row = dict[str, Any]

_COVERAGE = """
SELECT m.story_id, (CAST(strftime('%s', i.published_at) AS INTEGER) - :start) / :step AS slot, count(*) AS items
FROM json_each(:ids) AS j JOIN story_items AS m ON m.story_id = j.value JOIN items AS i ON i.item_id = m.item_id
WHERE i.published_at >= :since AND i.published_at < :until GROUP BY m.story_id, slot
"""

_MASTHEAD = """
SELECT (SELECT max(published_at) FROM items) AS newest,
       (SELECT count(*) FROM items WHERE published_at >= :day) AS items_24h,
       (SELECT count(*) FROM feeds WHERE removed_at IS NULL) AS feeds
"""

_ORIGINS = """
SELECT t.item_id, t.origin FROM json_each(?) AS j JOIN translations AS t ON t.item_id = j.value
WHERE t.language = (SELECT value FROM meta WHERE key = 'reader_language')
"""

_STATES = """
SELECT CASE WHEN state IN ('new', 'ok') AND stale THEN 'stale' ELSE state END AS state, count(*) AS feeds
FROM feed_health GROUP BY 1
"""

_FEEDS = """
SELECT *, CASE WHEN state IN ('new', 'ok') AND stale THEN 'stale' ELSE state END AS shown FROM feed_health
WHERE :states LIKE '% ' || shown || ' %' ORDER BY failures DESC, outlet, url LIMIT :limit OFFSET :offset
"""


def reader_language(reader: Reader) -> str:
    """The tag of the reader's language."""
    row = reader.row("SELECT value FROM meta WHERE key = 'reader_language'")
    return row["value"] if row else "en"


def language_names(reader: Reader) -> dict[str, str]:
    """Languages by their tags, named in the reader's."""
    return {row["code"]: row["name"] for row in reader.query("SELECT code, name FROM languages")}


def countries_told(reader: Reader) -> list[Row]:
    """The countries that outlets are in: code, name, flag."""
    return reader.query(
        "SELECT code, name, flag FROM countries WHERE code <> '' AND code IN (SELECT country FROM outlets) ORDER BY name"
    )


def languages_told(reader: Reader) -> list[Row]:
    """The languages that feeds are in: code, name."""
    return reader.query(
        "SELECT code, name FROM languages WHERE code <> '' AND code IN (SELECT language FROM feeds) ORDER BY name"
    )


def masthead(reader: Reader, now: datetime) -> Row:
    """`newest` (when the newest item was published, or None), `items_24h`, `feeds`: all by indexes, however large the file."""
    return reader.query(_MASTHEAD, {"day": iso(now - timedelta(hours=24))})[0]


def story_heads(reader: Reader, story_ids: Iterable[int]) -> dict[int, Row]:
    """Rows of `story_heads` by story."""
    return {row["story_id"]: row for row in reader.heads(story_ids)}


def first_reports(reader: Reader, story_ids: Iterable[int]) -> dict[int, Row]:
    """Rows of `first_reports` by story."""
    sql = "SELECT f.* FROM json_each(?) AS j JOIN first_reports AS f ON f.story_id = j.value"
    return {row["story_id"]: row for row in reader.query(sql, (_list(story_ids),))}


def countries_of(reader: Reader, story_id: int) -> list[Row]:
    """Rows of `stories_by_country`, the loudest first."""
    sql = "SELECT * FROM stories_by_country WHERE story_id = ? ORDER BY item_count DESC, first_item_at, country"
    return reader.query(sql, (story_id,))


def digest(reader: Reader, story_id: int, language: str) -> list[Row]:
    """Rows of `story_digest` in that language, in order."""
    return reader.query(
        "SELECT * FROM story_digest WHERE story_id = ? AND language = ? ORDER BY position", (story_id, language)
    )


def coverage_over_time(
    reader: Reader, story_ids: Iterable[int], since: datetime, step: timedelta, slots: int
) -> dict[int, tuple[int, ...]]:
    """For each story, its items in each of `slots` slots of `step` from `since` on."""
    ids = list(story_ids)
    parameters = {
        "ids": _list(ids),
        "start": int(since.timestamp()),
        "step": int(step.total_seconds()),
        "since": iso(since),
        "until": iso(since + slots * step),
    }
    counts = {story_id: [0] * slots for story_id in ids}
    for row in reader.query(_COVERAGE, parameters):
        counts[row["story_id"]][row["slot"]] = row["items"]
    return {story_id: tuple(found) for story_id, found in counts.items()}


def origins(reader: Reader, item_ids: Iterable[int]) -> dict[int, str]:
    """What made the reader's texts of items: machine, outlet, person, extractive. Items without such are left out."""
    return {row["item_id"]: row["origin"] for row in reader.query(_ORIGINS, (_list(item_ids),))}


def feed_states(reader: Reader) -> dict[str, int]:
    """How many feeds are in which state; a feed that answers but has long been silent counts as `stale`."""
    return {row["state"]: row["feeds"] for row in reader.query(_STATES)}


def feeds(reader: Reader, states: Iterable[str], limit: int, offset: int) -> list[Row]:
    """Rows of `feed_health` in those states (`shown`), those that fail longest first."""
    return reader.query(_FEEDS, {"states": f" {' '.join(states)} ", "limit": limit, "offset": offset})


def _list(ids: Iterable[int]) -> str:
    return json.dumps(list(ids))
