"""The writer's part for stories: what waits for one, where items went and why, what a restart needs."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aggregator.models import Assignment, Doubts, Merge, Move, Repair, Split, StoryItem, Vector, iso
from aggregator.store.changes import put_change
from aggregator.store.connection import Store, connect, explained, remember
from aggregator.store.doubts import put_doubts, void_verdicts
from aggregator.store.names import flag
from aggregator.store.values import blob_of, story_item_of

__all__ = ["ITEM", "SHORT_SUMMARY", "StoredMember", "Stories"]

SHORT_SUMMARY = 60  # characters; a shorter one says little: the clusterer reads on in the body
_READ_ON = 400  # characters of the body

# An item as the clusterer sees it: of `items AS i` and `outlets AS o`.
ITEM = f"""
i.item_id, i.title, i.language, o.country, i.outlet_id, i.published_at, o.name AS outlet,
CASE WHEN length(i.summary) >= {SHORT_SUMMARY} THEN i.summary
     ELSE trim(i.summary || ' ' || coalesce((SELECT substr(b.body, 1, {_READ_ON}) FROM bodies AS b WHERE b.item_id = i.item_id), '')) END AS summary,
(SELECT v.vector FROM vectors AS v WHERE v.item_id = i.item_id AND (:model IS NULL OR v.model = :model)) AS vector
"""  # noqa: S608  numbers of our own
_TO_CLUSTER = f"""
SELECT {ITEM} FROM (SELECT item_id FROM to_cluster ORDER BY item_id LIMIT :limit) AS w
JOIN items AS i ON i.item_id = w.item_id JOIN outlets AS o ON o.outlet_id = i.outlet_id ORDER BY w.item_id
"""  # noqa: S608  columns of our own
_LIVE = f"""
SELECT {ITEM}, m.story_id, m.reprint_of, m.similarity
FROM (
  SELECT a.item_id, a.seq FROM stories AS s JOIN story_items AS a ON a.story_id = s.story_id
  WHERE s.merged_into IS NULL AND s.last_item_at >= :since ORDER BY a.seq
) AS l
JOIN story_items AS m ON m.item_id = l.item_id JOIN items AS i ON i.item_id = l.item_id
JOIN outlets AS o ON o.outlet_id = i.outlet_id ORDER BY l.seq
"""  # noqa: S608  columns of our own
_LACKING = f"""
SELECT {ITEM} FROM items AS i JOIN outlets AS o ON o.outlet_id = i.outlet_id
WHERE i.published_at >= :since AND i.pruned_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM vectors AS v WHERE v.item_id = i.item_id AND v.model = :model)
ORDER BY i.published_at DESC, i.item_id DESC LIMIT :limit
"""  # noqa: S608  columns of our own
_ASSIGN = """
INSERT INTO story_items (item_id, story_id, seq, similarity, nearest_item_id, reprint_of, reasons, assigned_at)
SELECT i.item_id, :story_id, (SELECT coalesce(max(seq), 0) + 1 FROM story_items), :similarity,
       (SELECT n.item_id FROM items AS n WHERE n.item_id = :nearest), (SELECT r.item_id FROM items AS r WHERE r.item_id = :reprint_of),
       :reasons, :at
FROM items AS i WHERE i.item_id = :item_id AND i.pruned_at IS NULL
ON CONFLICT (item_id) DO UPDATE SET
  story_id = excluded.story_id, seq = excluded.seq, similarity = excluded.similarity, nearest_item_id = excluded.nearest_item_id,
  reprint_of = excluded.reprint_of, reasons = excluded.reasons, assigned_at = excluded.assigned_at
"""
_MEMBERS = """
SELECT m.item_id, m.reprint_of, i.outlet_id, i.language, i.published_at, o.country
FROM story_items AS m JOIN items AS i ON i.item_id = m.item_id JOIN outlets AS o ON o.outlet_id = i.outlet_id
WHERE m.story_id = ? ORDER BY i.published_at, m.item_id
"""
_STORY = """
UPDATE stories SET merged_into = NULL, lead_item_id = :lead, first_item_id = :first, item_count = :items, outlet_count = :outlets,
  independent_count = :independent, country_count = :country_count, language_count = :language_count, countries = :countries,
  flags = :flags, languages = :languages, first_item_at = :first_at, last_item_at = :last_at, updated_at = :at,
  title = (SELECT title FROM items WHERE item_id = :lead), language = (SELECT language FROM items WHERE item_id = :lead)
WHERE story_id = :story_id
"""
_ENDED = """
UPDATE stories SET lead_item_id = NULL, first_item_id = NULL, item_count = 0, outlet_count = 0, independent_count = 0,
  country_count = 0, language_count = 0, countries = '', flags = '', languages = '', updated_at = ? WHERE story_id = ?
"""


@dataclass(frozen=True, slots=True)
class StoredMember:
    """An item in its story, as the clusterer put it there."""

    item: StoryItem
    story_id: int
    reprint_of: int | None
    similarity: float


class Stories(Store):
    """Items and their stories."""

    reader_language = "en"

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._handed_out: dict[int, bool] = {}  # by to_cluster; True: its text changed since

    # --- what the clusterer reads ---------------------------------------------------------------------------------

    def to_cluster(self, limit: int, model: str | None = None) -> list[StoryItem]:
        """Items that wait for a story, by item_id: new ones, and those whose title or summary was edited.

        With their vectors when stored: of any model, or of this one.
        """
        with self._held():
            waiting = [story_item_of(row) for row in self.rows(_TO_CLUSTER, {"limit": limit, "model": model})]
            self._handed_out.update((item.item_id, False) for item in waiting)
        return waiting

    def live_items(self, since: datetime, model: str | None) -> Iterator[StoredMember]:
        """Every member of the stories whose latest item is of `since` or later, in the order in which they were clustered.

        Vectors are those of `model`; None gives none. All of one moment, whatever is written meanwhile.
        """
        parameters = {"since": iso(since), "model": model or ""}
        with self._held():
            copy = connect(self.path, "ro", timeout_s=5)
        with closing(copy):
            try:
                for row in copy.execute(_LIVE, parameters):
                    yield StoredMember(story_item_of(row), row["story_id"], row["reprint_of"], row["similarity"])
            except sqlite3.Error as error:
                raise explained(error, self.path) from error

    def lacking_vectors(self, model: str, since: datetime, limit: int) -> list[StoryItem]:
        """Items published since then that have no vector of this model, the newest first."""
        return [story_item_of(r) for r in self.rows(_LACKING, {"model": model, "since": iso(since), "limit": limit})]

    def save_vectors(self, model: str, pairs: Iterable[tuple[int, Vector]]) -> None:
        """Store vectors by item_id, in half precision (see values.stored_form).

        Left out: an item that is gone, and one whose text changed after `to_cluster` gave it.
        """
        with self.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO vectors SELECT item_id, ?, ? FROM items WHERE item_id = ? AND pruned_at IS NULL",
                [(model, blob_of(vector), item_id) for item_id, vector in pairs if not self._handed_out.get(item_id)],
            )

    def next_story_id(self) -> int:
        """An id that no story ever had; those after it are free too."""
        last: int = self.value("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'stories'), 0)")
        return last + 1

    # --- what the clusterer decides ---------------------------------------------------------------------------------

    def apply_assignments(
        self,
        assignments: Sequence[Assignment],
        *,
        repairs: Sequence[Repair] = (),
        done: Iterable[int] = (),
        leads: Mapping[int, int] | None = None,
        states: Mapping[str, bytes] | None = None,
        doubts: Doubts | None = None,
        now: datetime,
    ) -> None:
        """Put items into stories, then merge, split and move, in this order, and store `states`; all or nothing.

        An item that is in another story already moves. `done` are items that need not wait any longer: they stay where
        they are. `leads` names items by story_id; a story that it does not name keeps its lead, or takes the earliest own
        text, of the reader's language when there is one.
        """
        touched: dict[int, None] = {}
        with self.transaction() as db:
            for assignment in assignments:
                touched.update(dict.fromkeys(self._assign(db, assignment, now)))
            for repair in repairs:
                touched.update(dict.fromkeys(self._repair(db, repair, now)))
            for item_id in done:
                self._settle(db, item_id)
            self._refresh_all(db, touched, leads or {}, now)
            remember(db, states or {})
            if doubts is not None:
                put_doubts(db, doubts, now)

    def apply_repairs(
        self,
        repairs: Sequence[Repair],
        *,
        leads: Mapping[int, int] | None = None,
        states: Mapping[str, bytes] | None = None,
        doubts: Doubts | None = None,
        now: datetime,
    ) -> None:
        """Merge, split and move, in this order, and store what was in doubt; all or nothing. See `apply_assignments`."""
        self.apply_assignments((), repairs=repairs, leads=leads, states=states, doubts=doubts, now=now)

    def grouped(self, item_ids: Iterable[int]) -> set[int]:
        """Which of these items are in a story."""
        sql = "SELECT m.item_id FROM json_each(?) AS j JOIN story_items AS m ON m.item_id = j.value"
        return {row[0] for row in self.rows(sql, (json.dumps(list(item_ids)),))}

    # --- the line ---------------------------------------------------------------------------------------------------

    def wait_again(self, db: sqlite3.Connection, item_id: int) -> None:
        """Put an item whose text changed into the line, also when its old text is being looked at just now."""
        void_verdicts(db, item_id)
        db.execute("INSERT OR IGNORE INTO to_cluster VALUES (?)", (item_id,))
        if item_id in self._handed_out:
            self._handed_out[item_id] = True

    def _settle(self, db: sqlite3.Connection, item_id: int) -> None:
        """Take an item out of the line, unless what was decided on is not its text any more."""
        if not self._handed_out.pop(item_id, False):
            db.execute("DELETE FROM to_cluster WHERE item_id = ?", (item_id,))

    # --- rows -----------------------------------------------------------------------------------------------------

    def _assign(self, db: sqlite3.Connection, assignment: Assignment, now: datetime) -> list[int]:
        """Put one item into its story; the stories that this changes."""
        item_id, story_id = assignment.item_id, assignment.story_id
        self._settle(db, item_id)
        row = db.execute("SELECT story_id FROM story_items WHERE item_id = ?", (item_id,)).fetchone()
        before: int | None = row[0] if row else None
        _ensure_story(db, story_id, now)
        cursor = db.execute(
            _ASSIGN,
            {
                "item_id": item_id,
                "story_id": story_id,
                "similarity": assignment.similarity,
                "nearest": assignment.nearest_item_id,
                "reprint_of": assignment.reprint_of,
                "reasons": json.dumps(dict(assignment.reasons), ensure_ascii=False),
                "at": iso(now),
            },
        )
        if not cursor.rowcount:  # retention emptied it meanwhile
            return [story_id]
        if before is None:
            put_change(db, "clustered", now, item_id=item_id, story_id=story_id)
        elif before != story_id:
            moved = {"from": before, "reason": "edited"}
            put_change(db, "moved", now, item_id=item_id, story_id=story_id, detail=moved)
            self._follow(db, before, story_id, now)
            return [before, story_id]
        return [story_id]

    def _repair(self, db: sqlite3.Connection, repair: Repair, now: datetime) -> tuple[int, int]:
        """Carry out one repair; the stories that this changes."""
        match repair:
            case Merge(story_id, into, reason):
                self._merge(db, story_id, into, {"from": story_id, "reason": reason}, now)
                return (story_id, into)
            case Split(story_id, new_story_id, item_ids, reason):
                _ensure_story(db, new_story_id, now)
                db.executemany(
                    "UPDATE story_items SET story_id = ? WHERE item_id = ? AND story_id = ?",
                    [(new_story_id, item_id, story_id) for item_id in item_ids],
                )
                detail = {"from": story_id, "items": list(item_ids), "reason": reason}
                put_change(db, "split", now, story_id=new_story_id, detail=detail)
                return (story_id, new_story_id)
            case Move(item_id, from_story, to_story, similarity, reason):
                _ensure_story(db, to_story, now)
                db.execute(
                    "UPDATE story_items SET story_id = ?, similarity = ? WHERE item_id = ?",
                    (to_story, similarity, item_id),
                )
                detail = {"from": from_story, "reason": reason}
                put_change(db, "moved", now, item_id=item_id, story_id=to_story, detail=detail)
                self._follow(db, from_story, to_story, now)
                return (from_story, to_story)

    def _merge(self, db: sqlite3.Connection, story_id: int, into: int, detail: dict[str, Any], now: datetime) -> None:
        _ensure_story(db, into, now)
        db.execute("UPDATE story_items SET story_id = ? WHERE story_id = ?", (into, story_id))
        db.execute("UPDATE stories SET merged_into = NULL WHERE story_id = ?", (into,))
        # Old ids lead there in one step, those merged earlier too.
        db.execute(
            "UPDATE stories SET merged_into = ? WHERE story_id = ? OR merged_into = ?", (into, story_id, story_id)
        )
        put_change(db, "merged", now, story_id=into, detail=detail)

    def _follow(self, db: sqlite3.Connection, story_id: int, into: int, now: datetime) -> None:
        """A story whose last item moved away leads to where that went, as if it had been merged."""
        if db.execute("SELECT 1 FROM story_items WHERE story_id = ?", (story_id,)).fetchone() is None:
            self._merge(db, story_id, into, {"from": story_id, "reason": "its last item moved"}, now)

    def _refresh_all(
        self, db: sqlite3.Connection, touched: Iterable[int], leads: Mapping[int, int], now: datetime
    ) -> None:
        for story_id in {**dict.fromkeys(touched), **dict.fromkeys(leads)}:
            self.refresh_story(db, story_id, now, leads.get(story_id))

    def refresh_story(self, db: sqlite3.Connection, story_id: int, now: datetime, lead: int | None = None) -> None:
        """Count a story anew from its items; inside a transaction. One that never had an item goes."""
        members = db.execute(_MEMBERS, (story_id,)).fetchall()
        if not members:
            sql = "DELETE FROM stories WHERE story_id = ? AND merged_into IS NULL AND last_item_at IS NULL"
            if not db.execute(sql, (story_id,)).rowcount:
                db.execute(_ENDED, (iso(now), story_id))
            return
        row = db.execute("SELECT lead_item_id FROM stories WHERE story_id = ?", (story_id,)).fetchone()
        countries = [code for code, _ in Counter(m["country"] for m in members).most_common() if code]
        languages = [code for code, _ in Counter(m["language"] for m in members).most_common() if code]
        own = [m for m in members if m["reprint_of"] is None]
        db.execute(
            _STORY,
            {
                "story_id": story_id,
                "lead": self._lead(members, lead, row["lead_item_id"] if row else None),
                "first": members[0]["item_id"],
                "items": len(members),
                "outlets": len({m["outlet_id"] for m in members}),
                "independent": len({m["outlet_id"] for m in own}),
                "country_count": len(countries),
                "language_count": len(languages),
                "countries": " ".join(countries),
                "flags": "".join(map(flag, countries)),
                "languages": " ".join(languages),
                "first_at": members[0]["published_at"],
                "last_at": max(m["published_at"] for m in members),
                "at": iso(now),
            },
        )

    def _lead(self, members: Sequence[sqlite3.Row], given: int | None, kept: int | None) -> int:
        """The item that stands for a story: the one given, else the one it has, else the earliest own text.

        Of the reader's language when there is any in it.
        """
        ids = {m["item_id"] for m in members}
        if given in ids and given is not None:
            return given
        readers = [m for m in members if m["language"] == self.reader_language] or members
        if kept is not None and any(m["item_id"] == kept for m in readers):
            return kept
        own = [m for m in readers if m["reprint_of"] is None] or readers
        return int(own[0]["item_id"])


def _ensure_story(db: sqlite3.Connection, story_id: int, now: datetime) -> None:
    db.execute(
        "INSERT OR IGNORE INTO stories (story_id, created_at, updated_at) VALUES (?, ?, ?)",
        (story_id, iso(now), iso(now)),
    )
