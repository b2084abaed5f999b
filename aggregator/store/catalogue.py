"""The writer's part for feeds: the catalogue's files in, feeds of a command, the names of their places."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aggregator.errors import NotFoundError, UsageError
from aggregator.models import FeedSpec, FeedState, iso
from aggregator.store.changes import put_feed_state
from aggregator.store.names import country_name, flag, language_name, locale_of
from aggregator.store.timetable import SPEC, Timetable, put_state
from aggregator.store.values import host_of, spec_of

__all__ = ["Catalogue", "SyncResult"]

_FIRST_POLLS_S = 180  # within which the first polls of all feeds of one host begin, so far as its spacing lets them
_FIRST_GAP_S = 10  # at most, between two first polls of one host

_KNOWN = f"""
SELECT {SPEC}, f.feed_id, f.source, f.paused, f.removed_at
FROM feeds AS f JOIN outlets AS o ON o.outlet_id = f.outlet_id
"""  # noqa: S608  column names of our own


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How many feeds came, were described anew, and went."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class Catalogue(Timetable):
    """What is polled."""

    reader_language = "en"  # primary tag: of stories' lead items where there is a choice
    reader_locale = "en"  # the tag as configured: of names

    # --- the catalogue's files ------------------------------------------------------------------------------------

    def sync_feeds(self, specs: Sequence[FeedSpec], *, now: datetime) -> SyncResult:
        """Make the feeds of the catalogue those of the file; feeds that a command added stay.

        A feed that left the catalogue is kept with its items and not polled; one that comes back goes on where it was.
        The first polls of one host's feeds are spread over up to three minutes.
        """
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
            put_feed_state(db, row["feed_id"], before, after, "paused" if paused else "resumed", now)

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
            put_feed_state(db, row["feed_id"], "removed", "new", f"back in the {_place(source)}", now)
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
        put_feed_state(db, feed_id, None, "new", f"added to the {_place(source)}", now)
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
            put_feed_state(db, row["feed_id"], before, after, "by the catalogue", now)

    def _remove(self, db: sqlite3.Connection, row: sqlite3.Row, why: str, now: datetime) -> None:
        db.execute("UPDATE feeds SET removed_at = ? WHERE feed_id = ?", (iso(now), row["feed_id"]))
        db.execute("UPDATE feed_state SET active = 0 WHERE feed_id = ?", (row["feed_id"],))
        state = db.execute("SELECT state FROM feed_state WHERE feed_id = ?", (row["feed_id"],)).fetchone()[0]
        put_feed_state(db, row["feed_id"], state, "removed", why, now)

    def _present(self, db: sqlite3.Connection, url: str) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute(_KNOWN + " WHERE f.url = ? AND f.removed_at IS NULL", (url,)).fetchone()
        if row is None:
            raise NotFoundError(f"{url}: no such feed; `aggregator feeds list` shows those there are")
        return row


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


def _place(source: str) -> str:
    return "catalogue" if source == "config" else "feeds by a command"
