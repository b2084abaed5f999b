"""What people and programs ask of the file."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.errors import StoreError
from aggregator.models import iso, parse_iso
from aggregator.store.formats import opml
from aggregator.store.readonly import ReadOnly, Row
from aggregator.store.textsearch import excerpt, match_query

__all__ = ["Reader", "open_reader"]

_LONGEST_WAY = 10_000  # merges in a row; a bound, so that a damaged file cannot hold a reader
_NEWEST_MATCHES = 1000  # of a search, the newest are ranked: the time of a search does not grow with the file

_STORIES = """
SELECT * FROM top_stories AS s
WHERE s.last_item_at >= :since AND s.outlet_count >= :min_outlets
  AND (:country = '' OR ' ' || s.countries || ' ' LIKE '% ' || :country || ' %')
  AND (:language = '' OR ' ' || s.languages || ' ' LIKE '% ' || :language || ' %')
ORDER BY s.score DESC, s.story_id DESC LIMIT :limit
"""

_STORY = """
SELECT s.*, o.name AS first_reported_by, c.flag AS first_flag, c.code AS first_country, c.name AS first_country_name
FROM stories AS s LEFT JOIN items AS i ON i.item_id = s.first_item_id
LEFT JOIN outlets AS o ON o.outlet_id = i.outlet_id LEFT JOIN countries AS c ON c.code = o.country
WHERE s.story_id = ?
"""

_COUNTS = """
SELECT
  (SELECT count(*) FROM feeds WHERE removed_at IS NULL) AS feeds,
  (SELECT count(*) FROM items) AS items,
  (SELECT count(*) FROM items WHERE published_at >= :day) AS items_24h,
  (SELECT count(*) FROM stories WHERE merged_into IS NULL) AS stories,
  (SELECT count(*) FROM stories WHERE merged_into IS NULL AND outlet_count > 1) AS shared_stories
"""

_FEEDS = """
SELECT h.feed_id, h.flag, o.country, h.outlet, f.language, f.region, f.title, f.homepage, h.url, h.state, h.stale,
       h.last_error, h.next_poll_at, h.why
FROM feed_health AS h JOIN feeds AS f ON f.feed_id = h.feed_id JOIN outlets AS o ON o.outlet_id = f.outlet_id
WHERE f.removed_at IS NULL ORDER BY o.country, h.outlet, h.url
"""

_TROUBLED = """
SELECT state, outlet, failures, stale, coalesce(last_error, '') AS last_error, why, url FROM feed_health
WHERE state IN ('failing', 'blocked', 'gone') OR stale ORDER BY failures DESC, url LIMIT 20
"""

_NEXT_DUE = """
SELECT min(s.next_poll_at) AS at FROM feed_state AS s JOIN feeds AS f ON f.feed_id = s.feed_id
WHERE f.removed_at IS NULL AND f.enabled AND NOT f.paused
"""

_WHY = """
SELECT m.story_id, m.similarity, m.nearest_item_id, n.title AS nearest_title, o.name AS nearest_outlet, m.reprint_of,
       m.assigned_at, m.reasons
FROM story_items AS m LEFT JOIN items AS n ON n.item_id = m.nearest_item_id
LEFT JOIN outlets AS o ON o.outlet_id = n.outlet_id WHERE m.item_id = ?
"""
_JUDGED = """
SELECT j.same, j.model, j.at, i.item_id, i.title, o.name AS outlet
FROM (SELECT * FROM judgements WHERE (item_id = :item OR other_id = :item) AND same IS NOT NULL AND void = 0) AS j
JOIN items AS i ON i.item_id = CASE j.item_id WHEN :item THEN j.other_id ELSE j.item_id END
JOIN outlets AS o ON o.outlet_id = i.outlet_id ORDER BY j.judgement_id
"""

_SNIPPET = """
SELECT snippet(search_words, -1, ?, ?, '…', 24) AS snippet FROM search_words
WHERE search_words MATCH ? AND rowid = ?
"""

_FOUND = """
SELECT c.item_id, c.published_at, c.label, c.flag, c.country, c.outlet, c.language, c.title, c.reader_title, c.reader_origin, c.link,
       c.story_id, c.similar_count, c.summary, c.body
FROM json_each(?) AS j JOIN coverage AS c ON c.item_id = j.value ORDER BY j.key
"""


def open_reader(path: Path) -> "Reader":
    """Open the database at `path` for reading, while a daemon writes to it, after it stopped, and after it was killed.

    Raises StoreError when there is no such file, when it may not be read or is not one of ours, StoreTooNewError when a
    newer version of this program wrote it, StoreDamagedError when it cannot be read for damage.
    """
    return Reader(path)


class Reader(ReadOnly):
    """One database file, read-only, with the questions that have names. From any thread, one at a time; raises StoreError."""

    # --- what people ask ----------------------------------------------------------------------------------------

    def item(self, item_id: int) -> Row | None:
        """The row of `coverage`, or None when there is no such item."""
        return self.row("SELECT * FROM coverage WHERE item_id = ?", (item_id,))

    def similar(self, item_id: int) -> list[Row]:
        """The other items of its story, in order of time: rows of `similar_coverage`."""
        sql = "SELECT * FROM similar_coverage WHERE item_id = ? ORDER BY published_at, similar_item_id"
        return self.query(sql, (item_id,))

    def why(self, item_id: int) -> Row | None:
        """What put an item into its story: similarity, the nearest item, and the reasons; None when it is in none.

        `judged` is there when a judge was asked: of each answer that counts, the other item and what was said.
        """
        found = self.row(_WHY, (item_id,))
        if found is None:
            return None
        reasons = json.loads(found.pop("reasons"))
        judged = [{**row, "same": bool(row["same"])} for row in self.query(_JUDGED, {"item": item_id})]
        told = {**{name: value for name, value in found.items() if value is not None}, **reasons}
        return {**told, "judged": judged} if judged else told

    def story(self, story_id: int) -> Row | None:
        """The row of `stories`, with who reported first; a story that was merged leads to the one it became part of."""
        for _ in range(_LONGEST_WAY):
            row = self.row(_STORY, (story_id,))
            if row is None or row["merged_into"] is None:
                return row
            story_id = row["merged_into"]
        raise StoreError(f"{self.path}: the merges of story {story_id} lead nowhere")

    def timeline(self, story_id: int) -> list[Row]:
        """The items of a story, the first to report first: rows of `story_timeline`."""
        return self.query("SELECT * FROM story_timeline WHERE story_id = ? ORDER BY published_at, item_id", (story_id,))

    def heads(self, story_ids: Iterable[int]) -> list[Row]:
        """Rows of `story_heads`, of stories that stand."""
        sql = "SELECT h.* FROM json_each(?) AS j JOIN story_heads AS h ON h.story_id = j.value ORDER BY j.key"
        return self.query(sql, (json.dumps(list(story_ids)),))

    def stories(
        self, since: datetime, limit: int, country: str | None = None, language: str | None = None, min_outlets: int = 2
    ) -> list[Row]:
        """Rows of `top_stories` with news since then, the best first; of those told in a country, in a language.

        `min_outlets` below 2 is 2: what one outlet tells is no top story.
        """
        parameters = {
            "since": iso(since),
            "limit": limit,
            "country": (country or "").upper(),
            "language": (language or "").lower(),
            "min_outlets": min_outlets,
        }
        return self.query(_STORIES, parameters)

    def search(self, words: str, limit: int = 20, marks: tuple[str, str] = ("[", "]")) -> list[Row]:
        """Items that hold all words, in any script, the best match first, each with a `snippet` that marks them [so].

        "Quoted words" must follow each other, a trailing * finds beginnings; see textsearch.match_query. Of more than
        1,000 matches the newest 1,000 are ranked (BM25).
        """
        match = match_query(words)
        if not match:
            return []
        hits = self.query(
            "SELECT rowid AS item_id, rank FROM search_words WHERE search_words MATCH ? ORDER BY rowid DESC LIMIT ?",
            (match, _NEWEST_MATCHES),
        )
        best = sorted(hits, key=lambda hit: (hit["rank"], -hit["item_id"]))[:limit]
        ranks = {hit["item_id"]: hit["rank"] for hit in best}
        found = self.query(_FOUND, (json.dumps(list(ranks)),))
        for row in found:
            texts = (row["title"], row.pop("summary"), row.pop("body") or "")
            marked = self.query(_SNIPPET, (*marks, match, row["item_id"]))
            # What was found by pairs of characters only, FTS5 cannot show: it answers with nothing, or an ellipsis.
            found_words = marked[0]["snippet"] if marked and marks[0] in marked[0]["snippet"] else ""
            row["snippet"] = found_words or excerpt(words, *texts, marks=marks) or texts[1] or texts[0]
            row["rank"] = ranks[row["item_id"]]
        return found

    def changes(self, since_seq: int, limit: int = 1000) -> list[Row]:
        """What happened after the change `since_seq`, in order: rows of `changes`, `detail` as an object or None."""
        rows = self.query("SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", (since_seq, limit))
        for row in rows:
            row["detail"] = json.loads(row["detail"]) if row["detail"] else None
        return rows

    # --- feeds and health ---------------------------------------------------------------------------------------

    def feeds(self) -> list[Row]:
        """The feeds that are configured, with their state, by country and outlet."""
        return self.query(_FEEDS)

    def opml(self) -> str:
        """The feeds that are configured as OPML 2.0, a folder a country."""
        return opml(self.feeds())

    def counts(self, now: datetime) -> dict[str, int]:
        """How many feeds, items, items published in the last 24 h, stories, stories that several outlets tell."""
        return self.query(_COUNTS, {"day": iso(now - timedelta(hours=24))})[0]

    def next_due_at(self) -> datetime | None:
        """When the feed that is due first is due; in the past when the daemon is behind, None without feeds."""
        at = self.query(_NEXT_DUE)[0]["at"]
        return parse_iso(at) if at else None

    def health(self, now: datetime) -> Row:
        """All that tells whether the daemon does its work.

        `counts`, `feeds_by_state`, up to 20 `troubled` feeds, the 3 `newest` items, `late_s` (seconds since the feed due
        longest was due) and `waiting_for_a_story` (items).
        """
        due = self.next_due_at()
        states = (
            "SELECT state, count(*) AS feeds FROM feed_health WHERE state <> 'removed' GROUP BY state ORDER BY 2 DESC"
        )
        return {
            "counts": self.counts(now),
            "feeds_by_state": {row["state"]: row["feeds"] for row in self.query(states)},
            "troubled": self.query(_TROUBLED),
            "newest": self.query("SELECT label, flag, outlet, title FROM coverage ORDER BY item_id DESC LIMIT 3"),
            "late_s": max(0, int((now - due).total_seconds())) if due else 0,
            "waiting_for_a_story": self.query("SELECT count(*) AS n FROM to_cluster")[0]["n"],
        }
