"""Rows of the full-text indexes: written with their item, by hand, for they keep no texts of their own."""

import sqlite3

from aggregator.store.textsearch import extra_terms, unspaced

__all__ = ["IndexChanges", "add_to_index", "tune_indexes"]

_Texts = tuple[str, str, str]  # title, summary, body

_AUTOMERGE = 8  # segments of a level that FTS5 merges; its own 4 costs polls 40 % more time and makes no search quicker

_TEXTS = "SELECT title, summary, body FROM search_texts WHERE item_id = ?"
_ADD = "INSERT INTO search_words (rowid, title, summary, body, pairs) VALUES (?, ?, ?, ?, ?)"
_ADD_UNSPACED = "INSERT INTO search_unspaced (rowid, title, summary, body) VALUES (?, ?, ?, ?)"
_REMOVE = "INSERT INTO search_words (search_words, rowid, title, summary, body, pairs) VALUES ('delete', ?, ?, ?, ?, ?)"
_REMOVE_UNSPACED = (
    "INSERT INTO search_unspaced (search_unspaced, rowid, title, summary, body) VALUES ('delete', ?, ?, ?, ?)"
)


class IndexChanges:
    """What a transaction changes in the full-text indexes: gathered, and written by `write`, its last statement but COMMIT.

    FTS5 puts what it was given into a segment of its own, to be merged with others later, whenever another statement opens
    a savepoint (an upsert, a delete that cascades) or row ids go down. Written together and in their order, the items of a
    transaction are one segment, which takes a fraction of the time.
    """

    def __init__(self) -> None:
        self._before: dict[int, _Texts] = {}
        self._after: dict[int, _Texts] = {}

    def put(self, item_id: int, title: str, summary: str, body: str) -> None:
        """Make an item's texts findable; one that is in the indexes must be removed first."""
        self._after[item_id] = (title, summary, body)

    def remove(self, db: sqlite3.Connection, item_id: int) -> None:
        """Take an item out. Its texts must still be in the tables as they were when it was put in (FTS5)."""
        if self._after.pop(item_id, None) is None:
            self._before[item_id] = tuple(db.execute(_TEXTS, (item_id,)).fetchone())

    def write(self, db: sqlite3.Connection) -> None:
        """Write all of it."""
        for item_id in sorted(self._before.keys() | self._after.keys()):
            if item_id in self._before:
                _run(db, _REMOVE, _REMOVE_UNSPACED, item_id, self._before[item_id])
            if item_id in self._after:
                _run(db, _ADD, _ADD_UNSPACED, item_id, self._after[item_id])


def add_to_index(db: sqlite3.Connection, item_id: int, title: str, summary: str, body: str) -> None:
    """Make an item's texts findable at once; they must be in the tables by the end of the transaction."""
    _run(db, _ADD, _ADD_UNSPACED, item_id, (title, summary, body))


def tune_indexes(db: sqlite3.Connection) -> None:
    """Set how often FTS5 merges segments while it writes. The setting is kept in the file; no reader depends on it."""
    for index in ("search_words", "search_unspaced"):
        found = db.execute(f"SELECT v FROM {index}_config WHERE k = 'automerge'").fetchone()  # noqa: S608  names of our own
        if found is None or found[0] != _AUTOMERGE:
            db.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('automerge', ?)", (_AUTOMERGE,))  # noqa: S608


def _run(db: sqlite3.Connection, words: str, characters: str, item_id: int, texts: _Texts) -> None:
    db.execute(words, (item_id, *texts, extra_terms(*texts)))
    if unspaced("".join(texts)):
        db.execute(characters, (item_id, *texts))
