"""The nouns that flow from stage to stage, a module for each step of the way: frozen, slotted, no behaviour of their own.

Whoever needs one imports it from here. Instants are aware `datetime`s in UTC, to the second. Durations are seconds (`_s`)
unless a name says otherwise.
"""

from aggregator.models.feeds import FeedSpec, FeedState
from aggregator.models.fetches import Failed, FailureReason, Fetched, FetchRequest, FetchResult, NotModified, Redirect
from aggregator.models.instants import iso, parse_iso
from aggregator.models.items import (
    DateSource,
    Duplicate,
    EditedItem,
    Item,
    Known,
    KnownItem,
    NewItem,
    ParsedFeed,
    ParseFailed,
    ParseJob,
    Resolution,
    SameItem,
)
from aggregator.models.polls import DueFeed, HostHold, PollRecord
from aggregator.models.stories import (
    Assignment,
    Doubts,
    Merge,
    Move,
    Question,
    Repair,
    Split,
    StoryItem,
    Vector,
    Verdict,
)

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
