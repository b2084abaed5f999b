"""Where a feed is asked, and which host it counts by. Pure.

Permanent redirects are believed when they have lasted, and no longer than they lead to a feed.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from aggregator.models import (
    Failed,
    FailureReason,
    FeedState,
    FetchRequest,
    FetchResult,
    ParsedFeed,
    ParseFailed,
    Redirect,
)
from aggregator.polling.hosts import host_of

__all__ = ["after_redirects", "back_at", "rested", "second_request"]

_LASTING: Final = timedelta(days=7)
_PERMANENT: Final = frozenset({301, 308})
_DEAD: Final = 3  # failures in a row, over the seven days: more than one outage of a server
# Failures that say nothing of the address: the host is there and wants less of us, or the fault is ours.
_ANOTHERS: Final = frozenset({FailureReason.RATE_LIMITED, FailureReason.INTERNAL, FailureReason.RESTING})


def after_redirects(state: FeedState, result: FetchResult, *, valid: bool, now: datetime) -> FeedState:
    """`state` with what the redirects of one answer mean for its URL.

    301 and 308 count, up to the first hop that is neither. The URL is rewritten once they have led to the same place
    for seven days and a good feed is there now (`valid`); from http to https of the same URL at once. `host` becomes the
    one that answered in the end: where many feeds lead to one host, that is the host to be polite to.
    """
    answered = bool(result.redirects) or not isinstance(result, Failed) or result.status is not None
    state = _after_permanent(state, result, valid=valid, now=now)
    return replace(state, host=host_of(result.url) or state.host) if answered else state


def second_request(
    state: FeedState,
    configured: str,
    result: FetchResult,
    parsed: ParsedFeed | ParseFailed | None,
    *,
    now: datetime,
) -> FetchRequest | None:
    """What to ask after a poll that failed where the feed had moved to: its address in the catalogue, once that move is dead.

    Dead is what has said twice that it is gone, or has been no feed for seven days and three polls. Nothing is decided for
    good: only a feed at the catalogue's address brings the schedule back to it (`decide` with this request), and from there
    a move has to last for seven days again. Until then both are asked, one after the other, at each poll; those of a feed
    that fails are a day and more apart.
    """
    if isinstance(parsed, ParseFailed):
        reason = parsed.reason
    elif isinstance(result, Failed):
        reason = result.reason
    else:
        return None
    if state.url == configured or reason in _ANOTHERS:
        return None
    gone = reason is FailureReason.GONE and state.gone_count > 0
    long = state.last_success_at is None or now - state.last_success_at >= _LASTING
    return FetchRequest(configured) if gone or (long and state.failures + 1 >= _DEAD) else None


def back_at(state: FeedState, url: str) -> FeedState:
    """`state` with the catalogue's `url` again: nothing that another server said of its answers holds there."""
    return replace(state, url=url, redirect_url=None, redirect_since=None, etag=None, last_modified=None)


def rested(state: FeedState, result: Failed, until: datetime | None, *, now: datetime) -> FeedState:
    """The state of a feed whose poll ended at a host that was not asked (RESTING): no failure, and due again as it was.

    `until` is the end of the pause that the host asked for, None when it had too many other requests before it. The feed
    counts as one of that host from now on, so that it waits where it costs nothing: among what is due.
    """
    state = after_redirects(state, result, valid=False, now=now)
    return replace(
        state,
        host=host_of(result.url) or state.host,
        last_poll_at=now,
        next_poll_at=until or min(state.next_poll_at, now),
        why=f"{result.detail}; the feed's turn comes after that, and this is no failure of it",
    )


def _after_permanent(state: FeedState, result: FetchResult, *, valid: bool, now: datetime) -> FeedState:
    hops = [hop.url for hop in _permanent(result.redirects)]
    if valid and hops and state.url.startswith("http://") and hops[0] == "https://" + state.url.removeprefix("http://"):
        state = _moved(state, hops[0])
    target = hops[-1] if hops and hops[-1] != state.url else None
    if target is None:
        # No answer says nothing about redirects.
        silent = isinstance(result, Failed) and result.status is None and not result.redirects
        return state if silent else replace(state, redirect_url=None, redirect_since=None)
    if target != state.redirect_url or state.redirect_since is None:
        return replace(state, redirect_url=target, redirect_since=now)
    # An address that holds a login is the user's to change: the target has none, and would be refused.
    valid = valid and "@" not in urlsplit(state.url).netloc
    return _moved(state, target) if valid and now - state.redirect_since >= _LASTING else state


def _permanent(redirects: tuple[Redirect, ...]) -> list[Redirect]:
    end = next((i for i, hop in enumerate(redirects) if hop.status not in _PERMANENT), len(redirects))
    return list(redirects[:end])


def _moved(state: FeedState, url: str) -> FeedState:
    """An upgrade to https keeps what is known of the redirects behind it."""
    kept = state.redirect_url if state.redirect_url != url else None
    return replace(
        state, url=url, host=host_of(url), redirect_url=kept, redirect_since=state.redirect_since if kept else None
    )
