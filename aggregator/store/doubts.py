"""Rows of `to_judge`, and verdicts that an edit makes void: what changes with stories and items, in their transactions."""

import json
import sqlite3
from datetime import datetime

from aggregator.models import Doubts, iso

__all__ = ["put_doubts", "void_verdicts"]

# What is not in doubt any more goes; a pair that failed stays, so that its failures are remembered.
_SURE = """
DELETE FROM to_judge WHERE attempts = 0 AND item_id IN (SELECT value FROM json_each(:seen))
  AND other_id IN (SELECT value FROM json_each(:seen))
"""
_PUT = """
INSERT INTO to_judge (item_id, other_id, stake, doubted_at, not_before)
SELECT i.item_id, o.item_id, ?, ?, ? FROM items AS i, items AS o
WHERE i.item_id = ? AND o.item_id = ? AND i.pruned_at IS NULL AND o.pruned_at IS NULL
ON CONFLICT DO UPDATE SET stake = excluded.stake, doubted_at = excluded.doubted_at
"""
_VOID = "UPDATE judgements SET void = 1 WHERE void = 0 AND (item_id = ? OR other_id = ?)"


def put_doubts(db: sqlite3.Connection, doubts: Doubts, now: datetime) -> None:
    """What a repair pass is in doubt of, in the place of what earlier passes were, as far as it looked."""
    db.execute(_SURE, {"seen": json.dumps(sorted(doubts.seen))})
    rows = [(one.stake, iso(now), iso(now), one.item_id, one.other_id) for one in doubts.questions]
    db.executemany(_PUT, rows)


def void_verdicts(db: sqlite3.Connection, item_id: int) -> None:
    """The item's text changed: what was said of the old one counts no more."""
    db.execute(_VOID, (item_id, item_id))
