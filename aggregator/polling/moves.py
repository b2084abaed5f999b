"""Permanent redirects: believed when they have lasted, so that an error of a day does not lose a feed. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from aggregator.models import Failed, FeedState, FetchResult, Redirect
from aggregator.polling.hosts import host_of

__all__ = ["after_redirects"]

_LASTING: Final = timedelta(days=7)
_PERMANENT: Final = frozenset({301, 308})


def after_redirects(state: FeedState, result: FetchResult, *, valid: bool, now: datetime) -> FeedState:
    """`state` with what the redirects of one answer mean for its URL.

    301 and 308 count, up to the first hop that is neither. The URL is rewritten once they have led to the same place
    for seven days and a good feed is there now (`valid`); from http to https of the same URL at once. `host` becomes the
    one that answered in the end: where many feeds lead to one host, that is the host to be polite to.
    """
    answered = bool(result.redirects) or not isinstance(result, Failed) or result.status is not None
    state = _after_permanent(state, result, valid=valid, now=now)
    return replace(state, host=host_of(result.url) or state.host) if answered else state


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
