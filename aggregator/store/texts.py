"""The writer's part for what texts are made from: pages to fetch, items to translate, the members of a story."""

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from aggregator.models import Vector, iso, parse_iso
from aggregator.store.enrichment import Enrichment, MadeTexts
from aggregator.store.values import host_of, vector_of

__all__ = ["TEXT", "StoredText", "StoryTexts", "Texts", "stored_text"]

_BODY_CHARS = 12_000  # of a body that texts are made from
_MEMBERS = 200  # items of one story that are looked at

# The columns of a StoredText, of items AS i and bodies AS b.
TEXT = f"""
i.item_id, i.outlet_id, i.language, i.title, i.summary, coalesce(substr(b.body, 1, {_BODY_CHARS}), '') AS body, i.published_at
"""
_STORY = f"""
SELECT {TEXT}, m.reprint_of IS NOT NULL AS reprint,
       (SELECT v.vector FROM vectors AS v WHERE v.item_id = i.item_id) AS vector, i.item_id = s.lead_item_id AS lead
FROM story_items AS m JOIN stories AS s ON s.story_id = m.story_id JOIN items AS i ON i.item_id = m.item_id
LEFT JOIN bodies AS b ON b.item_id = i.item_id
WHERE m.story_id = ? ORDER BY m.reprint_of IS NOT NULL, i.published_at DESC LIMIT {_MEMBERS}
"""  # noqa: S608  columns of our own
_MADE_FOR_STORY = """
SELECT t.item_id, t.language, t.title, t.summary, t.body FROM story_items AS m JOIN translations AS t ON t.item_id = m.item_id
WHERE m.story_id = ? AND t.origin = 'machine'
"""
_NEXT = f"""
SELECT {TEXT}, e.language AS wanted, e.attempts
FROM (
  SELECT subject_id, language, attempts, priority FROM to_enrich AS q
  WHERE task = 'item' AND given_up = 0 AND not_before <= :now AND subject_id NOT IN (SELECT value FROM json_each(:busy))
    AND NOT EXISTS (SELECT 1 FROM to_enrich AS p WHERE p.task = 'page' AND p.subject_id = q.subject_id AND p.language = '' AND p.given_up = 0)
  ORDER BY priority DESC, subject_id DESC LIMIT :limit
) AS e JOIN items AS i ON i.item_id = e.subject_id LEFT JOIN bodies AS b ON b.item_id = i.item_id
ORDER BY e.priority DESC, e.subject_id DESC
"""  # noqa: S608  columns of our own
_PAGES = f"""
SELECT {TEXT}, i.url, e.attempts, o.country, o.name AS outlet
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
class StoryTexts:
    """What was made of a story in one language: its head and what outlets add. `sentences`: (item_id, text, origin)."""

    language: str
    title: str = ""
    summary: str = ""
    item_ids: tuple[int, ...] = ()
    sentences: tuple[tuple[int, str, str], ...] = ()


class Texts(Enrichment):
    """What texts are made from, and what was made of stories."""

    # --- pages ----------------------------------------------------------------------------------------------------

    def pages_wanted(self, limit: int, *, now: datetime) -> list[StoredText]:
        """Items whose page is to be fetched, the newest first; none of a host that asked for a pause."""
        held = {row[0] for row in self.rows("SELECT host FROM host_holds WHERE until > ?", (iso(now),))}
        found = self.rows(_PAGES, {"now": iso(now), "limit": limit})
        return [stored_text(row) for row in found if host_of(row["url"]) not in held]

    # --- translations ---------------------------------------------------------------------------------------------

    def items_wanted(self, limit: int, *, busy: Collection[int] = (), now: datetime) -> list[StoredText]:
        """Items to put into `wanted` languages: those of the most outlets first, then the newest; none of `busy`.

        An item whose page is still to be fetched waits for it.
        """
        rows = self.rows(_NEXT, {"now": iso(now), "limit": limit, "busy": json.dumps(list(busy))})
        return [stored_text(row) for row in rows]

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
        own = [stored_text(row) for row in self.rows(_STORY, (story_id,))]
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


def stored_text(row: sqlite3.Row) -> StoredText:
    """From a row with the columns `TEXT`, and with those of the other fields that it has."""
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
