"""The writer's part for feeds: the catalogue in, feeds of a command, which are due."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aggregator.errors import NotFoundError, UsageError
from aggregator.models import DueFeed, FeedSpec, FeedState, iso
from aggregator.store.connection import Store
from aggregator.store.names import country_name, flag, language_name, locale_of
from aggregator.store.values import STATE_COLUMNS, host_of, spec_of, state_of, state_values

__all__ = ["Catalogue", "SyncResult", "put_feed_change", "put_state"]

_FIRST_POLLS_S = 180  # within which the first polls of all feeds of one host begin, so far as its spacing lets them
_FIRST_GAP_S = 10  # at most, between two first polls of one host

_SPEC = """
f.url AS url, o.name AS outlet, o.country AS country, f.language AS language, f.region AS region,
f.timezone AS timezone, f.homepage AS homepage, f.enabled AS enabled, f.fulltext AS fulltext, f.verified AS verified
"""
_STATE = ", ".join(f"s.{name} AS state_{name}" for name in STATE_COLUMNS)
_FEED = f"""
SELECT {_SPEC}, f.feed_id, f.outlet_id, {_STATE}
FROM feeds AS f JOIN feed_state AS s ON s.feed_id = f.feed_id JOIN outlets AS o ON o.outlet_id = f.outlet_id
"""  # noqa: S608  column names of our own
_THESE = _FEED + " WHERE f.feed_id IN (SELECT value FROM json_each(?))"  # noqa: S608  column names of our own
_KNOWN = f"""
SELECT {_SPEC}, f.feed_id, f.source, f.paused, f.removed_at
FROM feeds AS f JOIN outlets AS o ON o.outlet_id = f.outlet_id
"""  # noqa: S608  column names of our own
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


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How many feeds came, were described anew, and went."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class Catalogue(Store):
    """What is polled, and when."""

    reader_language = "en"  # primary tag: of stories' lead items where there is a choice
    reader_locale = "en"  # the tag as configured: of names
    _hosts: int | None = None

    # --- the catalogue's files ------------------------------------------------------------------------------------

    def sync_feeds(self, specs: Sequence[FeedSpec], *, now: datetime) -> SyncResult:
        """Make the feeds of the catalogue those of the file; feeds that a command added stay.

        A feed that left the catalogue is kept with its items and not polled; one that comes back goes on where it was.
        The first polls of one host's feeds are spread over up to three minutes.
        """
        self._hosts = None
        with self.transaction() as db:
            known = {row["url"]: row for row in db.execute(_KNOWN)}
            first = _FirstPolls(specs, known, now)
            added = changed = 0
            for spec in specs:
                row = known.get(spec.url)
                if row is None or row["removed_at"]:
                    self._put_feed(db, spec, row, source="config", first_at=first.at(spec.url), now=now)
                    added += 1
                elif row["source"] != "config" or _wanted(row, spec) != spec_of(row):
                    self._update_feed(db, row, _wanted(row, spec), source="config", now=now)
                    changed += 1
            wanted = {spec.url for spec in specs}
            gone = [
                r for r in known.values() if r["source"] == "config" and not r["removed_at"] and r["url"] not in wanted
            ]
            for row in gone:
                self._remove(db, row, "it left the catalogue", now)
        return SyncResult(added, changed, len(gone))

    # --- commands -------------------------------------------------------------------------------------------------

    def add_feed(self, spec: FeedSpec, *, now: datetime) -> int:
        """Add one feed, due at once; its feed_id. Raises UsageError for no URL of the web, or one that is there already."""
        try:
            scheme = urlsplit(spec.url).scheme
        except ValueError:
            scheme = ""
        if scheme not in ("http", "https") or not host_of(spec.url):
            raise UsageError(
                f"{spec.url}: not a URL that can be fetched; it must begin with https:// or http:// and name a host"
            )
        self._hosts = None
        with self.transaction() as db:
            row = db.execute(_KNOWN + " WHERE f.url = ?", (spec.url,)).fetchone()
            if row is not None and not row["removed_at"]:
                where = "in the catalogue" if row["source"] == "config" else "there, added by a command"
                raise UsageError(f"{spec.url}: already {where} (outlet {row['outlet']})")
            return self._put_feed(db, spec, row, source="cli", first_at=now, now=now)

    def remove_feed(self, url: str, *, now: datetime) -> None:
        """Stop polling a feed that a command added; its items stay.

        Raises NotFoundError, and UsageError for a feed of the catalogue's files: the next start would bring it back.
        """
        with self.transaction() as db:
            row = self._present(db, url)
            if row["source"] == "config":
                raise UsageError(
                    f"{url}: it comes from the catalogue's files; take it out there, or write `enabled = false`, or pause it"
                )
            self._remove(db, row, "removed by a command", now)

    def set_paused(self, url: str, paused: bool, *, now: datetime) -> None:
        """Pause a feed, or go on with it: it is then due when it would have been. Raises NotFoundError, UsageError."""
        with self.transaction() as db:
            row = self._present(db, url)
            if bool(row["paused"]) == paused:
                raise UsageError(f"{url}: {'paused already' if paused else 'not paused'}")
            db.execute("UPDATE feeds SET paused = ? WHERE feed_id = ?", (paused, row["feed_id"]))
            active = row["enabled"] and not paused
            db.execute("UPDATE feed_state SET active = ? WHERE feed_id = ?", (active, row["feed_id"]))
            state = db.execute("SELECT state FROM feed_state WHERE feed_id = ?", (row["feed_id"],)).fetchone()[0]
            before, after = (state, "off") if paused else ("off", state)
            put_feed_change(db, row["feed_id"], before, after, "paused" if paused else "resumed", now)

    # --- which are due --------------------------------------------------------------------------------------------

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

    def all_feeds(self) -> Iterator[DueFeed]:
        """The feeds that are polled, in the order in which they are due."""
        yield from map(_due_feed, self.rows(_FEED + " WHERE s.active = 1 ORDER BY s.next_poll_at, f.feed_id"))

    @property
    def host_count(self) -> int:
        """How many hosts the feeds that are polled are on, counted after the last change of the catalogue."""
        if self._hosts is None:
            self._hosts = int(self.value("SELECT count(DISTINCT host) FROM feed_state WHERE active = 1"))
        return self._hosts

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

    def reschedule(self, states: Iterable[FeedState]) -> None:
        """Replace what the scheduler knows of some feeds, with no poll."""
        with self.transaction() as db:
            for state in states:
                put_state(db, state)

    # --- names ----------------------------------------------------------------------------------------------------

    def ensure_language(self, db: sqlite3.Connection, code: str) -> str:
        """The code itself, after a row for it is in `languages`."""
        if db.execute("SELECT 1 FROM languages WHERE code = ?", (code,)).fetchone() is None:
            db.execute(
                "INSERT INTO languages VALUES (?, ?)", (code, language_name(code, locale_of(self.reader_locale)))
            )
        return code

    def _ensure_country(self, db: sqlite3.Connection, code: str) -> None:
        if db.execute("SELECT 1 FROM countries WHERE code = ?", (code,)).fetchone() is None:
            name = country_name(code, locale_of(self.reader_locale))
            db.execute("INSERT INTO countries VALUES (?, ?, ?)", (code, name, flag(code)))

    # --- rows -----------------------------------------------------------------------------------------------------

    def _outlet(self, db: sqlite3.Connection, name: str, country: str) -> int:
        row = db.execute("SELECT outlet_id FROM outlets WHERE name = ? AND country = ?", (name, country)).fetchone()
        if row is None:
            self._ensure_country(db, country)
            return int(db.execute("INSERT INTO outlets (name, country) VALUES (?, ?)", (name, country)).lastrowid or 0)
        return int(row[0])

    def _put_feed(
        self,
        db: sqlite3.Connection,
        spec: FeedSpec,
        row: sqlite3.Row | None,
        *,
        source: str,
        first_at: datetime,
        now: datetime,
    ) -> int:
        """A new feed, or one that comes back: `row` is what is left of it."""
        if row is not None:
            self._update_feed(db, row, spec, source=source, now=now)
            put_feed_change(db, row["feed_id"], "removed", "new", f"back in the {_place(source)}", now)
            # Not before its host's turn; later when it was to be polled later still.
            db.execute(
                "UPDATE feed_state SET next_poll_at = max(next_poll_at, ?) WHERE feed_id = ?",
                (iso(first_at), row["feed_id"]),
            )
            return int(row["feed_id"])
        outlet_id = self._outlet(db, spec.outlet, spec.country)
        cursor = db.execute(
            "INSERT INTO feeds (outlet_id, url, homepage, language, region, timezone, source, enabled, fulltext, verified, added_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (outlet_id, spec.url, spec.homepage, self.ensure_language(db, spec.language), spec.region, spec.timezone, source,
             spec.enabled, spec.fulltext, spec.verified, iso(now)),
        )  # fmt: skip
        feed_id = int(cursor.lastrowid or 0)
        put_state(db, FeedState(feed_id=feed_id, url=spec.url, host=host_of(spec.url), next_poll_at=first_at))
        put_feed_change(db, feed_id, None, "new", f"added to the {_place(source)}", now)
        return feed_id

    def _update_feed(
        self, db: sqlite3.Connection, row: sqlite3.Row, spec: FeedSpec, *, source: str, now: datetime
    ) -> None:
        """Describe a feed anew, and poll it again when it was removed."""
        db.execute(
            "UPDATE feeds SET outlet_id = ?, homepage = ?, language = ?, region = ?, timezone = ?, source = ?, enabled = ?, "
            "fulltext = ?, verified = ?, removed_at = NULL WHERE feed_id = ?",
            (self._outlet(db, spec.outlet, spec.country), spec.homepage, self.ensure_language(db, spec.language), spec.region,
             spec.timezone, source, spec.enabled, spec.fulltext, spec.verified, row["feed_id"]),
        )  # fmt: skip
        active = spec.enabled and not row["paused"]
        db.execute("UPDATE feed_state SET active = ? WHERE feed_id = ?", (active, row["feed_id"]))
        if not row["removed_at"] and bool(row["enabled"]) != spec.enabled:
            before, after = ("off", "on") if spec.enabled else ("on", "off")
            put_feed_change(db, row["feed_id"], before, after, "by the catalogue", now)

    def _remove(self, db: sqlite3.Connection, row: sqlite3.Row, why: str, now: datetime) -> None:
        db.execute("UPDATE feeds SET removed_at = ? WHERE feed_id = ?", (iso(now), row["feed_id"]))
        db.execute("UPDATE feed_state SET active = 0 WHERE feed_id = ?", (row["feed_id"],))
        state = db.execute("SELECT state FROM feed_state WHERE feed_id = ?", (row["feed_id"],)).fetchone()[0]
        put_feed_change(db, row["feed_id"], state, "removed", why, now)

    def _present(self, db: sqlite3.Connection, url: str) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute(_KNOWN + " WHERE f.url = ? AND f.removed_at IS NULL", (url,)).fetchone()
        if row is None:
            raise NotFoundError(f"{url}: no such feed; `aggregator feeds list` shows those there are")
        return row


def put_state(db: sqlite3.Connection, state: FeedState) -> None:
    """Store what the scheduler knows of a feed; whether it is polled follows from the catalogue."""
    db.execute(_PUT_STATE, [*state_values(state), state.feed_id])


def put_feed_change(
    db: sqlite3.Connection, feed_id: int, before: str | None, after: str, why: str, now: datetime
) -> None:
    """One row of `changes` for a feed."""
    detail = json.dumps({"from": before, "to": after, "why": why}, ensure_ascii=False)
    db.execute(
        "INSERT INTO changes (at, kind, feed_id, detail) VALUES (?, 'feed_state', ?, ?)", (iso(now), feed_id, detail)
    )


class _FirstPolls:
    """When feeds that are new are polled first: those of one host one after the other."""

    def __init__(self, specs: Iterable[FeedSpec], known: Mapping[str, Any], now: datetime) -> None:
        new = [s.url for s in specs if s.url not in known or known[s.url]["removed_at"]]
        self._of_host = Counter(map(host_of, new))
        self._begun: Counter[str] = Counter()
        self._now = now

    def at(self, url: str) -> datetime:
        host = host_of(url)
        gap = min(_FIRST_GAP_S, _FIRST_POLLS_S / self._of_host[host])
        self._begun[host] += 1
        return self._now + timedelta(seconds=int(gap * (self._begun[host] - 1)))


def _wanted(row: sqlite3.Row, spec: FeedSpec) -> FeedSpec:
    """The catalogue's description; a homepage that it leaves open may have been learnt from the feed, and stays."""
    return replace(spec, homepage=spec.homepage or row["homepage"])


def _due_feed(row: sqlite3.Row) -> DueFeed:
    state = state_of({name: row[f"state_{name}"] for name in STATE_COLUMNS})
    return DueFeed(spec=spec_of(row), state=state, outlet_id=row["outlet_id"])


def _place(source: str) -> str:
    return "catalogue" if source == "config" else "feeds by a command"
