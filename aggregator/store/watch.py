"""What the one who runs the program wants to know of the file: figures that are quick at any size, and what is wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aggregator.models import iso
from aggregator.store.changes import put_change
from aggregator.store.connection import remember
from aggregator.store.reader import Reader
from aggregator.store.readonly import Row
from aggregator.store.writer import Writer

__all__ = ["Condition", "conditions", "figures", "load_alerts", "record_alerts"]

_STATE = "alerts"
_LATELY = 20_000  # polls that are looked at for the last hour and day: a bound, not a number

_FIGURES = """
SELECT
  (SELECT count(*) FROM feed_state WHERE active = 1) AS feeds,
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'items'), 0) AS items,
  (SELECT count(*) FROM to_cluster) AS waiting_for_a_story,
  (SELECT count(*) FROM to_enrich) AS waiting_for_texts, (SELECT count(*) FROM to_judge) AS pairs_in_doubt,
  (SELECT first_seen_at FROM items ORDER BY item_id DESC LIMIT 1) AS newest_item_at,
  (SELECT started_at FROM polls ORDER BY poll_id DESC LIMIT 1) AS newest_poll_at
"""
_STATES = """
SELECT state, count(*) AS feeds, sum(stale) AS stale FROM feed_health WHERE state <> 'removed' GROUP BY state ORDER BY 2 DESC
"""
_POLLS = """
SELECT count(*) AS polls, coalesce(sum(outcome = 'failed'), 0) AS failed, coalesce(sum(new_items), 0) AS new_items,
       coalesce(avg(elapsed_ms), 0) / 1000 AS mean_s
FROM polls WHERE poll_id > (SELECT coalesce(max(poll_id), 0) FROM polls) - :lately AND started_at >= :since
"""
_REASONS = """
SELECT coalesce(reason, 'parse') AS reason, count(*) AS polls FROM polls
WHERE poll_id > (SELECT coalesce(max(poll_id), 0) FROM polls) - :lately AND started_at >= :since AND outcome = 'failed'
GROUP BY 1 ORDER BY 2 DESC LIMIT 5
"""
_VECTORS = """
SELECT count(*) AS items, count(v.item_id) AS vectors, max(v.model) AS model
FROM (SELECT item_id FROM items WHERE pruned_at IS NULL ORDER BY item_id DESC LIMIT 500) AS i
LEFT JOIN vectors AS v ON v.item_id = i.item_id
"""
# One row for each thing that is wrong with a feed; `silent` in words that stand behind its outlet's name.
_FEEDS = """
SELECT h.feed_id, h.outlet, h.url, 'dead' AS alert,
       CASE h.state WHEN 'gone' THEN 'says that it is gone' ELSE 'has failed since ' || coalesce(h.last_success_at, 'it was added') END
         || coalesce(': ' || h.last_error, '') AS what
FROM feed_health AS h JOIN feeds AS f ON f.feed_id = h.feed_id
WHERE h.state = 'gone' OR (h.state = 'failing' AND coalesce(h.last_success_at, f.added_at) < :dead)
UNION ALL
SELECT feed_id, outlet, url, 'blocked', 'keeps us out: ' || coalesce(last_error, why) FROM feed_health WHERE state = 'blocked' AND failures >= 3
UNION ALL
SELECT feed_id, outlet, url, 'stale', 'has brought nothing new since ' || last_new_item_at FROM feed_health WHERE stale AND state = 'ok'
UNION ALL
SELECT h.feed_id, h.outlet, h.url, 'moved', 'has moved to ' || s.url || ': change it in the catalogue'
FROM feed_state AS s JOIN feed_health AS h ON h.feed_id = s.feed_id WHERE s.active = 1 AND s.url <> h.url
UNION ALL
SELECT h.feed_id, h.outlet, h.url, 'lossy', 'showed ' || p.times || ' times in a day nothing of what it showed before: items were missed'
FROM (SELECT feed_id, count(*) AS times FROM polls
      WHERE poll_id > (SELECT coalesce(max(poll_id), 0) FROM polls) - :lately AND lossy AND started_at >= :day
      GROUP BY feed_id HAVING count(*) >= 3) AS p
JOIN feed_health AS h ON h.feed_id = p.feed_id
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that wants a person's attention for as long as it lasts. `key` names it among all."""

    key: str
    alert: str
    message: str
    feed_id: int | None = None
    url: str = ""


def figures(reader: Reader, now: datetime) -> Row:
    """Counts, lag, queues, polls of the last hour with what failed, vectors of the newest items. Raises StoreError."""
    due = reader.next_due_at()
    hour = {"lately": _LATELY, "since": iso(now - timedelta(hours=1))}
    states = reader.query(_STATES)
    return {
        **reader.query(_FIGURES)[0],
        "feeds_by_state": {row["state"]: row["feeds"] for row in states},
        "stale_feeds": sum(row["stale"] or 0 for row in states),
        "late_s": max(0, int((now - due).total_seconds())) if due else 0,
        "last_hour": reader.query(_POLLS, hour)[0],
        "failures_last_hour": {row["reason"]: row["polls"] for row in reader.query(_REASONS, hour)},
        "newest_500": reader.query(_VECTORS)[0],
    }


def conditions(reader: Reader, now: datetime, *, dead_days: int) -> list[Condition]:
    """What is wrong with feeds now, each once. Raises StoreError."""
    given = {"dead": iso(now - timedelta(days=dead_days)), "day": iso(now - timedelta(days=1)), "lately": _LATELY}
    return [
        Condition(
            f"feed {row['feed_id']} {row['alert']}",
            row["alert"],
            f"{row['outlet']} {row['what']}",
            row["feed_id"],
            row["url"],
        )
        for row in reader.query(_FEEDS, given)
    ]


def load_alerts(writer: Writer) -> dict[str, str]:
    """The conditions that were told and are not over: since when, by key."""
    known: dict[str, str] = json.loads(writer.load_state(_STATE) or b"{}")
    return known


def record_alerts(
    writer: Writer, began: Sequence[Condition], over: Sequence[str], known: Mapping[str, str], *, now: datetime
) -> None:
    """Store, in one transaction, rows of `changes` for what began and what is over, and what is known from now on."""
    rows: list[tuple[int | None, dict[str, Any]]] = [
        (c.feed_id, {"alert": c.alert, "message": c.message}) for c in began
    ]
    for key in over:
        words = key.split()
        feed_id = int(words[1]) if words[0] == "feed" else None
        rows.append((feed_id, {"alert": words[-1], "over": True, "since": known[key]}))
    after = {key: since for key, since in known.items() if key not in over} | {c.key: iso(now) for c in began}
    with writer.transaction() as db:
        for feed_id, detail in rows:
            put_change(db, "alert", now, feed_id=feed_id, detail=detail)
        remember(db, {_STATE: json.dumps(after).encode()})
