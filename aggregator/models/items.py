"""Items: as a feed's body tells them, and as they stand to those that are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aggregator.models.fetches import FailureReason

__all__ = [
    "DateSource",
    "Duplicate",
    "EditedItem",
    "Item",
    "Known",
    "KnownItem",
    "NewItem",
    "ParseFailed",
    "ParseJob",
    "ParsedFeed",
    "Resolution",
    "SameItem",
]


@dataclass(frozen=True, slots=True)
class ParseJob:
    """What a parser needs to know; picklable, for it runs in another process.

    `seen` holds 8-byte digests of raw entries whose items are stored already: the parser may skip them.
    """

    body: bytes = field(repr=False)
    url: str
    now: datetime
    content_type: str = ""
    language: str = ""
    country: str = ""
    timezone: str = ""
    outlet: str = ""
    seen: frozenset[bytes] = frozenset()


class DateSource(StrEnum):
    """Where an item's `published_at` comes from."""

    FEED = "feed"  # as the feed says
    CLAMPED = "clamped"  # the feed's lies in the future: first_seen_at instead
    FIRST_SEEN = "first_seen"  # the feed gives none that can be read


@dataclass(frozen=True, slots=True)
class Item:
    """One article as one feed entry tells it. Texts are plain (no tags, controls or bidi overrides), NFC.

    `entry_digest` is the 8-byte digest of the raw entry; `title_key` and `text_key` are forms for comparison only;
    `content_hash` changes when an edit is worth a revision.
    """

    guid: str
    url: str
    canonical_url: str
    title: str
    title_key: str
    summary: str
    body: str  # paragraphs divided by an empty line; "" when the feed carries none
    body_html: str  # sanitised
    language: str
    published_at: datetime
    published_raw: str
    date_source: DateSource
    content_hash: str
    entry_digest: bytes = b""
    author: str = ""
    image_url: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """What a body says. `items` leaves out entries named in the job's `seen`; `digests` names all, in document order."""

    title: str
    homepage: str
    language: str
    items: tuple[Item, ...]
    digests: tuple[bytes, ...]
    ttl_s: int | None = None  # RSS ttl
    update_period_s: int | None = None  # sy:updatePeriod over sy:updateFrequency
    skip_hours: frozenset[int] = frozenset()  # of UTC, 0-23
    skip_days: frozenset[int] = frozenset()  # 0 = Monday
    hub: str = ""  # WebSub
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """The body could not be read as a feed. `reason` is NOT_A_FEED or PARSE."""

    reason: FailureReason
    detail: str


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A stored item, as far as identity needs it.

    `sighted_hash`, for items found by guid, is the content hash of what that very entry (feed and guid) said last, where
    the store keeps it: an entry that repeats itself is no edit, even when a sister feed words the item otherwise.
    """

    item_id: int
    canonical_url: str
    title: str
    title_key: str
    summary: str
    body: str
    published_at: datetime
    first_seen_at: datetime
    content_hash: str
    sighted_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NewItem:
    """The outlet had no such item."""

    item: Item


@dataclass(frozen=True, slots=True)
class SameItem:
    """Known, and says what it said; `item` may come by another guid or feed."""

    item_id: int
    item: Item


@dataclass(frozen=True, slots=True)
class EditedItem:
    """Known, and says something else now: `changed` names the parts, of title, summary, body, published_at."""

    item_id: int
    item: Item
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A second entry of one body for an article that is new with this very body.

    `of` is the index, among the resolutions of the body, of the NewItem that it repeats (always an earlier one): the
    store records `item.guid` as one more sighting of the item that it gives the NewItem. Nothing else is stored of it.
    """

    of: int
    item: Item


Resolution = NewItem | SameItem | EditedItem | Duplicate


@dataclass(frozen=True, slots=True)
class Known:
    """The stored items of one outlet that the items of a body may be, by each key of identity.

    `by_guid` is of this feed alone; `by_url` (canonical) and `by_title` (title_key) are of the whole outlet, `by_title`
    of the last 48 h.
    """

    by_guid: Mapping[str, KnownItem] = field(default_factory=dict)
    by_url: Mapping[str, KnownItem] = field(default_factory=dict)
    by_title: Mapping[str, KnownItem] = field(default_factory=dict)
