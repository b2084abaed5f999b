"""The writer's part that tells which texts are lacking, and gives what they are made from.

It follows `changes`: what is new, edited or regrouped since the last look. How far it has come is stored with what was
put in the line, so that a kill at any point loses nothing and does nothing twice.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aggregator.models import Vector, iso, parse_iso
from aggregator.store.enrichment import Enrichment, MadeTexts
from aggregator.store.values import host_of, vector_of

__all__ = ["Followed", "StoredText", "StoryTexts", "Texts", "Wanted"]

_SEQ = "enrichment_seq"
_SETTINGS = "enrichment_settings"
_BODY_CHARS = 12_000  # of a body that texts are made from
_SHORT_BODY = 600  # characters; a feed that carries less of an article is one whose page is worth a look
_MEMBERS = 200  # items of one story that are looked at
_GIVEN_UP_DAYS = 7

_CHANGES = """
SELECT seq, kind, item_id, story_id, detail FROM changes WHERE seq > ? ORDER BY seq LIMIT ?
"""
_TEXT = f"""
i.item_id, i.outlet_id, i.language, i.title, i.summary, coalesce(substr(b.body, 1, {_BODY_CHARS}), '') AS body, i.published_at
"""
_ITEMS = f"""
SELECT {_TEXT} FROM json_each(?) AS j JOIN items AS i ON i.item_id = j.value LEFT JOIN bodies AS b ON b.item_id = i.item_id
WHERE i.pruned_at IS NULL ORDER BY j.key
"""  # noqa: S608  columns of our own
_STORY = f"""
SELECT {_TEXT}, m.reprint_of IS NOT NULL AS reprint,
       (SELECT v.vector FROM vectors AS v WHERE v.item_id = i.item_id) AS vector, i.item_id = s.lead_item_id AS lead
FROM story_items AS m JOIN stories AS s ON s.story_id = m.story_id JOIN items AS i ON i.item_id = m.item_id
LEFT JOIN bodies AS b ON b.item_id = i.item_id
WHERE m.story_id = ? ORDER BY m.reprint_of IS NOT NULL, i.published_at DESC LIMIT {_MEMBERS}
"""  # noqa: S608  columns of our own
_MADE_FOR_STORY = """
SELECT t.item_id, t.language, t.title, t.summary, t.body FROM story_items AS m JOIN translations AS t ON t.item_id = m.item_id
WHERE m.story_id = ? AND t.origin = 'machine'
"""
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
_NEXT = f"""
SELECT {_TEXT}, e.language AS wanted, e.attempts
FROM (
  SELECT subject_id, language, attempts, priority FROM to_enrich AS q
  WHERE task = 'item' AND given_up = 0 AND not_before <= :now AND subject_id NOT IN (SELECT value FROM json_each(:busy))
    AND NOT EXISTS (SELECT 1 FROM to_enrich AS p WHERE p.task = 'page' AND p.subject_id = q.subject_id AND p.language = '' AND p.given_up = 0)
  ORDER BY priority DESC, subject_id DESC LIMIT :limit
) AS e JOIN items AS i ON i.item_id = e.subject_id LEFT JOIN bodies AS b ON b.item_id = i.item_id
ORDER BY e.priority DESC, e.subject_id DESC
"""  # noqa: S608  columns of our own
_PAGES = f"""
SELECT {_TEXT}, i.url, e.attempts, o.country, o.name AS outlet
FROM (
  SELECT subject_id, attempts, priority FROM to_enrich WHERE task = 'page' AND given_up = 0 AND not_before <= :now
  ORDER BY priority DESC, subject_id DESC LIMIT :limit
) AS e JOIN items AS i ON i.item_id = e.subject_id JOIN outlets AS o ON o.outlet_id = i.outlet_id
LEFT JOIN bodies AS b ON b.item_id = i.item_id ORDER BY e.priority DESC, e.subject_id DESC
"""  # noqa: S608  columns of our own
_SAME_TEXT = """
SELECT language, title, summary, body, model, source_hash FROM translations
WHERE source_hash = ? AND language = ? AND origin = 'machine' LIMIT 1
"""
_FORGET = """
DELETE FROM to_enrich WHERE (given_up = 1 AND not_before < :long_ago) OR task <> 'story' AND subject_id IN (
  SELECT e.subject_id FROM to_enrich AS e LEFT JOIN items AS i ON i.item_id = e.subject_id
  WHERE e.task <> 'story' AND (i.item_id IS NULL OR i.pruned_at IS NOT NULL OR i.published_at < :since))
"""


@dataclass(frozen=True, slots=True)
class StoredText:
    """An item's own texts, as far as others are made from them; `body` begins like the stored one.

    `vector` and `lead` (it stands for the story) are set for members of a story only, `url`, `country`, `outlet` for items whose page is wanted.
    """

    item_id: int
    outlet_id: int
    language: str
    title: str
    summary: str
    body: str
    at: datetime
    reprint: bool = False
    lead: bool = False
    vector: Vector | None = field(default=None, repr=False, compare=False)
    wanted: str = ""  # the language that it is to be put into
    attempts: int = 0
    url: str = ""
    country: str = ""
    outlet: str = ""


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


@dataclass(frozen=True, slots=True)
class StoryTexts:
    """What was made of a story in one language: its head and what outlets add. `sentences`: (item_id, text, origin)."""

    language: str
    title: str = ""
    summary: str = ""
    item_ids: tuple[int, ...] = ()
    sentences: tuple[tuple[int, str, str], ...] = ()


class Texts(Enrichment):
    """Which texts are lacking."""

    # --- following ------------------------------------------------------------------------------------------------

    def follow(self, limit: int) -> Followed:
        """The next changes that texts depend on, at most `limit`; they count as seen only after `seen`."""
        stored = self.value("SELECT value FROM state WHERE name = ?", (_SEQ,))
        seq = int(stored) if stored else 0
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
        texts = tuple(_text(row) for row in self.rows(_ITEMS, (json.dumps(list(items)),)))
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
            db.execute(
                "INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (_SEQ, str(followed.seq).encode()),
            )

    def apply_wanted(self, wanted: Wanted, *, now: datetime) -> bool:
        """After a change of settings: put recent stories' items in the line anew, and pages that are not wanted out of it.

        False when these settings were known.
        """
        if self.value("SELECT value FROM state WHERE name = ?", (_SETTINGS,)) == wanted.same_as():
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
            db.execute(
                "INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (_SETTINGS, wanted.same_as()),
            )
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

    # --- pages ----------------------------------------------------------------------------------------------------

    def pages_wanted(self, limit: int, *, now: datetime) -> list[StoredText]:
        """Items whose page is to be fetched, the newest first; none of a host that asked for a pause."""
        held = {row[0] for row in self.rows("SELECT host FROM host_holds WHERE until > ?", (iso(now),))}
        found = self.rows(_PAGES, {"now": iso(now), "limit": limit})
        return [_text(row) for row in found if host_of(row["url"]) not in held]

    # --- translations ---------------------------------------------------------------------------------------------

    def items_wanted(self, limit: int, *, busy: Collection[int] = (), now: datetime) -> list[StoredText]:
        """Items to put into `wanted` languages: those of the most outlets first, then the newest; none of `busy`.

        An item whose page is still to be fetched waits for it.
        """
        rows = self.rows(_NEXT, {"now": iso(now), "limit": limit, "busy": json.dumps(list(busy))})
        return [_text(row) for row in rows]

    def made_of(self, source_hash: str, language: str) -> MadeTexts | None:
        """What a machine made of the very same texts before, for this item or for another."""
        row = self.row(_SAME_TEXT, (source_hash, language))
        if row is None:
            return None
        return MadeTexts(
            row["language"], row["title"], row["summary"], "machine", row["body"], row["model"], row["source_hash"]
        )

    # --- stories --------------------------------------------------------------------------------------------------

    def story_members(self, story_id: int) -> tuple[list[StoredText], list[tuple[int, MadeTexts]]]:
        """The texts of a story's items, own texts and the newest first, and what machines made of them."""
        own = [_text(row) for row in self.rows(_STORY, (story_id,))]
        made = [
            (row["item_id"], MadeTexts(row["language"], row["title"], row["summary"], "machine", row["body"]))
            for row in self.rows(_MADE_FOR_STORY, (story_id,))
        ]
        return own, made

    def save_story(self, story_id: int, made: Iterable[StoryTexts], *, now: datetime) -> None:
        """Replace what was extracted for a story; its place in the line is free then. Texts of machines and persons stay."""
        with self.transaction() as db:
            db.execute("DELETE FROM to_enrich WHERE task = 'story' AND subject_id = ? AND language = ''", (story_id,))
            db.execute("DELETE FROM story_texts WHERE story_id = ? AND origin = 'extractive'", (story_id,))
            db.execute("DELETE FROM story_sentences WHERE story_id = ?", (story_id,))
            if (
                db.execute("SELECT 1 FROM stories WHERE story_id = ? AND merged_into IS NULL", (story_id,)).fetchone()
                is None
            ):
                return
            for texts in made:
                language = self.ensure_language(db, texts.language)
                if texts.title:
                    db.execute(
                        "INSERT OR IGNORE INTO story_texts VALUES (?, ?, ?, ?, 'extractive', '', ?, ?)",
                        (story_id, language, texts.title, texts.summary, json.dumps(texts.item_ids), iso(now)),
                    )
                db.executemany(
                    "INSERT INTO story_sentences SELECT ?, ?, ?, item_id, ?, ? FROM items WHERE item_id = ? AND pruned_at IS NULL",
                    [
                        (story_id, language, n, text, origin, item_id)
                        for n, (item_id, text, origin) in enumerate(texts.sentences, 1)
                    ],
                )


def _others(detail: str | None) -> list[int]:
    """The story that items left."""
    found = json.loads(detail).get("from") if detail else None
    return [found] if isinstance(found, int) else []


def _text(row: sqlite3.Row) -> StoredText:
    keys = row.keys()
    blob = row["vector"] if "vector" in keys else None
    extra = {name: row[name] for name in ("wanted", "attempts", "url", "country", "outlet") if name in keys}
    return StoredText(
        item_id=row["item_id"],
        outlet_id=row["outlet_id"],
        language=row["language"],
        title=row["title"],
        summary=row["summary"],
        body=row["body"],
        at=parse_iso(row["published_at"]),
        reprint=bool(row["reprint"]) if "reprint" in keys else False,
        lead=bool(row["lead"]) if "lead" in keys else False,
        vector=None if blob is None else vector_of(blob),
        **extra,
    )
