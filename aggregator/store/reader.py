"""Reading the file: at any time, as any user who may read it, whatever the daemon does meanwhile."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from aggregator.errors import StoreError, StoreTooNewError
from aggregator.models import iso, parse_iso
from aggregator.store.connection import APPLICATION_ID, Parameters, connect, explained
from aggregator.store.formats import opml
from aggregator.store.migrations import newer_than_code, older_than_code
from aggregator.store.textsearch import excerpt, match_query

__all__ = ["Reader", "Row", "open_reader"]

Row = dict[str, Any]
T = TypeVar("T")

_BUSY_TIMEOUT_S = 10.0  # a reader waits for the writer only while that one recovers the log after a crash
_ATTEMPTS = 8
_LONGEST_WAY = 10_000  # merges in a row; a bound, so that a damaged file cannot hold a reader
_NEWEST_MATCHES = 1000  # of a search, the newest are ranked: the time of a search does not grow with the file

_STORIES = """
SELECT * FROM top_stories AS s
WHERE s.last_item_at >= :since AND s.outlet_count >= :min_outlets
  AND (:country = '' OR ' ' || s.countries || ' ' LIKE '% ' || :country || ' %')
  AND (:language = '' OR ' ' || s.languages || ' ' LIKE '% ' || :language || ' %')
ORDER BY s.score DESC, s.story_id DESC LIMIT :limit
"""

_STORY = """
SELECT s.*, o.name AS first_reported_by, c.flag AS first_flag, c.code AS first_country, c.name AS first_country_name
FROM stories AS s LEFT JOIN items AS i ON i.item_id = s.first_item_id
LEFT JOIN outlets AS o ON o.outlet_id = i.outlet_id LEFT JOIN countries AS c ON c.code = o.country
WHERE s.story_id = ?
"""

_COUNTS = """
SELECT
  (SELECT count(*) FROM feeds WHERE removed_at IS NULL) AS feeds,
  (SELECT count(*) FROM items) AS items,
  (SELECT count(*) FROM items WHERE published_at >= :day) AS items_24h,
  (SELECT count(*) FROM stories WHERE merged_into IS NULL) AS stories,
  (SELECT count(*) FROM stories WHERE merged_into IS NULL AND outlet_count > 1) AS shared_stories
"""

_FEEDS = """
SELECT h.feed_id, h.flag, o.country, h.outlet, f.language, f.region, f.title, f.homepage, h.url, h.state, h.stale,
       h.last_error, h.next_poll_at, h.why
FROM feed_health AS h JOIN feeds AS f ON f.feed_id = h.feed_id JOIN outlets AS o ON o.outlet_id = f.outlet_id
WHERE f.removed_at IS NULL ORDER BY o.country, h.outlet, h.url
"""

_TROUBLED = """
SELECT state, outlet, failures, stale, coalesce(last_error, '') AS last_error, why, url FROM feed_health
WHERE state IN ('failing', 'blocked', 'gone') OR stale ORDER BY failures DESC, url LIMIT 20
"""

_NEXT_DUE = """
SELECT min(s.next_poll_at) AS at FROM feed_state AS s JOIN feeds AS f ON f.feed_id = s.feed_id
WHERE f.removed_at IS NULL AND f.enabled AND NOT f.paused
"""

_WHY = """
SELECT m.story_id, m.similarity, m.nearest_item_id, n.title AS nearest_title, o.name AS nearest_outlet, m.reprint_of,
       m.assigned_at, m.reasons
FROM story_items AS m LEFT JOIN items AS n ON n.item_id = m.nearest_item_id
LEFT JOIN outlets AS o ON o.outlet_id = n.outlet_id WHERE m.item_id = ?
"""
_JUDGED = """
SELECT j.same, j.model, j.at, i.item_id, i.title, o.name AS outlet
FROM (SELECT * FROM judgements WHERE (item_id = :item OR other_id = :item) AND same IS NOT NULL AND void = 0) AS j
JOIN items AS i ON i.item_id = CASE j.item_id WHEN :item THEN j.other_id ELSE j.item_id END
JOIN outlets AS o ON o.outlet_id = i.outlet_id ORDER BY j.judgement_id
"""

_SNIPPET = """
SELECT snippet(search_words, -1, ?, ?, '…', 24) AS snippet FROM search_words
WHERE search_words MATCH ? AND rowid = ?
"""

_FOUND = """
SELECT c.item_id, c.published_at, c.label, c.flag, c.country, c.outlet, c.language, c.title, c.reader_title, c.reader_origin, c.link,
       c.story_id, c.similar_count, c.summary, c.body
FROM json_each(?) AS j JOIN coverage AS c ON c.item_id = j.value ORDER BY j.key
"""


def open_reader(path: Path) -> "Reader":
    """Open the database at `path` for reading, while a daemon writes to it, after it stopped, and after it was killed.

    Raises StoreError when there is no such file, when it may not be read or is not one of ours, StoreTooNewError when a
    newer version of this program wrote it, StoreDamagedError when it cannot be read for damage.
    """
    return Reader(path)


class Reader:
    """Read-only access to one database file. From any thread, one at a time. Every method raises StoreError."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`."""
        self.path = path
        self._frozen: tuple[int, ...] | None = None  # what the file looked like when it was opened as immutable
        # Which file is open: a rename may put another one in its place.
        self._file: tuple[int, ...] | None = self._identity()
        self._connection = self._open()

    def close(self) -> None:
        """Close the connection; the object cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- any query ----------------------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a query, each by column name."""
        try:
            return self.use(lambda connection: [dict(row) for row in connection.execute(sql, parameters)])
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def use(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """What `ask` makes of the connection: the way for a library that wants it bare. It must not keep the connection.

        `ask` is called again, with a new connection, when the file changed hands meanwhile. Unlike the other methods it
        raises sqlite3.Error as it comes.
        """
        for attempt in range(_ATTEMPTS):
            if self._file != self._identity():
                self._reopen()
            try:
                answer = ask(self._connection)
            except sqlite3.Error as error:
                if not _passing(error) or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.02 * 2**attempt)  # a writer starts or recovers: it is over in a moment
            else:
                if self._frozen in (None, self._looks()):
                    return answer
            self._reopen()
        raise StoreError(f"{self.path}: it keeps changing in a way that cannot be followed; is the directory writable?")

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one after the other, all of one moment, however many they are."""
        if self._frozen not in (None, self._looks()) or self._file != self._identity():
            self._reopen()
        try:
            for row in self._connection.execute(sql, parameters):
                yield dict(row)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        if self._frozen not in (None, self._looks()):
            raise StoreError(f"{self.path}: a daemon began to write to it while it was read; try again")

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(self.query(sql, parameters)), None)

    # --- what people ask ----------------------------------------------------------------------------------------

    def item(self, item_id: int) -> Row | None:
        """The row of `coverage`, or None when there is no such item."""
        return self.row("SELECT * FROM coverage WHERE item_id = ?", (item_id,))

    def similar(self, item_id: int) -> list[Row]:
        """The other items of its story, in order of time: rows of `similar_coverage`."""
        sql = "SELECT * FROM similar_coverage WHERE item_id = ? ORDER BY published_at, similar_item_id"
        return self.query(sql, (item_id,))

    def why(self, item_id: int) -> Row | None:
        """What put an item into its story: similarity, the nearest item, and the reasons; None when it is in none.

        `judged` is there when a judge was asked: of each answer that counts, the other item and what was said.
        """
        found = self.row(_WHY, (item_id,))
        if found is None:
            return None
        reasons = json.loads(found.pop("reasons"))
        judged = [{**row, "same": bool(row["same"])} for row in self.query(_JUDGED, {"item": item_id})]
        told = {**{name: value for name, value in found.items() if value is not None}, **reasons}
        return {**told, "judged": judged} if judged else told

    def story(self, story_id: int) -> Row | None:
        """The row of `stories`, with who reported first; a story that was merged leads to the one it became part of."""
        for _ in range(_LONGEST_WAY):
            row = self.row(_STORY, (story_id,))
            if row is None or row["merged_into"] is None:
                return row
            story_id = row["merged_into"]
        raise StoreError(f"{self.path}: the merges of story {story_id} lead nowhere")

    def timeline(self, story_id: int) -> list[Row]:
        """The items of a story, the first to report first: rows of `story_timeline`."""
        return self.query("SELECT * FROM story_timeline WHERE story_id = ? ORDER BY published_at, item_id", (story_id,))

    def heads(self, story_ids: Iterable[int]) -> list[Row]:
        """Rows of `story_heads`, of stories that stand."""
        sql = "SELECT h.* FROM json_each(?) AS j JOIN story_heads AS h ON h.story_id = j.value ORDER BY j.key"
        return self.query(sql, (json.dumps(list(story_ids)),))

    def stories(
        self, since: datetime, limit: int, country: str | None = None, language: str | None = None, min_outlets: int = 2
    ) -> list[Row]:
        """Rows of `top_stories` with news since then, the best first; of those told in a country, in a language.

        `min_outlets` below 2 is 2: what one outlet tells is no top story.
        """
        parameters = {
            "since": iso(since),
            "limit": limit,
            "country": (country or "").upper(),
            "language": (language or "").lower(),
            "min_outlets": min_outlets,
        }
        return self.query(_STORIES, parameters)

    def search(self, words: str, limit: int = 20, marks: tuple[str, str] = ("[", "]")) -> list[Row]:
        """Items that hold all words, in any script, the best match first, each with a `snippet` that marks them [so].

        "Quoted words" must follow each other, a trailing * finds beginnings; see textsearch.match_query. Of more than
        1,000 matches the newest 1,000 are ranked (BM25).
        """
        match = match_query(words)
        if not match:
            return []
        hits = self.query(
            "SELECT rowid AS item_id, rank FROM search_words WHERE search_words MATCH ? ORDER BY rowid DESC LIMIT ?",
            (match, _NEWEST_MATCHES),
        )
        best = sorted(hits, key=lambda hit: (hit["rank"], -hit["item_id"]))[:limit]
        ranks = {hit["item_id"]: hit["rank"] for hit in best}
        found = self.query(_FOUND, (json.dumps(list(ranks)),))
        for row in found:
            texts = (row["title"], row.pop("summary"), row.pop("body") or "")
            marked = self.query(_SNIPPET, (*marks, match, row["item_id"]))
            # What was found by pairs of characters only, FTS5 cannot show: it answers with nothing, or an ellipsis.
            found_words = marked[0]["snippet"] if marked and marks[0] in marked[0]["snippet"] else ""
            row["snippet"] = found_words or excerpt(words, *texts, marks=marks) or texts[1] or texts[0]
            row["rank"] = ranks[row["item_id"]]
        return found

    def changes(self, since_seq: int, limit: int = 1000) -> list[Row]:
        """What happened after the change `since_seq`, in order: rows of `changes`, `detail` as an object or None."""
        rows = self.query("SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", (since_seq, limit))
        for row in rows:
            row["detail"] = json.loads(row["detail"]) if row["detail"] else None
        return rows

    # --- feeds and health ---------------------------------------------------------------------------------------

    def feeds(self) -> list[Row]:
        """The feeds that are configured, with their state, by country and outlet."""
        return self.query(_FEEDS)

    def opml(self) -> str:
        """The feeds that are configured as OPML 2.0, a folder a country."""
        return opml(self.feeds())

    def counts(self, now: datetime) -> dict[str, int]:
        """How many feeds, items, items published in the last 24 h, stories, stories that several outlets tell."""
        return self.query(_COUNTS, {"day": iso(now - timedelta(hours=24))})[0]

    def next_due_at(self) -> datetime | None:
        """When the feed that is due first is due; in the past when the daemon is behind, None without feeds."""
        at = self.query(_NEXT_DUE)[0]["at"]
        return parse_iso(at) if at else None

    def health(self, now: datetime) -> Row:
        """All that tells whether the daemon does its work.

        `counts`, `feeds_by_state`, up to 20 `troubled` feeds, the 3 `newest` items, `late_s` (seconds since the feed due
        longest was due) and `waiting_for_a_story` (items).
        """
        due = self.next_due_at()
        states = (
            "SELECT state, count(*) AS feeds FROM feed_health WHERE state <> 'removed' GROUP BY state ORDER BY 2 DESC"
        )
        return {
            "counts": self.counts(now),
            "feeds_by_state": {row["state"]: row["feeds"] for row in self.query(states)},
            "troubled": self.query(_TROUBLED),
            "newest": self.query("SELECT label, flag, outlet, title FROM coverage ORDER BY item_id DESC LIMIT 3"),
            "late_s": max(0, int((now - due).total_seconds())) if due else 0,
            "waiting_for_a_story": self.query("SELECT count(*) AS n FROM to_cluster")[0]["n"],
        }

    # --- opening ------------------------------------------------------------------------------------------------

    def _reopen(self) -> None:
        self._connection.close()
        # Looked at before it is opened: replaced in between, it is opened once more. `()` is no file's identity, not even
        # that of a missing one: if it cannot be opened now, the closed connection is not used when asked again.
        self._file, file = (), self._identity()
        self._connection = self._open()
        self._file = file

    def _open(self) -> sqlite3.Connection:
        """A connection that has read from the file.

        A file in WAL mode without its -wal and -shm files can be read only by who may create them. Whoever may not, and
        finds none, opens it as immutable: no process writes to it then, for a writer would have made those files. That
        this stays so is checked after every query.
        """
        self._refuse_unreadable()
        for attempt in range(_ATTEMPTS):
            self._frozen = None
            try:
                return self._checked(connect(self.path, "ro", timeout_s=_BUSY_TIMEOUT_S))
            except sqlite3.Error as error:
                if not _passing(error):
                    raise explained(error, self.path) from error
            looks = self._looks()
            if not self._log().exists():
                try:
                    connection = self._checked(connect(self.path, "ro", timeout_s=0, immutable=True))
                except sqlite3.Error as error:
                    raise explained(error, self.path) from error
                self._frozen = looks
                return connection
            time.sleep(0.02 * 2**attempt)
        raise StoreError(f"{self.path}: cannot be opened while another process recovers it; try again")

    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return (stat.st_dev, stat.st_ino)

    def _looks(self) -> tuple[int, ...]:
        """What differs after a writer was there: the file's identity, size and time, and whether there is a log."""
        try:
            stat = self.path.stat()
        except OSError:
            return ()
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, self._log().exists())

    def _refuse_unreadable(self) -> None:
        # Not by opening it: closing that would release the locks that this process's other connections hold (POSIX).
        try:
            found = self.path.exists()
        except OSError as error:  # a folder on the way that this user may not enter
            raise StoreError(f"{self.path}: {error.strerror}; add the user to the group of the database") from error
        if not found:
            raise StoreError(f"{self.path}: no such database; the daemon makes it when it starts")
        if not self.path.is_file():
            raise StoreError(f"{self.path}: not a file")
        if not os.access(self.path, os.R_OK):
            raise StoreError(f"{self.path}: this user may not read it; add the user to the file's group")

    def _checked(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path}: a database, but not one of this program")
        unknown = newer_than_code(connection)
        if unknown:
            raise StoreTooNewError(f"{self.path}: written by a newer version of this program ({unknown}); update it")
        if older_than_code(connection):
            raise StoreError(
                f"{self.path}: written by an older version; the daemon brings it up to date when it starts"
            )


def _passing(error: sqlite3.Error) -> bool:
    """Whether opening the file again may help: files of a writer that starts, stops, or recovers after a crash."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_READONLY:  # without a more precise code it means: the query wants to write
        return False
    primary = code & 0xFF
    return primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL)
