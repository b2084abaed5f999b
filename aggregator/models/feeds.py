"""A feed: as the catalogue names it, and what the scheduler knows of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["FeedSpec", "FeedState"]


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
