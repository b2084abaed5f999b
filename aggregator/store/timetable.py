"""The writer's part for the times of polls: which feeds are due, and what the scheduler knows of them."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from aggregator.models import DueFeed, FeedState, HostHold, iso, parse_iso
from aggregator.store.connection import Store
from aggregator.store.values import STATE_COLUMNS, spec_of, state_of, state_values

__all__ = ["SPEC", "Timetable", "put_hold", "put_state"]

# The columns of `values.spec_of`, of feeds AS f and outlets AS o.
SPEC = """
f.url AS url, o.name AS outlet, o.country AS country, f.language AS language, f.region AS region,
f.timezone AS timezone, f.homepage AS homepage, f.enabled AS enabled, f.fulltext AS fulltext, f.verified AS verified
"""
_STATE = ", ".join(f"s.{name} AS state_{name}" for name in STATE_COLUMNS)
_FEED = f"""
SELECT {SPEC}, f.feed_id, f.outlet_id, {_STATE}
FROM feeds AS f JOIN feed_state AS s ON s.feed_id = f.feed_id JOIN outlets AS o ON o.outlet_id = f.outlet_id
"""  # noqa: S608  column names of our own
_THESE = _FEED + " WHERE f.feed_id IN (SELECT value FROM json_each(?))"  # noqa: S608  column names of our own
_DUE = """
SELECT feed_id, host FROM feed_state
WHERE active = 1 AND next_poll_at <= :now
  AND host NOT IN (SELECT host FROM host_holds WHERE until > :now) AND host NOT IN (SELECT value FROM json_each(:busy))
ORDER BY next_poll_at, host
"""
_DUE_COUNT = """
SELECT count(*) FROM feed_state
WHERE active = 1 AND next_poll_at <= ? AND host NOT IN (SELECT host FROM host_holds WHERE until > ?)
"""
_HOSTS = "SELECT count(*) FROM (SELECT DISTINCT host FROM feed_state WHERE active = 1 LIMIT ?)"
_COUNTS = """
SELECT
  (SELECT count(*) FROM feed_state WHERE active = 1) AS feeds,
  (SELECT count(*) FROM feed_state WHERE active = 1 AND last_poll_at IS NULL) AS never_polled,
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'items'), 0) AS items,
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'stories'), 0)
    - (SELECT count(*) FROM stories WHERE merged_into IS NOT NULL) AS stories
"""
_HEAL = """
UPDATE feed_state SET next_poll_at = strftime(
  '%Y-%m-%dT%H:%M:%SZ', strftime('%s', :now) + strftime('%s', next_poll_at) - strftime('%s', last_poll_at), 'unixepoch')
WHERE last_poll_at > :now
"""
_PUT_STATE = f"""
INSERT OR REPLACE INTO feed_state ({", ".join(STATE_COLUMNS)}, active)
SELECT {", ".join("?" * len(STATE_COLUMNS))}, removed_at IS NULL AND enabled AND NOT paused FROM feeds WHERE feed_id = ?
"""  # noqa: S608  column names of our own
_HOLD = """
INSERT INTO host_holds (host, until, reason) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET until = excluded.until, reason = excluded.reason WHERE excluded.until > until
"""


class Timetable(Store):
    """When feeds are polled."""

    def due(self, now: datetime, limit: int, *, busy_hosts: Collection[str] = (), per_host: int = 1) -> list[DueFeed]:
        """Feeds to poll now, the longest due first: at most `limit`, and `per_host` of one host.

        None of a host in `busy_hosts` or of one that asked for a pause.
        """
        chosen: list[int] = []
        hosts: Counter[str] = Counter()
        with self._held():
            for row in self.connection.execute(_DUE, {"now": iso(now), "busy": json.dumps(list(busy_hosts))}):
                if len(chosen) >= limit:
                    break
                if hosts[row["host"]] < per_host:
                    hosts[row["host"]] += 1
                    chosen.append(row["feed_id"])
        found = {row["feed_id"]: _due_feed(row) for row in self.rows(_THESE, (json.dumps(chosen),))}
        return [found[feed_id] for feed_id in chosen]

    def feed(self, url: str) -> DueFeed | None:
        """The feed that is configured with this URL, whether due or not; None when there is none."""
        row = self.row(_FEED + " WHERE f.url = ? AND f.removed_at IS NULL", (url,))
        return None if row is None else _due_feed(row)

    def host_count(self, enough: int) -> int:
        """How many hosts the feeds that are polled are on. Counts no further than `enough`: quick at any size."""
        return int(self.value(_HOSTS, (enough,)))

    def counts(self) -> dict[str, int]:
        """How many `feeds` there are, of them `never_polled`; how many `items` and `stories` were ever made.

        Quick at any size; stories that were merged do not count.
        """
        row = self.row(_COUNTS)
        return {} if row is None else dict(row)

    def due_count(self, now: datetime) -> int:
        """How many feeds are due now, but for those of hosts that asked for a pause: nobody can wait for these."""
        count: int = self.value(_DUE_COUNT, (iso(now), iso(now)))
        return count

    def holds(self, now: datetime) -> list[HostHold]:
        """The pauses of hosts that are not over."""
        rows = self.rows("SELECT host, until, reason FROM host_holds WHERE until > ?", (iso(now),))
        return [HostHold(row["host"], parse_iso(row["until"]), row["reason"]) for row in rows]

    def make_due(self, *, now: datetime) -> None:
        """Make every feed that is polled due now. A host that asked for a pause keeps it."""
        with self.transaction() as db:
            db.execute(
                "UPDATE feed_state SET next_poll_at = ? WHERE active = 1 AND next_poll_at > ?", (iso(now), iso(now))
            )

    def heal_clock(self, now: datetime) -> int:
        """After the clock was set back: feeds polled in what is now the future are due after their interval from now on.

        Pauses of hosts end within a week, the longest there is. How many feeds are due anew.
        """
        with self.transaction() as db:
            count = db.execute(_HEAL, {"now": iso(now)}).rowcount
            db.execute("UPDATE host_holds SET until = min(until, ?)", (iso(now + timedelta(days=7)),))
        return count

    def hold_host(self, hold: HostHold) -> None:
        """No request to that host before then: neither for feeds nor for pages."""
        with self.transaction() as db:
            put_hold(db, hold)

    def reschedule(self, states: Iterable[FeedState]) -> None:
        """Replace what the scheduler knows of some feeds, with no poll."""
        with self.transaction() as db:
            for state in states:
                put_state(db, state)


def put_state(db: sqlite3.Connection, state: FeedState) -> None:
    """Store what the scheduler knows of a feed; whether it is polled follows from the catalogue."""
    db.execute(_PUT_STATE, [*state_values(state), state.feed_id])


def put_hold(db: sqlite3.Connection, hold: HostHold) -> None:
    """Store that a host asked for a pause; a longer one that is known stays."""
    db.execute(_HOLD, (hold.host, iso(hold.until), hold.reason))


def _due_feed(row: sqlite3.Row) -> DueFeed:
    state = state_of({name: row[f"state_{name}"] for name in STATE_COLUMNS})
    return DueFeed(spec=spec_of(row), state=state, outlet_id=row["outlet_id"])
