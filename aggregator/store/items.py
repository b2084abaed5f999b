"""The writer's part for items: which are known, how they come, change, are withdrawn and are emptied."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aggregator.models import (
    Duplicate,
    EditedItem,
    Item,
    Known,
    KnownItem,
    NewItem,
    PollRecord,
    SameItem,
    iso,
    parse_iso,
)
from aggregator.store.catalogue import Catalogue
from aggregator.store.changes import put_change
from aggregator.store.fulltext import IndexChanges
from aggregator.store.stories import Stories
from aggregator.store.values import short_hash

__all__ = ["Brought", "Items"]

_SAME_TITLE_H = 48  # hours within which an equal title of one outlet means the same item

# CROSS JOIN holds SQLite to this order: from the few keys to the items; the plus keeps it from the outlet's whole history.
_KNOWN = """
SELECT i.item_id, i.canonical_url, i.title, i.title_key, i.summary, coalesce(b.body, '') AS body, i.published_at,
       i.first_seen_at, i.content_hash, {key} AS key, {said} AS said
FROM json_each(:keys) AS j {join} LEFT JOIN bodies AS b ON b.item_id = i.item_id
"""
_BY_GUID = _KNOWN.format(
    key="j.key",
    said="s.said",
    join="CROSS JOIN sightings AS s ON s.feed_id = :feed AND s.guid_hash = j.value JOIN items AS i ON i.item_id = s.item_id",
)
# An outlet's newest item with that URL, or that title, wins.
_BY_URL = (
    _KNOWN.format(
        key="i.canonical_url",
        said="NULL",
        join="CROSS JOIN items AS i ON i.canonical_url = j.value AND +i.outlet_id = :outlet",
    )
    + " ORDER BY i.item_id"
)
_BY_TITLE = (
    _KNOWN.format(
        key="i.title_key", said="NULL", join="CROSS JOIN items AS i ON i.outlet_id = :outlet AND i.title_hash = j.value"
    )
    + " WHERE max(i.published_at, i.first_seen_at) >= :since AND i.pruned_at IS NULL ORDER BY i.item_id"
)

_NEW_ITEM = """
INSERT INTO items (outlet_id, feed_id, language, published_at, date_source, first_seen_at, title, summary, url, canonical_url,
                   author, image_url, tags, published_raw, content_hash, title_key, title_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEW_CHANGES = """
INSERT INTO changes (at, kind, item_id, feed_id) SELECT ?, 'new', value, ? FROM json_each(?) ORDER BY key
"""
_EDIT_ITEM = """
UPDATE items SET language = ?, published_at = ?, date_source = ?, title = ?, summary = ?, url = ?, author = ?, image_url = ?,
                 tags = ?, published_raw = ?, content_hash = ?, title_key = ?, title_hash = ?, updated_at = ?
WHERE item_id = ?
"""
_SIGHTING = """
INSERT INTO sightings (feed_id, guid_hash, item_id, guid, digest, said, first_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET item_id = excluded.item_id, digest = excluded.digest, said = excluded.said
WHERE item_id <> excluded.item_id OR digest <> excluded.digest OR said <> excluded.said
"""
_BODY = """
INSERT INTO bodies (item_id, body, body_html, origin, made_at) VALUES (?, ?, ?, 'feed', ?)
ON CONFLICT DO UPDATE SET body = excluded.body, body_html = excluded.body_html, origin = 'feed', model = '',
                          made_at = excluded.made_at
"""
_REVISION = """
INSERT INTO revisions (item_id, seen_at, changed, title, summary, body, published_at)
SELECT i.item_id, ?, ?, i.title, i.summary, coalesce(b.body, ''), i.published_at
FROM items AS i LEFT JOIN bodies AS b ON b.item_id = i.item_id WHERE i.item_id = ?
"""
_PRUNED = ("bodies", "vectors", "revisions", "translations", "story_sentences", "to_cluster", "story_items")
_EMPTY = """
UPDATE items SET title = '', summary = '', url = '', author = '', image_url = '', tags = '', published_raw = '', title_key = '',
                 pruned_at = ? WHERE item_id = ?
"""
_HEADS_OF_EMPTIED = """
DELETE FROM story_texts WHERE story_id = ? AND origin = 'extractive' AND EXISTS (
  SELECT 1 FROM json_each(item_ids) AS j JOIN items AS i ON i.item_id = j.value WHERE i.pruned_at IS NOT NULL)
"""
_HEADS_WANTED = """
INSERT OR IGNORE INTO to_enrich (task, subject_id, priority, not_before)
SELECT 'story', story_id, outlet_count, ? FROM stories WHERE story_id = ? AND outlet_count > 1
"""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a poll brought: the ids of items that are new, and of those that were edited."""

    new: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()


class Items(Catalogue, Stories):
    """Items, with their texts as outlets gave them."""

    def known(self, feed_id: int, outlet_id: int, items: Sequence[Item], *, now: datetime) -> Known:
        """The stored items that `items`, entries of this feed, may be: by guid, by URL, by title of the last 48 h.

        Items that retention emptied are among those by guid and URL, with empty texts.
        """
        if not items:
            return Known()
        since = iso(now - timedelta(hours=_SAME_TITLE_H))
        guids = {str(short_hash(item.guid)): item.guid for item in items}
        with self._held():
            by_guid = self._known(_BY_GUID, {"keys": json.dumps([int(h) for h in guids]), "feed": feed_id})
            names = list(guids.values())
            by_url = self._known(
                _BY_URL, {"keys": json.dumps(list({i.canonical_url for i in items})), "outlet": outlet_id}
            )
            titles = json.dumps(list({short_hash(item.title_key) for item in items if item.title_key}))
            by_title = self._known(_BY_TITLE, {"keys": titles, "outlet": outlet_id, "since": since})
        return Known(by_guid={names[key]: item for key, item in by_guid.items()}, by_url=by_url, by_title=by_title)

    def put_items(self, db: sqlite3.Connection, index: IndexChanges, record: PollRecord, now: datetime) -> Brought:
        """Store the items of a poll and its sightings; inside a transaction."""
        at = iso(now)
        new: list[int] = []
        edited: list[int] = []
        ids: list[int] = []  # of the items, by resolution
        for language in {r.item.language for r in record.resolutions}:
            self.ensure_language(db, language)
        for resolution in record.resolutions:
            match resolution:
                case NewItem(item):
                    item_id = _add_item(db, index, record, item, at)
                    new.append(item_id)
                case EditedItem(item_id, item, changed):
                    if self._edit_item(db, index, item_id, item, changed, now):
                        edited.append(item_id)
                case SameItem(item_id):
                    pass
                case Duplicate(of):
                    item_id = ids[of]
            ids.append(item_id)
        db.executemany(_SIGHTING, _sighting_rows(record, ids, at))
        if new:
            db.execute("INSERT INTO to_cluster SELECT value FROM json_each(?)", (json.dumps(new),))
            db.execute(_NEW_CHANGES, (at, record.feed_id, json.dumps(new)))
        return Brought(tuple(new), tuple(edited))

    def retract(self, item_ids: Iterable[int], *, now: datetime) -> None:
        """Mark items that their outlet withdrew; they stay, with their texts."""
        with self.transaction() as db:
            for item_id in item_ids:
                sql = (
                    "UPDATE items SET retracted_at = ? WHERE item_id = ? AND retracted_at IS NULL AND pruned_at IS NULL"
                )
                if db.execute(sql, (iso(now), item_id)).rowcount:
                    put_change(db, "retracted", now, item_id=item_id, story_id=_story_of(db, item_id))

    def prune(self, item_ids: Iterable[int], *, now: datetime) -> int:
        """Empty items for retention, in one transaction: an empty row and its sightings stay, so that none comes back as new.

        A story that loses its last item goes, with those that were merged into it. How many were emptied.
        """
        emptied = 0
        stories: dict[int, None] = {}
        index = IndexChanges()
        with self.transaction() as db:
            for item_id in item_ids:
                row = db.execute("SELECT pruned_at FROM items WHERE item_id = ?", (item_id,)).fetchone()
                if row is None or row[0]:
                    continue
                story_id = _story_of(db, item_id)
                put_change(db, "pruned", now, item_id=item_id, story_id=story_id)
                index.remove(db, item_id)
                for table in _PRUNED:
                    db.execute(f"DELETE FROM {table} WHERE item_id = ?", (item_id,))  # noqa: S608  names of our own
                db.execute(_EMPTY, (iso(now), item_id))
                if story_id is not None:
                    stories[story_id] = None
                emptied += 1
            for story_id in stories:
                self.refresh_story(db, story_id, now)
                if db.execute(_HEADS_OF_EMPTIED, (story_id,)).rowcount:  # words of outlets that are to go
                    db.execute(_HEADS_WANTED, (iso(now), story_id))
                db.execute(
                    "DELETE FROM stories WHERE story_id = ? AND item_count = 0 AND merged_into IS NULL", (story_id,)
                )
            index.write(db)
        return emptied

    # --- rows -----------------------------------------------------------------------------------------------------

    def _known(self, sql: str, parameters: dict[str, Any]) -> dict[Any, KnownItem]:
        return {
            row["key"]: KnownItem(
                item_id=row["item_id"],
                canonical_url=row["canonical_url"],
                title=row["title"],
                title_key=row["title_key"],
                summary=row["summary"],
                body=row["body"],
                published_at=parse_iso(row["published_at"]),
                first_seen_at=parse_iso(row["first_seen_at"]),
                content_hash=row["content_hash"],
                sighted_hash=row["said"],
            )
            for row in self.connection.execute(sql, parameters)
        }

    def _edit_item(
        self,
        db: sqlite3.Connection,
        index: IndexChanges,
        item_id: int,
        item: Item,
        changed: tuple[str, ...],
        now: datetime,
    ) -> bool:
        """Keep the old texts as a revision and store the new ones; False for an item that retention emptied."""
        if not db.execute("SELECT 1 FROM items WHERE item_id = ? AND pruned_at IS NULL", (item_id,)).fetchone():
            return False
        at = iso(now)
        db.execute(_REVISION, (at, json.dumps(changed), item_id))
        index.remove(db, item_id)
        db.execute(
            _EDIT_ITEM,
            (item.language, iso(item.published_at), item.date_source, item.title, item.summary,
             item.url, item.author, item.image_url, _json(item.tags), item.published_raw, item.content_hash,
             item.title_key, short_hash(item.title_key), at, item_id),
        )  # fmt: skip
        if item.body and "body" in changed:
            db.execute(_BODY, (item_id, item.body, item.body_html, at))
        body = db.execute("SELECT body FROM bodies WHERE item_id = ?", (item_id,)).fetchone()
        index.put(item_id, item.title, item.summary, body[0] if body else "")
        if "title" in changed or "summary" in changed:
            db.execute("DELETE FROM vectors WHERE item_id = ?", (item_id,))
            self.wait_again(db, item_id)
        story_id = _story_of(db, item_id)
        put_change(db, "edited", now, item_id=item_id, story_id=story_id, detail={"changed": list(changed)})
        if story_id is not None:
            self.refresh_story(db, story_id, now)
        return True


def _story_of(db: sqlite3.Connection, item_id: int) -> int | None:
    row = db.execute("SELECT story_id FROM story_items WHERE item_id = ?", (item_id,)).fetchone()
    return None if row is None else int(row[0])


def _add_item(db: sqlite3.Connection, index: IndexChanges, record: PollRecord, item: Item, at: str) -> int:
    cursor = db.execute(
        _NEW_ITEM,
        (record.outlet_id, record.feed_id, item.language, iso(item.published_at), item.date_source, at, item.title,
         item.summary, item.url, item.canonical_url, item.author, item.image_url, _json(item.tags), item.published_raw,
         item.content_hash, item.title_key, short_hash(item.title_key)),
    )  # fmt: skip
    item_id = int(cursor.lastrowid or 0)
    if item.body:
        db.execute(_BODY, (item_id, item.body, item.body_html, at))
    index.put(item_id, item.title, item.summary, item.body)
    return item_id


def _sighting_rows(record: PollRecord, item_ids: Iterable[int], at: str) -> Iterator[tuple[Any, ...]]:
    for item_id, item in zip(item_ids, (r.item for r in record.resolutions), strict=True):
        guid = None if item.guid == item.url else item.guid
        yield (record.feed_id, short_hash(item.guid), item_id, guid, item.entry_digest, item.content_hash, at)


def _json(values: Sequence[str]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""
