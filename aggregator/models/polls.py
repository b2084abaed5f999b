"""A poll: the feed that is due, and all that it leaves."""

from dataclasses import dataclass
from datetime import datetime

from aggregator.models.feeds import FeedSpec, FeedState
from aggregator.models.fetches import FetchResult
from aggregator.models.items import ParsedFeed, ParseFailed, Resolution

__all__ = ["DueFeed", "HostHold", "PollRecord"]


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
