"""The writer's part for texts that are fetched or made: bodies from pages, translations, summaries, what they cost.

No model is asked here. Whoever does takes from `waiting`, stores the text with its origin, and logs each call.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.models import iso
from aggregator.store.catalogue import Catalogue
from aggregator.store.fulltext import add_to_index, remove_from_index

__all__ = ["Call", "Enrichment", "MadeTexts", "Spent", "Task", "Waiting"]

Task = Literal["page", "item", "story"]

_BODY = """
INSERT INTO bodies (item_id, body, body_html, origin, model, made_at) VALUES (?, ?, ?, 'page', ?, ?)
ON CONFLICT DO UPDATE SET body = excluded.body, body_html = excluded.body_html, origin = 'page', model = excluded.model,
                          made_at = excluded.made_at
"""
_ENQUEUE = """
INSERT INTO to_enrich (task, subject_id, language, priority, not_before) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET priority = max(priority, excluded.priority)
"""
_WAITING = """
SELECT subject_id, language, attempts FROM to_enrich WHERE task = ? AND not_before <= ?
ORDER BY priority DESC, not_before, subject_id LIMIT ?
"""
_CALL = """
INSERT INTO enrichments (at, task, subject_id, language, model, outcome, detail, tokens_in, tokens_out, cost_microusd, elapsed_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FAILED = """
UPDATE to_enrich SET attempts = attempts + 1, not_before = ?, last_error = ? WHERE task = ? AND subject_id = ? AND language = ?
"""
_SPENT = """
SELECT count(*) AS calls, coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(cost_microusd), 0) AS cost_microusd
FROM enrichments WHERE at >= ?
"""
_CHANGE = "INSERT INTO changes (at, kind, item_id, story_id, detail) VALUES (?, 'enriched', ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class MadeTexts:
    """Texts in one language and what made them: `origin` as in the tables, `model` with its version."""

    language: str
    title: str
    summary: str
    origin: Literal["extractive", "machine", "outlet", "person"]
    body: str = ""  # not for stories
    model: str = ""


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


class Enrichment(Catalogue):
    """Texts beside the outlets' own."""

    def save_page_body(self, item_id: int, body: str, body_html: str, *, model: str, now: datetime) -> bool:
        """Store an article's text as its page has it, findable from then on. False for an item that is gone."""
        with self.transaction() as db:
            row = db.execute(
                "SELECT title, summary FROM items WHERE item_id = ? AND pruned_at IS NULL", (item_id,)
            ).fetchone()
            if row is None:
                return False
            remove_from_index(db, item_id)
            db.execute(_BODY, (item_id, body, body_html, model, iso(now)))
            add_to_index(db, item_id, row["title"], row["summary"], body)
            db.execute(_CHANGE, (iso(now), item_id, None, json.dumps({"texts": ["body"]})))
        return True

    def save_item_texts(self, item_id: int, texts: MadeTexts, *, now: datetime) -> bool:
        """Store texts that were made for an item, over earlier ones of that language. False for an item that is gone."""
        with self.transaction() as db:
            stored = db.execute(
                "INSERT OR REPLACE INTO translations SELECT item_id, ?, ?, ?, ?, ?, ?, content_hash, ? FROM items "
                "WHERE item_id = ? AND pruned_at IS NULL",
                (self.ensure_language(db, texts.language), texts.title, texts.summary, texts.body, texts.origin, texts.model,
                 iso(now), item_id),
            ).rowcount  # fmt: skip
            if stored:
                detail = {
                    "language": texts.language,
                    "texts": [n for n in ("title", "summary", "body") if getattr(texts, n)],
                }
                db.execute(_CHANGE, (iso(now), item_id, None, json.dumps(detail)))
        return bool(stored)

    def save_story_texts(self, story_id: int, texts: MadeTexts, item_ids: Sequence[int], *, now: datetime) -> bool:
        """Store a title and a summary that were made for a story from these items. False for one that ended."""
        with self.transaction() as db:
            stored = db.execute(
                "INSERT OR REPLACE INTO story_texts SELECT story_id, ?, ?, ?, ?, ?, ?, ? FROM stories "
                "WHERE story_id = ? AND merged_into IS NULL",
                (self.ensure_language(db, texts.language), texts.title, texts.summary, texts.origin, texts.model,
                 json.dumps(list(item_ids)), iso(now), story_id),
            ).rowcount  # fmt: skip
            if stored:
                detail = {"language": texts.language, "texts": [n for n in ("title", "summary") if getattr(texts, n)]}
                db.execute(_CHANGE, (iso(now), None, story_id, json.dumps(detail)))
        return bool(stored)

    def enqueue(
        self, task: Task, subject_ids: Iterable[int], *, language: str = "", priority: int = 0, now: datetime
    ) -> None:
        """Have something made; what waits already stays, with the higher priority of both."""
        with self.transaction() as db:
            db.executemany(_ENQUEUE, [(task, n, language, priority, iso(now)) for n in subject_ids])

    def waiting(self, task: Task, limit: int, *, now: datetime) -> list[Waiting]:
        """What is to be made next: of the highest priority, the longest due first. It stays until `record_call`."""
        return [Waiting(*row) for row in self.rows(_WAITING, (task, iso(now), limit))]

    def record_call(self, call: Call, *, now: datetime) -> None:
        """Log a call; what was made, or is given up, waits no longer; what failed waits until `retry_at`."""
        with self.transaction() as db:
            key = (call.task, call.subject_id, call.language)
            db.execute(
                _CALL,
                (iso(now), *key, call.model, call.outcome, call.detail, call.tokens_in, call.tokens_out, call.cost_microusd,
                 call.elapsed_ms),
            )  # fmt: skip
            if call.retry_at is None:
                db.execute("DELETE FROM to_enrich WHERE task = ? AND subject_id = ? AND language = ?", key)
            else:
                db.execute(_FAILED, (iso(call.retry_at), call.detail, *key))

    def spent(self, since: datetime) -> Spent:
        """What was spent since then."""
        row = self.row(_SPENT, (iso(since),))
        return Spent(*row) if row else Spent(0, 0, 0)
