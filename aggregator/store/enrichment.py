"""The writer's part for texts that are fetched or made: bodies from pages, translations, summaries, what they cost.

No model is asked here. Whoever does takes from `waiting`, stores the text with its origin, and logs each call.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.models import iso
from aggregator.store.catalogue import Catalogue
from aggregator.store.changes import put_change
from aggregator.store.fulltext import IndexChanges
from aggregator.store.stories import SHORT_SUMMARY, Stories

__all__ = ["Call", "Enrichment", "MadeTexts", "PageText", "Spent", "Task", "Waiting"]

Task = Literal["page", "item", "story"]

_BODY = """
INSERT INTO bodies (item_id, body, body_html, origin, model, made_at) VALUES (?, ?, ?, 'page', ?, ?)
ON CONFLICT DO UPDATE SET body = excluded.body, body_html = excluded.body_html, origin = 'page', model = excluded.model,
                          made_at = excluded.made_at
"""
_WAITING = """
SELECT subject_id, language, attempts FROM to_enrich WHERE task = ? AND given_up = 0 AND not_before <= ?
ORDER BY priority DESC, subject_id DESC LIMIT ?
"""
_CALL = """
INSERT INTO enrichments (at, task, subject_id, language, model, outcome, detail, tokens_in, tokens_out, cost_microusd, elapsed_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FAILED = """
UPDATE to_enrich SET attempts = attempts + 1, not_before = ?, last_error = ? WHERE task = ? AND subject_id = ? AND language = ?
"""
_DONE = "DELETE FROM to_enrich WHERE task = ? AND subject_id = ? AND language = ?"
_GIVEN_UP = """
UPDATE to_enrich SET attempts = attempts + 1, not_before = ?, last_error = ?, given_up = 1
WHERE task = ? AND subject_id = ? AND language = ?
"""
_SPENT = """
SELECT count(*) AS calls, coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(cost_microusd), 0) AS cost_microusd
FROM enrichments WHERE at >= ? AND task <> 'page'
"""
_METADATA = """
UPDATE items SET author = CASE WHEN author = '' THEN ? ELSE author END,
  image_url = CASE WHEN image_url = '' THEN ? ELSE image_url END, tags = CASE WHEN tags = '' THEN ? ELSE tags END
WHERE item_id = ?
"""


@dataclass(frozen=True, slots=True)
class MadeTexts:
    """Texts in one language and what made them: `origin` as in the tables, `model` with its version."""

    language: str
    title: str
    summary: str
    origin: Literal["extractive", "machine", "outlet", "person"]
    body: str = ""
    model: str = ""
    source_hash: str = ""  # of the texts it was made from


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that is to be made: an item's page or texts, or a story's."""

    subject_id: int
    language: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a page, a model or a service, and what came of it. `retry_at` None: not tried again."""

    task: Task
    subject_id: int
    language: str = ""
    model: str = ""
    outcome: Literal["made", "rejected", "failed"] = "made"
    detail: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microusd: int = 0
    elapsed_ms: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls since some moment cost, for budgets."""

    calls: int
    tokens: int
    cost_microusd: int


@dataclass(frozen=True, slots=True)
class PageText:
    """An article as its page has it. `model` is the extractor; metadata count only where the feed gave none."""

    body: str
    body_html: str
    model: str
    author: str = ""
    image_url: str = ""
    tags: tuple[str, ...] = ()


class Enrichment(Catalogue, Stories):
    """Texts beside the outlets' own."""

    def save_item_texts(self, item_id: int, texts: MadeTexts, *, now: datetime) -> bool:
        """Store texts that were made for an item, over earlier ones of that language; it waits for them no longer.

        False for an item that is gone.
        """
        with self.transaction() as db:
            db.execute(_DONE, ("item", item_id, texts.language))
            return self._put_item_texts(db, item_id, texts, now)

    def waiting(self, task: Task, limit: int, *, now: datetime) -> list[Waiting]:
        """What is to be made next: of the highest priority, the newest first. It stays until `record_call`."""
        return [Waiting(*row) for row in self.rows(_WAITING, (task, iso(now), limit))]

    def record_call(
        self, call: Call, *, page: PageText | None = None, texts: MadeTexts | None = None, now: datetime
    ) -> None:
        """Log a call and store what it brought, if anything, in one transaction.

        What was made, or is given up, waits no longer; what failed waits until `retry_at`. What was given up is remembered,
        so that it is not put in the line again. An item that has hardly a summary waits for a story again when it gets the
        text of its page: there is more to recognise it by.
        """
        with self.transaction() as db:
            if page is not None:
                self._put_page(db, call.subject_id, page, now)
            if texts is not None:
                self._put_item_texts(db, call.subject_id, texts, now)
            key = (call.task, call.subject_id, call.language)
            db.execute(
                _CALL,
                (iso(now), *key, call.model, call.outcome, call.detail, call.tokens_in, call.tokens_out, call.cost_microusd,
                 call.elapsed_ms),
            )  # fmt: skip
            if call.retry_at is not None:
                db.execute(_FAILED, (iso(call.retry_at), call.detail, *key))
            elif call.outcome == "made":
                db.execute(_DONE, key)
            else:
                db.execute(_GIVEN_UP, (iso(now), call.detail, *key))

    def spent(self, since: datetime) -> Spent:
        """What was spent since then, pages apart."""
        row = self.row(_SPENT, (iso(since),))
        return Spent(*row) if row else Spent(0, 0, 0)

    # --- rows -----------------------------------------------------------------------------------------------------

    def _put_page(self, db: sqlite3.Connection, item_id: int, page: PageText, now: datetime) -> None:
        row = db.execute(
            "SELECT title, summary FROM items WHERE item_id = ? AND pruned_at IS NULL", (item_id,)
        ).fetchone()
        if row is None:
            return
        index = IndexChanges()
        index.remove(db, item_id)
        index.put(item_id, row["title"], row["summary"], page.body)
        db.execute(_BODY, (item_id, page.body, page.body_html, page.model, iso(now)))
        tags = json.dumps(page.tags, ensure_ascii=False) if page.tags else ""
        db.execute(_METADATA, (page.author, page.image_url, tags, item_id))
        if len(row["summary"]) < SHORT_SUMMARY:
            db.execute("DELETE FROM vectors WHERE item_id = ?", (item_id,))
            self.wait_again(db, item_id)
        put_change(db, "enriched", now, item_id=item_id, detail={"texts": ["body"]})
        index.write(db)

    def _put_item_texts(self, db: sqlite3.Connection, item_id: int, texts: MadeTexts, now: datetime) -> bool:
        stored = db.execute(
            "INSERT OR REPLACE INTO translations SELECT item_id, ?, ?, ?, ?, ?, ?, ?, ? FROM items "
            "WHERE item_id = ? AND pruned_at IS NULL",
            (self.ensure_language(db, texts.language), texts.title, texts.summary, texts.body, texts.origin, texts.model,
             texts.source_hash, iso(now), item_id),
        ).rowcount  # fmt: skip
        if stored:
            made = [name for name in ("title", "summary", "body") if getattr(texts, name)]
            put_change(db, "enriched", now, item_id=item_id, detail={"language": texts.language, "texts": made})
        return bool(stored)
