"""The writer's part for the judge of uncertain pairs: what is to be asked next, what was said, what that cost."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aggregator.models import StoryItem, Verdict, iso
from aggregator.store.enrichment import Spent
from aggregator.store.stories import ITEM, Stories
from aggregator.store.values import story_item_of

__all__ = ["Judgement", "Judgements", "PairInDoubt"]

_STALE_H: Final = 24  # hours after which what no pass has doubted again is not asked any more

_NEXT = """
SELECT q.item_id, q.other_id, q.attempts
FROM to_judge AS q JOIN items AS i ON i.item_id = q.item_id JOIN items AS o ON o.item_id = q.other_id
WHERE q.not_before <= :now AND q.doubted_at >= :since AND i.pruned_at IS NULL AND o.pruned_at IS NULL
ORDER BY q.stake DESC, q.item_id, q.other_id LIMIT :limit
"""
_TEXTS = f"""
SELECT {ITEM} FROM json_each(:items) AS j JOIN items AS i ON i.item_id = j.value JOIN outlets AS o ON o.outlet_id = i.outlet_id
WHERE i.pruned_at IS NULL
"""  # noqa: S608  columns of our own
_SAID = """
SELECT same, model FROM judgements
WHERE same IS NOT NULL AND (item_hash = :one AND other_hash = :other OR item_hash = :other AND other_hash = :one)
ORDER BY judgement_id DESC LIMIT 1
"""
_PUT = """
INSERT INTO judgements (at, item_id, other_id, item_hash, other_hash, same, void, known, model, detail, tokens_in, tokens_out,
                        cost_microusd, elapsed_ms)
SELECT ?, i.item_id, o.item_id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM items AS i, items AS o WHERE i.item_id = ? AND o.item_id = ?
"""
_DONE = "DELETE FROM to_judge WHERE item_id = ? AND other_id = ?"
_AGAIN = "UPDATE to_judge SET attempts = attempts + 1, not_before = ? WHERE item_id = ? AND other_id = ?"
_FORGET = "DELETE FROM to_judge WHERE doubted_at < ?"
_STANDING = """
SELECT judgement_id, item_id, other_id, same FROM judgements
WHERE at >= ? AND same IS NOT NULL AND void = 0 ORDER BY judgement_id
"""
_SPENT = """
SELECT count(*) AS calls, coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(cost_microusd), 0) AS cost_microusd
FROM judgements WHERE at >= ? AND known = 0
"""


@dataclass(frozen=True, slots=True)
class PairInDoubt:
    """Two items with the texts that the clusterer goes by, the lower id first. `attempts` counts calls that failed."""

    item: StoryItem
    other: StoryItem
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer on a pair, or none (`same` None). `known`: from an earlier answer on the same texts. `retry_at`: when to ask again."""

    item_hash: str
    other_hash: str
    same: bool | None
    model: str
    known: bool = False
    detail: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microusd: int = 0
    elapsed_ms: int = 0
    retry_at: datetime | None = None


class Judgements(Stories):
    """Doubts and what was said of them."""

    def pairs_in_doubt(self, limit: int, *, busy: Collection[tuple[int, int]] = (), now: datetime) -> list[PairInDoubt]:
        """The pairs to ask about next, those worth most first; none of `busy`, none of an item that is gone."""
        since = iso(now - timedelta(hours=_STALE_H))
        rows = self.rows(_NEXT, {"now": iso(now), "since": since, "limit": limit + len(busy)})
        chosen = [row for row in rows if (row["item_id"], row["other_id"]) not in busy][:limit]
        texts = self._texts({row[name] for row in chosen for name in ("item_id", "other_id")})
        return [PairInDoubt(texts[row["item_id"]], texts[row["other_id"]], row["attempts"]) for row in chosen]

    def said_before(self, one: str, other: str) -> tuple[bool, str] | None:
        """(what was said, by which model) of two texts with these hashes, in either order; None when nothing was."""
        row = self.row(_SAID, {"one": one, "other": other})
        return None if row is None else (bool(row["same"]), str(row["model"]))

    def save_judgement(self, pair: PairInDoubt, said: Judgement, *, now: datetime) -> None:
        """Store an answer; the pair waits no longer, unless it is to be asked again.

        An answer on a text that has changed meanwhile is void from the start.
        """
        key = (pair.item.item_id, pair.other.item_id)
        with self.transaction() as db:
            texts = self._texts(key)
            void = any(
                one.item_id not in texts or _text(texts[one.item_id]) != _text(one) for one in (pair.item, pair.other)
            )
            db.execute(
                _PUT,
                (iso(now), said.item_hash, said.other_hash, said.same, void, said.known, said.model, said.detail, said.tokens_in,
                 said.tokens_out, said.cost_microusd, said.elapsed_ms, *key),
            )  # fmt: skip
            if said.retry_at is None:
                db.execute(_DONE, key)
            else:
                db.execute(_AGAIN, (iso(said.retry_at), *key))

    def verdicts(self, since: datetime) -> list[Verdict]:
        """What was said since then and still counts, in order."""
        return [Verdict(number, a, b, bool(same)) for number, a, b, same in self.rows(_STANDING, (iso(since),))]

    def judging_spent(self, since: datetime) -> Spent:
        """What judging cost since then."""
        row = self.row(_SPENT, (iso(since),))
        return Spent(*row) if row else Spent(0, 0, 0)

    def forget_doubts(self, *, now: datetime) -> None:
        """Take out of the line what no pass has doubted for a day."""
        with self.transaction() as db:
            db.execute(_FORGET, (iso(now - timedelta(hours=_STALE_H)),))

    def _texts(self, item_ids: Collection[int]) -> dict[int, StoryItem]:
        """Items by id, without vectors; those that are gone are left out."""
        rows = self.rows(_TEXTS, {"items": json.dumps(list(item_ids)), "model": ""})
        return {row["item_id"]: story_item_of(row) for row in rows}


def _text(item: StoryItem) -> tuple[str, str]:
    return item.title, item.summary
