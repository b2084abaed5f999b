"""The writer's part for polls: all that one leaves, in one transaction."""

from typing import Any

from aggregator.models import Failed, NotModified, ParsedFeed, ParseFailed, PollRecord, iso
from aggregator.store.changes import put_feed_state
from aggregator.store.fulltext import IndexChanges
from aggregator.store.items import Brought, Items
from aggregator.store.timetable import put_hold, put_state

__all__ = ["Polls"]

_POLL = """
INSERT INTO polls (feed_id, started_at, elapsed_ms, outcome, status, reason, detail, bytes, entries, new_items, edited_items,
                   lossy, next_poll_at, why)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LEARNT = """
UPDATE feeds SET title = :title, hub = :hub, homepage = CASE WHEN homepage = '' THEN :homepage ELSE homepage END
WHERE feed_id = :feed_id AND (title <> :title OR hub <> :hub OR (homepage = '' AND :homepage <> ''))
"""


class Polls(Items):
    """What polls leave."""

    def record_poll(self, record: PollRecord) -> Brought:
        """Store what one poll brought, or nothing: items, sightings, revisions, validators, the next poll, the log.

        An item whose title or summary changed waits for a story again. The moment of all of it is `state.last_poll_at`,
        or `started_at`.
        """
        now = record.state.last_poll_at or record.started_at
        index = IndexChanges()
        with self.transaction() as db:
            brought = self.put_items(db, index, record, now)
            before = db.execute("SELECT state FROM feed_state WHERE feed_id = ?", (record.feed_id,)).fetchone()
            put_state(db, record.state)
            if before is not None and before[0] != record.state.state:
                put_feed_state(db, record.feed_id, before[0], record.state.state, record.state.why, now)
            if isinstance(record.parsed, ParsedFeed):
                learnt = {"title": record.parsed.title, "hub": record.parsed.hub, "homepage": record.parsed.homepage}
                db.execute(_LEARNT, {**learnt, "feed_id": record.feed_id})
            if record.hold:
                put_hold(db, record.hold)
            db.execute(_POLL, _poll_row(record, brought))
            index.write(db)
        return brought


def _poll_row(record: PollRecord, brought: Brought) -> tuple[Any, ...]:
    result, parsed = record.result, record.parsed
    outcome, reason, detail = "fetched", None, None
    if isinstance(result, Failed):
        outcome, reason, detail = "failed", result.reason, result.detail
    elif isinstance(result, NotModified):
        outcome = "not_modified"
    elif isinstance(parsed, ParseFailed):
        outcome, reason, detail = "failed", parsed.reason, parsed.detail
    entries = len(parsed.digests) if isinstance(parsed, ParsedFeed) else 0
    return (record.feed_id, iso(record.started_at), round(result.elapsed_s * 1000), outcome, result.status, reason, detail,
            result.wire_bytes, entries, len(brought.new), len(brought.edited), record.lossy,
            iso(record.state.next_poll_at), record.state.why)  # fmt: skip
