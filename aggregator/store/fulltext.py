"""Rows of the full-text indexes: written with their item, by hand, for they keep no texts of their own."""

import sqlite3

from aggregator.store.textsearch import extra_terms, unspaced

__all__ = ["add_to_index", "remove_from_index"]

_TEXTS = "SELECT title, summary, body FROM search_texts WHERE item_id = ?"


def add_to_index(db: sqlite3.Connection, item_id: int, title: str, summary: str, body: str) -> None:
    """Make an item's texts findable; they must be in the tables by the end of the transaction."""
    texts = (title, summary, body)
    db.execute(
        "INSERT INTO search_words (rowid, title, summary, body, pairs) VALUES (?, ?, ?, ?, ?)",
        (item_id, *texts, extra_terms(*texts)),
    )
    if unspaced("".join(texts)):
        db.execute("INSERT INTO search_unspaced (rowid, title, summary, body) VALUES (?, ?, ?, ?)", (item_id, *texts))


def remove_from_index(db: sqlite3.Connection, item_id: int) -> None:
    """Take an item out of the indexes. Its texts must still be in the tables as they were when it was added (FTS5)."""
    texts = tuple(db.execute(_TEXTS, (item_id,)).fetchone())
    db.execute(
        "INSERT INTO search_words (search_words, rowid, title, summary, body, pairs) VALUES ('delete', ?, ?, ?, ?, ?)",
        (item_id, *texts, extra_terms(*texts)),
    )
    if unspaced("".join(texts)):
        db.execute(
            "INSERT INTO search_unspaced (search_unspaced, rowid, title, summary, body) VALUES ('delete', ?, ?, ?, ?)",
            (item_id, *texts),
        )
