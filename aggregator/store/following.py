"""The writer's part that follows `changes` and tells which texts are lacking: pages, translations, heads of stories.

It looks at what is new, edited or regrouped since the last look. How far it has come is stored with what was put in the
line, so that a kill at any point loses nothing and does nothing twice.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.models import iso
from aggregator.store.connection import remember
from aggregator.store.enrichment import MadeTexts
from aggregator.store.texts import TEXT, StoredText, Texts, stored_text

__all__ = ["Followed", "Following", "Wanted"]

_SEQ = "enrichment_seq"
_SETTINGS = "enrichment_settings"
_SHORT_BODY = 600  # characters; a feed that carries less of an article is one whose page is worth a look
_GIVEN_UP_DAYS = 7

_CHANGES = """
SELECT seq, kind, item_id, story_id, detail FROM changes WHERE seq > ? ORDER BY seq LIMIT ?
"""
_ITEMS = f"""
SELECT {TEXT} FROM json_each(?) AS j JOIN items AS i ON i.item_id = j.value LEFT JOIN bodies AS b ON b.item_id = i.item_id
WHERE i.pruned_at IS NULL ORDER BY j.key
"""  # noqa: S608  columns of our own
_PAGES_WANTED = """
INSERT OR IGNORE INTO to_enrich (task, subject_id, priority, not_before)
SELECT 'page', i.item_id, 0, :now
FROM json_each(:items) AS j JOIN items AS i ON i.item_id = j.value JOIN feeds AS f ON f.feed_id = i.feed_id
LEFT JOIN bodies AS b ON b.item_id = i.item_id
WHERE f.fulltext = 1 AND f.removed_at IS NULL AND i.pruned_at IS NULL AND i.published_at >= :since
  AND coalesce(length(b.body), 0) < :short AND i.url <> ''
"""
_STORIES_WANTED = """
INSERT INTO to_enrich (task, subject_id, priority, not_before)
SELECT 'story', s.story_id, s.outlet_count, :later FROM json_each(:stories) AS j JOIN stories AS s ON s.story_id = j.value
WHERE s.outlet_count > 1 OR EXISTS (SELECT 1 FROM story_texts AS x WHERE x.story_id = s.story_id)
ON CONFLICT DO UPDATE SET priority = excluded.priority
"""
_WANTED = """
INSERT INTO to_enrich (task, subject_id, language, priority, not_before)
SELECT 'item', i.item_id, w.value, coalesce(s.outlet_count, 0), :now
FROM json_each(:languages) AS w, {source} JOIN outlets AS o ON o.outlet_id = i.outlet_id {story}
WHERE i.pruned_at IS NULL AND i.language <> w.value AND i.published_at >= :since
  AND (coalesce(s.outlet_count, 1) >= :outlets OR o.country IN (SELECT value FROM json_each(:countries)))
  AND (:again OR NOT EXISTS (SELECT 1 FROM translations AS t WHERE t.item_id = i.item_id AND t.language = w.value))
ON CONFLICT DO UPDATE SET priority = excluded.priority,
  given_up = CASE WHEN :again THEN 0 ELSE given_up END, attempts = CASE WHEN :again THEN 0 ELSE attempts END
"""
_WANTED_ITEMS = _WANTED.format(
    source="json_each(:subjects) AS j JOIN items AS i ON i.item_id = j.value",
    story="LEFT JOIN story_items AS m ON m.item_id = i.item_id LEFT JOIN stories AS s ON s.story_id = m.story_id",
)
_WANTED_STORIES = _WANTED.format(
    source="json_each(:subjects) AS j JOIN stories AS s ON s.story_id = j.value JOIN story_items AS m ON m.story_id = s.story_id "
    "JOIN items AS i ON i.item_id = m.item_id",
    story="",
)
_FORGET = """
DELETE FROM to_enrich WHERE (given_up = 1 AND not_before < :long_ago) OR task <> 'story' AND subject_id IN (
  SELECT e.subject_id FROM to_enrich AS e LEFT JOIN items AS i ON i.item_id = e.subject_id
  WHERE e.task <> 'story' AND (i.item_id IS NULL OR i.pruned_at IS NOT NULL OR i.published_at < :since))
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a look at `changes` found, up to `seq`: items with new texts, stories with other items. `more`: there is more."""

    seq: int
    items: tuple[StoredText, ...] = ()
    new_texts: tuple[int, ...] = ()  # of these items: new or edited by a feed; their pages may be wanted
    stories: tuple[int, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are put into which languages: those of stories with so many outlets, and those of these countries."""

    languages: tuple[str, ...] = ()
    min_outlets: int = 1
    countries: tuple[str, ...] = ()
    max_age: timedelta = timedelta(hours=48)
    pages: bool = True  # whether pages are fetched for feeds that ask for it

    def same_as(self) -> bytes:
        """What changes when the settings do."""
        return json.dumps([self.languages, self.min_outlets, self.countries, self.pages]).encode()


class Following(Texts):
    """Which texts are lacking."""

    def follow(self, limit: int) -> Followed:
        """The next changes that texts depend on, at most `limit`; they count as seen only after `seen`."""
        seq = int(self.load_state(_SEQ) or 0)
        items: dict[int, bool] = {}
        stories: dict[int, None] = {}
        rows = self.rows(_CHANGES, (seq, limit))
        for row in rows:
            seq = row["seq"]
            match row["kind"]:
                case "new" | "edited":
                    items[row["item_id"]] = True
                case "enriched" if row["item_id"] and "body" in row["detail"] and "language" not in row["detail"]:
                    items.setdefault(row["item_id"], False)
                case "clustered" | "moved" | "merged" | "split":
                    stories[row["story_id"]] = None
                    stories.update(dict.fromkeys(_others(row["detail"])))
        texts = tuple(stored_text(row) for row in self.rows(_ITEMS, (json.dumps(list(items)),)))
        return Followed(
            seq, texts, tuple(i for i, by_feed in items.items() if by_feed), tuple(stories), len(rows) == limit
        )

    def seen(
        self,
        followed: Followed,
        sentences: Mapping[int, MadeTexts | None],
        wanted: Wanted,
        *,
        now: datetime,
        settle: timedelta = timedelta(seconds=30),
    ) -> None:
        """Store what `follow` led to, all or nothing: sentences of items (None: none needed), and what is to be fetched or made.

        A story waits for `settle`, so that many items in a row are looked at once.
        """
        times = {"now": iso(now), "since": iso(now - wanted.max_age)}
        with self.transaction() as db:
            for item_id, made in sentences.items():
                self._put_sentence(db, item_id, made, now)
            if wanted.pages:
                pages = {"items": json.dumps(followed.new_texts), "short": _SHORT_BODY}
                db.execute(_PAGES_WANTED, {**times, **pages})
            db.execute(_STORIES_WANTED, {"stories": json.dumps(followed.stories), "later": iso(now + settle)})
            self._want(db, _WANTED_ITEMS, [t.item_id for t in followed.items], wanted, times, again=True)
            self._want(db, _WANTED_STORIES, followed.stories, wanted, times, again=False)
            remember(db, {_SEQ: str(followed.seq).encode()})

    def apply_wanted(self, wanted: Wanted, *, now: datetime) -> bool:
        """After a change of settings: put recent stories' items in the line anew, and pages that are not wanted out of it.

        False when these settings were known.
        """
        if self.load_state(_SETTINGS) == wanted.same_as():
            return False
        times = {"now": iso(now), "since": iso(now - wanted.max_age)}
        with self.transaction() as db:
            db.execute("DELETE FROM to_enrich WHERE task = 'item' OR task = 'page' AND ?", (not wanted.pages,))
            live = [
                row[0]
                for row in db.execute(
                    "SELECT story_id FROM stories WHERE merged_into IS NULL AND last_item_at >= ?", (times["since"],)
                )
            ]
            self._want(db, _WANTED_STORIES, live, wanted, times, again=False)
            remember(db, {_SETTINGS: wanted.same_as()})
        return True

    def forget_lost(self, wanted: Wanted, *, now: datetime) -> None:
        """Take out of the line what is too old by now, and forget what was given up long ago."""
        with self.transaction() as db:
            db.execute(
                _FORGET, {"since": iso(now - wanted.max_age), "long_ago": iso(now - timedelta(days=_GIVEN_UP_DAYS))}
            )

    def _want(
        self,
        db: sqlite3.Connection,
        sql: str,
        subjects: Sequence[int],
        wanted: Wanted,
        times: Mapping[str, str],
        *,
        again: bool,
    ) -> None:
        if not (wanted.languages and subjects):
            return
        for language in wanted.languages:
            self.ensure_language(db, language)
        values = {"languages": json.dumps(wanted.languages), "subjects": json.dumps(list(subjects)), "outlets": wanted.min_outlets,
                  "countries": json.dumps(wanted.countries), "again": again}  # fmt: skip
        db.execute(sql, {**times, **values})

    def _put_sentence(self, db: sqlite3.Connection, item_id: int, made: MadeTexts | None, now: datetime) -> None:
        db.execute("DELETE FROM translations WHERE item_id = ? AND origin = 'extractive'", (item_id,))
        if made is not None:
            db.execute(
                "INSERT OR IGNORE INTO translations SELECT item_id, ?, '', ?, '', 'extractive', ?, ?, ? FROM items "
                "WHERE item_id = ? AND pruned_at IS NULL",
                (
                    self.ensure_language(db, made.language),
                    made.summary,
                    made.model,
                    made.source_hash,
                    iso(now),
                    item_id,
                ),
            )


def _others(detail: str | None) -> list[int]:
    """The story that items left."""
    found = json.loads(detail).get("from") if detail else None
    return [found] if isinstance(found, int) else []
