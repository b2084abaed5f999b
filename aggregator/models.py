"""The nouns that flow from stage to stage: frozen, slotted, no behaviour beyond their own text forms.

Instants are aware `datetime`s in UTC, to the second. Durations are seconds (`_s`) unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Assignment",
    "DateSource",
    "Doubts",
    "DueFeed",
    "Duplicate",
    "EditedItem",
    "Failed",
    "FailureReason",
    "FeedSpec",
    "FeedState",
    "FetchRequest",
    "FetchResult",
    "Fetched",
    "HostHold",
    "Item",
    "Known",
    "KnownItem",
    "Merge",
    "Move",
    "NewItem",
    "NotModified",
    "ParseFailed",
    "ParseJob",
    "ParsedFeed",
    "PollRecord",
    "Question",
    "Redirect",
    "Repair",
    "Resolution",
    "SameItem",
    "Split",
    "StoryItem",
    "Vector",
    "Verdict",
    "iso",
    "parse_iso",
]

Vector = NDArray[np.float32]


def iso(at: datetime) -> str:
    """`2026-02-25T06:23:00Z`: the one text form of an instant, in the database and in JSON."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> datetime:
    """The inverse of `iso`; also takes other ISO 8601 forms. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).replace(microsecond=0)


# --- feeds and polling -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """A feed as the catalogue names it.

    `country` is ISO 3166-1 alpha-2 (or "" when unknown), `language` a BCP 47 primary tag, `timezone` an IANA name ("" =
    the country's, when it has one zone), `verified` whether one of us has seen it answer.
    """

    url: str
    outlet: str
    country: str = ""
    language: str = ""
    region: str = ""
    timezone: str = ""
    homepage: str = ""
    enabled: bool = True
    fulltext: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the scheduler knows of a feed; one row of the `feed_state` table, column for field.

    `window` holds the 8-byte digests of the entries of the last parsed body, joined, in document order: what shares none
    with it was lossy. `url` is what to request now; it differs from the catalogue's after a permanent redirect.
    """

    feed_id: int
    url: str
    host: str
    next_poll_at: datetime
    why: str = "never polled"
    state: Literal["new", "ok", "failing", "blocked", "gone"] = "new"
    etag: str | None = None
    last_modified: str | None = None
    validators_trusted: bool = True
    body_hash: str | None = None
    window: bytes = b""
    interval_s: int = 0
    cadence_s: int | None = None  # typical time between new items, an exponentially weighted mean
    failures: int = 0  # consecutive
    gone_count: int = 0  # consecutive 410s
    lossy_count: int = 0
    redirect_url: str | None = None  # where a permanent redirect has pointed since redirect_since
    redirect_since: datetime | None = None
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    last_not_modified_at: datetime | None = None
    last_unconditional_at: datetime | None = None
    last_new_item_at: datetime | None = None
    last_error: str | None = None
    hint_s: int | None = None  # what the feed itself asks for (ttl, sy:updatePeriod); a 304 brings no body to ask
    skip_hours: int = 0  # the same of skipHours: bit h is set when hour h of UTC is skipped
    skip_days: int = 0  # bit d: day d of the week, 0 = Monday


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One conditional GET. `etag` and `last_modified` go out byte for byte; None sends no such header."""

    url: str
    etag: str | None = None
    last_modified: str | None = None


class FailureReason(StrEnum):
    """Why a fetch brought nothing; stored in `polls.reason`."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"  # content-encoding unknown or broken
    FORBIDDEN_ADDRESS = "forbidden_address"
    BAD_URL = "bad_url"
    REDIRECTS = "redirects"  # too many, or to nowhere
    HTTP = "http"  # any status that is not 200 or 304; see Failed.status
    RATE_LIMITED = "rate_limited"  # 429, and 503 with Retry-After
    RESTING = "resting"  # not asked: its host had no turn for it in time, or asked for a pause; never stored
    GONE = "gone"  # 410
    CHALLENGE = "challenge"  # an anti-bot page
    NOT_A_FEED = "not_a_feed"
    PARSE = "parse"  # the parser refused it, crashed or ran out of its limits
    NO_TEXT = "no_text"  # an article's page without the article: paywall, consent, log-in
    INTERNAL = "internal"  # an error of ours


@dataclass(frozen=True, slots=True)
class Redirect:
    """One hop that was followed."""

    status: int
    url: str  # the target, absolute


@dataclass(frozen=True, slots=True)
class Fetched:
    """A 200 with its body, decompressed. Header names are lower case."""

    url: str  # after redirects
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    status: int = 200
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NotModified:
    """A 304; its headers may renew the validators and the freshness hints."""

    url: str
    headers: Mapping[str, str]
    status: int = 304
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """An expected failure. `detail` is one line for a person, free of control characters."""

    url: str
    reason: FailureReason
    detail: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


FetchResult = Fetched | NotModified | Failed


# --- parsing and identity ----------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed that is to be polled now: its row in the store, as catalogued, and what the scheduler knows of it."""

    spec: FeedSpec
    state: FeedState
    outlet_id: int


@dataclass(frozen=True, slots=True)
class HostHold:
    """No request to `host` before `until` (Retry-After)."""

    host: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class PollRecord:
    """All that one poll leaves behind, to be stored in one transaction."""

    feed_id: int
    outlet_id: int
    started_at: datetime
    result: FetchResult
    state: FeedState  # as it is after this poll, next_poll_at and why included
    parsed: ParsedFeed | ParseFailed | None = None
    resolutions: tuple[Resolution, ...] = ()
    hold: HostHold | None = None
    lossy: bool = False  # no entry shared with the poll before: items were probably missed


# --- stories -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoryItem:
    """An item as the clusterer sees it. `vector` is the embedder's, L2-normalised, or None when there is none (yet)."""

    item_id: int
    title: str
    summary: str
    language: str
    country: str
    outlet_id: int
    at: datetime  # published_at
    outlet: str = ""  # its name, which titles often end with
    vector: Vector | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an item went, and why.

    `similarity` is the probability (0-1) that it belongs there; for the first item of a story, 1. `nearest_item_id` is
    the member that spoke most for it; `reprint_of` the earliest item whose text this one repeats. `reasons` are short
    names with numbers or words, stored as JSON.
    """

    item_id: int
    story_id: int
    is_new_story: bool
    similarity: float
    nearest_item_id: int | None = None
    reprint_of: int | None = None
    reasons: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merge:
    """Story `story_id` ended; its items went to `into`."""

    story_id: int
    into: int
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """`item_ids` left `story_id` and are the new story `new_story_id`."""

    story_id: int
    new_story_id: int
    item_ids: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """One item changed story."""

    item_id: int
    from_story: int
    to_story: int
    similarity: float
    reason: str


Repair = Merge | Split | Move


@dataclass(frozen=True, slots=True)
class Question:
    """Whether two items, `item_id` the lower, tell the same event. `stake`: how many items an answer is expected to put right."""

    item_id: int
    other_id: int
    stake: float


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a repair pass is not sure of among the items that it has `seen`, what is worth most first."""

    questions: tuple[Question, ...] = ()
    seen: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of two items, `item_id` the lower. Numbers of verdicts grow."""

    verdict_id: int
    item_id: int
    other_id: int
    same: bool
