"""How values of the program stand in the database: vectors, hashes, feed states, items for the clusterer."""

import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from aggregator.models import FeedSpec, FeedState, StoryItem, Vector, iso, parse_iso

__all__ = [
    "STATE_COLUMNS",
    "blob_of",
    "host_of",
    "short_hash",
    "spec_of",
    "state_of",
    "state_values",
    "stored_form",
    "story_item_of",
    "vector_of",
]

Row = sqlite3.Row | Mapping[str, Any]

STATE_COLUMNS = tuple(field.name for field in fields(FeedState))
_INSTANTS = frozenset(name for name in STATE_COLUMNS if name.endswith(("_at", "_since")))
_SPEC = ("url", "outlet", "country", "language", "region", "timezone", "homepage")
_SPEC_FLAGS = ("enabled", "fulltext", "verified")


def short_hash(text: str) -> int:
    """64 bits of the text's BLAKE2b as a signed integer: a key a tenth as long as most texts."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


def host_of(url: str) -> str:
    """The host that politeness counts by, in lower case; "" when the URL names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def blob_of(vector: Vector) -> bytes:
    """A vector as the table `vectors` holds it: little-endian float16."""
    return vector.astype("<f2").tobytes()


def vector_of(blob: bytes) -> Vector:
    """The inverse of `blob_of`, as float32."""
    return np.frombuffer(blob, "<f2").astype(np.float32)


def stored_form(vector: Vector) -> Vector:
    """The vector as it comes back from the database: half precision. What must be the same after a restart uses this."""
    return vector_of(blob_of(vector))


def spec_of(row: Row) -> FeedSpec:
    """A FeedSpec from columns of its fields' names."""
    values: dict[str, Any] = {name: row[name] for name in _SPEC}
    values |= {name: bool(row[name]) for name in _SPEC_FLAGS}
    return FeedSpec(**values)


def state_of(row: Row) -> FeedState:
    """A FeedState from a row of `feed_state`."""
    values = {name: row[name] for name in STATE_COLUMNS}
    for name in _INSTANTS:
        values[name] = parse_iso(values[name]) if values[name] else None
    values["validators_trusted"] = bool(values["validators_trusted"])
    return FeedState(**values)


def state_values(state: FeedState) -> list[Any]:
    """The inverse of `state_of`: values in the order of `STATE_COLUMNS`."""
    return [_bound(getattr(state, name)) for name in STATE_COLUMNS]


def _bound(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def story_item_of(row: Row) -> StoryItem:
    """A StoryItem from a row with its fields' names; `vector` is a blob or NULL."""
    blob = row["vector"]
    return StoryItem(
        item_id=row["item_id"],
        title=row["title"],
        summary=row["summary"],
        language=row["language"],
        country=row["country"],
        outlet_id=row["outlet_id"],
        at=parse_iso(row["published_at"]),
        outlet=row["outlet"],
        vector=None if blob is None else vector_of(blob),
    )
