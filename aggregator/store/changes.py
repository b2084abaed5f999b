"""Rows of `changes`: what happened to an item, a story or a feed, in order, for readers and for the program itself."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aggregator.models import iso

__all__ = ["put_change", "put_feed_state"]

_CHANGE = "INSERT INTO changes (at, kind, item_id, story_id, feed_id, detail) VALUES (?, ?, ?, ?, ?, ?)"


def put_change(
    db: sqlite3.Connection,
    kind: str,
    now: datetime,
    *,
    item_id: int | None = None,
    story_id: int | None = None,
    feed_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """One row. The kinds, and what each has in `detail`, are written at the table."""
    text = json.dumps(detail, ensure_ascii=False) if detail else None
    db.execute(_CHANGE, (iso(now), kind, item_id, story_id, feed_id, text))


def put_feed_state(
    db: sqlite3.Connection, feed_id: int, before: str | None, after: str, why: str, now: datetime
) -> None:
    """One row for a feed that is in another state now."""
    put_change(db, "feed_state", now, feed_id=feed_id, detail={"from": before, "to": after, "why": why})
