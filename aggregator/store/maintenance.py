"""Keeping the file in shape: retention, the logs' ends, free pages, the write-ahead log. Backups are in `backups`.

All of it in small transactions, between which polls are stored; a run is bounded, the next goes on where it ended.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.config import Retention
from aggregator.models import iso
from aggregator.store.backups import backup, backup_due, newest_good_backup, restore, snapshot
from aggregator.store.fulltext import add_to_index
from aggregator.store.writer import Writer

__all__ = ["Maintained", "backup", "backup_due", "maintain", "newest_good_backup", "reindex", "restore", "snapshot"]

_BATCH = 50  # items in one transaction, about 20 ms
_BREATH_S = 0.002  # between two transactions: a lock's next holder is whoever waits, not whoever comes first
_LINES = 1000  # of a log in one transaction
_TOMBSTONE_DAYS = 30  # after which an emptied item that no feed lists is forgotten
_SPARE = 0.05  # part of the file that may be free pages: new items fill them
_VACUUM_PAGES = 500  # in one step
_MERGE_PAGES = 200  # of a full-text index in one step
_VERDICTS_DAYS = 40  # repair passes go by a judge's verdicts while the items are live: eight windows of 96 hours
_LOG_WARN_BYTES = 256_000_000  # a write-ahead log of this size is held by a reader
_LOG_TRUNCATE_BYTES = 64_000_000
_READ_LOCKS = range(123, 128)  # bytes of the -shm file that readers lock (sqlite.org/walformat.html, 2.3.2)

# Starred or annotated items and stories stay; a note on a story that was merged counts for the one it is part of now.
_NOT_NOTED = """
NOT EXISTS (SELECT 1 FROM notes AS n WHERE n.item_id = i.item_id)
AND NOT EXISTS (SELECT 1 FROM story_items AS m JOIN notes AS n ON n.story_id = m.story_id WHERE m.item_id = i.item_id)
AND NOT EXISTS (
  SELECT 1 FROM story_items AS m JOIN stories AS s ON s.merged_into = m.story_id JOIN notes AS n ON n.story_id = s.story_id
  WHERE m.item_id = i.item_id)
"""
_OLD = f"""
SELECT i.item_id, i.first_seen_at, {_NOT_NOTED} AS free FROM items AS i
WHERE i.item_id > :after AND i.pruned_at IS NULL ORDER BY i.item_id LIMIT :limit
"""  # noqa: S608  a condition of our own
_TOO_MANY = """
SELECT feed_id, count(*) AS items FROM items WHERE pruned_at IS NULL GROUP BY feed_id HAVING count(*) > ?
"""
_SURPLUS = f"""
SELECT item_id FROM (
  SELECT item_id FROM items WHERE feed_id = :feed_id AND pruned_at IS NULL ORDER BY item_id DESC LIMIT -1 OFFSET :keep
) AS o JOIN items AS i USING (item_id) WHERE {_NOT_NOTED} ORDER BY item_id LIMIT :limit
"""  # noqa: S608  a condition of our own
_FORGOTTEN = """
SELECT i.item_id, i.pruned_at FROM items AS i
WHERE i.pruned_at IS NOT NULL AND i.pruned_at < :before AND (i.pruned_at, i.item_id) > (:at, :after) AND NOT EXISTS (
  SELECT 1 FROM sightings AS s JOIN feed_state AS f ON f.feed_id = s.feed_id
  WHERE s.item_id = i.item_id AND length(s.digest) = 8 AND instr(f.window, s.digest) > 0)
ORDER BY i.pruned_at, i.item_id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Maintained:
    """What one run did. `more`: its time was over before its work; `warnings` are for a person."""

    pruned: int = 0  # items emptied
    forgotten: int = 0  # emptied items whose last trace went
    log_rows: int = 0  # of polls, enrichments, changes
    freed_pages: int = 0
    wal_bytes: int = 0
    more: bool = False
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for people."""
        told = (
            f"{self.pruned} items pruned, {self.forgotten} forgotten, {self.log_rows} rows of logs deleted, "
            f"{self.freed_pages} pages given back"
        )
        return "; ".join([told, *(["there is more to do"] if self.more else []), *self.warnings])


class _OutOfTimeError(Exception):
    """The run's budget is spent."""


def maintain(
    writer: Writer,
    retention: Retention,
    *,
    now: datetime,
    budget_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
) -> Maintained:
    """Delete what retention says, forget tombstones and past holds, cut the logs, give free pages back, check the log.

    Retention goes by `first_seen_at`. What it removes stays as an empty row until no feed lists it. Raises StoreError.
    """
    run = _Run(writer, now, clock() + budget_s, clock)
    more = False
    with writer.transaction() as db:
        db.execute("DELETE FROM host_holds WHERE until < ?", (iso(now),))
    try:
        if retention.items_days:
            run.prune_old(now - timedelta(days=retention.items_days))
            run.cut("changes", "seq", "at", now - timedelta(days=retention.items_days))
        if retention.items_per_feed:
            run.prune_surplus(retention.items_per_feed)
        run.forget(now - timedelta(days=_TOMBSTONE_DAYS))
        if retention.polls_days:
            run.cut("polls", "poll_id", "started_at", now - timedelta(days=retention.polls_days))
            run.cut("enrichments", "enrichment_id", "at", now - timedelta(days=retention.polls_days))
            days = max(retention.polls_days, _VERDICTS_DAYS)
            run.cut("judgements", "judgement_id", "at", now - timedelta(days=days))
        run.vacuum()
    except _OutOfTimeError:
        more = True
    run.merge_indexes()
    size, warnings = _check_log(writer)
    return Maintained(run.pruned, run.forgotten, run.log_rows, run.freed_pages, size, more, warnings)


def reindex(writer: Writer) -> int:
    """Build the full-text indexes anew from the items, in one transaction: after texts were changed by hand. How many.

    SQLite's own 'rebuild' would leave out the pairs of characters. Takes about five minutes for a million items.
    """
    count = 0
    with writer.transaction() as db:
        for index in ("search_words", "search_unspaced"):
            db.execute(f"INSERT INTO {index} ({index}) VALUES ('delete-all')")  # noqa: S608  names of our own
        rows = db.execute(
            "SELECT t.* FROM items AS i JOIN search_texts AS t ON t.item_id = i.item_id WHERE i.pruned_at IS NULL"
        )
        for count, row in enumerate(rows, 1):  # noqa: B007  the last one is returned
            add_to_index(db, row["item_id"], row["title"], row["summary"], row["body"])
    return count


class _Run:
    """One run: what it may still spend, what it did."""

    def __init__(self, writer: Writer, now: datetime, deadline: float, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._now = now
        self._deadline = deadline
        self._clock = clock
        self.pruned = self.forgotten = self.log_rows = self.freed_pages = 0

    def prune_old(self, before: datetime) -> None:
        """Empty items first seen before then. Goes on where the last run of the day ended; a day begins at the start."""
        saved = json.loads(self._writer.load_state("retention") or b"{}")
        after = saved.get("after", 0) if saved.get("day") == iso(self._now)[:10] else 0
        while True:
            self._breathe()
            rows = self._writer.rows(_OLD, {"after": after, "limit": _BATCH})
            old = [row for row in rows if row["first_seen_at"] < iso(before)]  # ids grow with that time
            if old:
                self._prune([row["item_id"] for row in old if row["free"]])
                after = old[-1]["item_id"]
                self._writer.save_state("retention", json.dumps({"day": iso(self._now)[:10], "after": after}).encode())
            if len(old) < _BATCH:
                return

    def prune_surplus(self, keep: int) -> None:
        """Empty all but the newest `keep` items of each feed."""
        for feed in self._writer.rows(_TOO_MANY, (keep,)):
            while True:
                self._breathe()
                given = {"feed_id": feed["feed_id"], "keep": keep, "limit": _BATCH}
                ids = [row["item_id"] for row in self._writer.rows(_SURPLUS, given)]
                if not ids:
                    break
                self._prune(ids)

    def forget(self, before: datetime) -> None:
        """Delete the empty rows of items pruned before then that no feed lists any more."""
        at, after = "", 0
        while True:
            self._breathe()
            given = {"before": iso(before), "at": at, "after": after, "limit": _BATCH}
            rows = self._writer.rows(_FORGOTTEN, given)
            if not rows:
                return
            with self._writer.transaction() as db:
                db.executemany("DELETE FROM items WHERE item_id = ?", [(row["item_id"],) for row in rows])
            self.forgotten += len(rows)
            at, after = rows[-1]["pruned_at"], rows[-1]["item_id"]

    def cut(self, table: str, key: str, time_column: str, before: datetime) -> None:
        """Delete a log's oldest rows; its key grows with time."""
        while True:
            self._breathe()
            with self._writer.transaction() as db:
                deleted = db.execute(
                    f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM "  # noqa: S608  names of our own
                    f"(SELECT {key}, {time_column} AS at FROM {table} ORDER BY {key} LIMIT ?) WHERE at < ?)",
                    (_LINES, iso(before)),
                ).rowcount
            self.log_rows += deleted
            if not deleted:
                return

    def vacuum(self) -> None:
        """Give free pages back to the disk, all but a part that new items will fill."""
        while True:
            self._breathe()
            free, pages = (self._writer.value(f"PRAGMA {name}") for name in ("freelist_count", "page_count"))
            surplus = free - int(pages * _SPARE)
            if surplus < _VACUUM_PAGES or self._writer.value("PRAGMA auto_vacuum") == 0:
                return
            self._writer.rows(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
            freed = free - self._writer.value("PRAGMA freelist_count")
            self.freed_pages += freed
            if not freed:
                return

    def merge_indexes(self) -> None:
        """A step of tidying the full-text indexes: searches stay quick, entries of pruned items go."""
        with self._writer.transaction() as db:
            for index in ("search_words", "search_unspaced"):
                db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', ?)", (_MERGE_PAGES,))  # noqa: S608

    def _prune(self, item_ids: Iterable[int]) -> None:
        self.pruned += self._writer.prune(item_ids, now=self._now)

    def _breathe(self) -> None:
        """Let polls in between two transactions, and end the run when its time is over."""
        time.sleep(_BREATH_S)
        if self._clock() >= self._deadline:
            raise _OutOfTimeError


def _check_log(writer: Writer) -> tuple[int, tuple[str, ...]]:
    """Bring the write-ahead log into the file; its size, and a warning when a reader keeps it from being emptied."""
    log = writer.path.with_name(writer.path.name + "-wal")
    writer.checkpoint(truncate=_size(log) > _LOG_TRUNCATE_BYTES)
    size = _size(log)
    if size <= _LOG_WARN_BYTES:
        return size, ()
    holders = ", ".join(f"process {pid}" for pid in _readers(writer.path)) or "one that is not to be seen from here"
    warning = (
        f"{log}: {size // 1_000_000} MB and growing: a reader keeps one transaction open ({holders}); "
        "end it, and the log shrinks by itself"
    )
    return size, (warning,)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _readers(path: Path) -> list[int]:
    """Processes other than this one that are in the middle of a read, from Linux' list of locks; [] elsewhere."""
    found: set[int] = set()
    with suppress(OSError, ValueError):
        inode = path.with_name(path.name + "-shm").stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.replace(" -> ", " ").split()
            pid, place, start = int(words[4]), words[5], int(words[6])
            if place.endswith(f":{inode}") and start in _READ_LOCKS and pid != os.getpid():
                found.add(pid)
    return sorted(found)
