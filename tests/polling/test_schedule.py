"""Properties of the decision that hold for every state, answer, clock and jitter."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aggregator.config import Polling
from aggregator.models import (
    DateSource,
    Failed,
    FailureReason,
    FeedState,
    Fetched,
    FetchRequest,
    Item,
    NewItem,
    NotModified,
    ParsedFeed,
    ParseFailed,
    Redirect,
    SameItem,
)
from aggregator.polling.hints import freshness_s, retry_after_s
from aggregator.polling.moves import rested, second_request
from aggregator.polling.rhythm import interval_s
from aggregator.polling.schedule import body_hash, decide, request_for

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
DAY = 86_400
SETTINGS = Polling()

past = st.none() | st.integers(0, 400 * DAY).map(lambda s: NOW - timedelta(seconds=s))
validators = st.none() | st.sampled_from(['"a"', 'W/"b"', "c"])
urls = st.sampled_from(["http://paper.example/feed", "https://paper.example/feed", "https://other.example/x"])
digests = st.lists(st.integers(0, 12).map(lambda n: n.to_bytes(8, "big")), max_size=8, unique=True).map(tuple)

states = st.builds(
    FeedState,
    feed_id=st.just(1),
    url=urls,
    host=st.just("paper.example"),
    next_poll_at=st.just(NOW),
    state=st.sampled_from(["new", "ok", "failing", "blocked", "gone"]),
    etag=validators,
    last_modified=validators,
    validators_trusted=st.booleans(),
    body_hash=st.none() | st.just(body_hash(b"old")),
    window=digests.map(b"".join),
    interval_s=st.integers(0, DAY),
    cadence_s=st.none() | st.integers(1, 30 * DAY),
    failures=st.integers(0, 60),
    gone_count=st.integers(0, 3),
    redirect_url=st.none() | urls,
    redirect_since=past,
    last_success_at=past,
    last_not_modified_at=past,
    last_unconditional_at=past,
    last_new_item_at=past,
    hint_s=st.none() | st.integers(0, DAY),
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "etag": st.sampled_from(['"a"', '"new"', "bad\n"]),
        "last-modified": st.sampled_from(["then", "now"]),
        "cache-control": st.integers(-5, 10**9).map(lambda n: f"max-age={n}"),
        "expires": st.sampled_from(["Wed, 25 Feb 2026 12:00:00 GMT", "0", "Wed, 25 Feb 2099 12:00:00 GMT"]),
        "retry-after": st.sampled_from(["0", "120", "9999999", "soon", "Thu, 26 Feb 2026 12:00:00 GMT"]),
    },
)
redirects = st.lists(st.builds(Redirect, st.sampled_from([301, 302, 307, 308]), urls), max_size=3).map(tuple)
failed = st.builds(
    Failed,
    url=urls,
    reason=st.sampled_from(FailureReason),
    detail=st.just("it failed"),
    status=st.none() | st.sampled_from([400, 403, 404, 410, 429, 500, 503]),
    headers=headers,
    redirects=redirects,
)
not_modified = st.builds(NotModified, url=urls, headers=headers, redirects=redirects)
fetched = st.builds(Fetched, url=urls, body=st.sampled_from([b"old", b"new"]), headers=headers, redirects=redirects)
parsed_feeds = st.builds(
    ParsedFeed,
    title=st.just(""),
    homepage=st.just(""),
    language=st.just(""),
    items=st.just(()),
    digests=digests,
    ttl_s=st.none() | st.integers(-5, 10**9),
    update_period_s=st.none() | st.integers(-5, 10**9),
    skip_hours=st.frozensets(st.integers(0, 23)),
    skip_days=st.frozensets(st.integers(0, 6)),
)
jitters = st.floats(-1, 1)


def item(digest, published):
    """An item as the parser gives it."""
    return Item(
        digest.hex(), "https://paper.example/a", "https://paper.example/a", "T", "t", "", "", "", "en", published, "",
        DateSource.FEED, "", digest,
    )  # fmt: skip


@st.composite
def outcomes(draw):
    """A result, with what the parser and identity make of it."""
    result = draw(failed | not_modified | fetched)
    if not isinstance(result, Fetched) or draw(st.booleans()):
        return result, None, ()
    parsed = draw(parsed_feeds | st.just(ParseFailed(FailureReason.NOT_A_FEED, "a page")))
    if isinstance(parsed, ParseFailed):
        return result, parsed, ()
    kinds = draw(st.lists(st.booleans(), min_size=len(parsed.digests), max_size=len(parsed.digests)))
    items = [item(digest, draw(past.filter(bool))) for digest in parsed.digests]
    return result, parsed, tuple(NewItem(i) if new else SameItem(1, i) for i, new in zip(items, kinds, strict=True))


@given(states, outcomes(), jitters)
def test_the_next_poll_is_within_its_bounds(state, outcome, jitter):
    """Never before the floor, never before a hint, never later than the caps plus jitter; a whole second; with a reason."""
    result, parsed, resolutions = outcome
    after = decide(state, result, parsed, resolutions, now=NOW, jitter=jitter, settings=SETTINGS).state
    wait = (after.next_poll_at - NOW).total_seconds()
    assert wait >= 0.9 * SETTINGS.floor_s
    # skipDays may exclude six days in a row, and a gone feed is looked at once in thirty days
    assert wait <= 1.1 * (30 * DAY if after.state == "gone" else 7 * DAY) + (
        7 * DAY + 600 if after.skip_days or after.skip_hours else 0
    )
    assert after.next_poll_at.microsecond == 0
    assert after.why
    assert after.last_poll_at == NOW
    if after.failures == 0:
        assert wait >= freshness_s(result.headers, NOW)
        assert wait >= (after.hint_s or 0)
    elif isinstance(result, Failed):
        assert wait >= (retry_after_s(result.headers, NOW) or 0)


@given(states, outcomes(), jitters)
def test_validators_are_never_lost_wrongly(state, outcome, jitter):
    """Failed requests and 304s without validators leave them as they are; a 200 sets both as it says."""
    result, parsed, resolutions = outcome
    after = decide(state, result, parsed, resolutions, now=NOW, jitter=jitter, settings=SETTINGS).state
    kept, now = (state.etag, state.last_modified), (after.etag, after.last_modified)
    match result:
        case Failed():
            assert now == kept
            assert after.body_hash == state.body_hash
            assert after.window == state.window
            assert after.last_success_at == state.last_success_at
        case NotModified():
            assert all(value or not before for value, before in zip(now, kept, strict=True))
            assert after.last_not_modified_at == NOW
        case Fetched() if isinstance(parsed, ParseFailed):
            assert now == (None, None)
            assert after.body_hash == state.body_hash
        case Fetched():
            tag = result.headers.get("etag")
            assert now == (None if tag == "bad\n" else tag, result.headers.get("last-modified"))


@given(states, outcomes(), jitters)
def test_a_decision_is_a_function_of_its_arguments(state, outcome, jitter):
    """The same arguments give the same decision, and the state given is not changed."""
    result, parsed, resolutions = outcome
    before = [getattr(state, field.name) for field in fields(state)]
    first, second = (
        decide(state, result, parsed, resolutions, now=NOW, jitter=jitter, settings=SETTINGS) for _ in range(2)
    )
    assert first == second
    assert before == [getattr(state, field.name) for field in fields(state)]


@given(states, failed, st.integers(2, 40))
def test_backoff_is_monotone_and_bounded(state, failure, times):
    """The same failure again and again: each wait is at least the one before, and none is forgotten."""
    failure = replace(failure, headers={})
    state = replace(state, failures=0, gone_count=0, skip_hours=0, skip_days=0)
    waits = []
    for _ in range(times):
        now = state.next_poll_at
        state = decide(state, failure, None, (), now=now, jitter=0.0, settings=SETTINGS).state
        waits.append((state.next_poll_at - now).total_seconds())
    assert waits == sorted(waits)
    assert state.failures == times
    assert waits[-1] <= (30 * DAY if state.state == "gone" else 7 * DAY)


@given(states, failed, jitters)
def test_only_rate_limits_hold_a_host(state, failure, jitter):
    """A hold names the host that answered, ends within 7 days, and comes with 429 and 503 alone."""
    decision = decide(state, failure, None, (), now=NOW, jitter=jitter, settings=SETTINGS)
    # "Too many requests" and "come back at once" cannot both be meant: such a 429 counts as one without a time.
    timed = failure.status == 429 or retry_after_s(failure.headers, NOW) != 0
    asks = failure.reason is FailureReason.RATE_LIMITED and timed
    assert bool(decision.hold) == asks
    if decision.hold:
        assert decision.hold.host in failure.url
        assert NOW < decision.hold.until <= NOW + timedelta(days=7)


@given(states, st.integers(0, 30 * DAY))
def test_rule_08_a_request_is_conditional_or_it_is_not(state, later):
    """Rule 8: validators go out only when trusted and checked within seven days; never one that is not the state's."""
    now = NOW + timedelta(seconds=later)
    request = request_for(state, now)
    assert request.url == state.url
    checked = state.last_unconditional_at
    if state.validators_trusted and checked and now - checked < timedelta(days=7):
        assert (request.etag, request.last_modified) == (state.etag, state.last_modified)
    else:
        assert (request.etag, request.last_modified) == (None, None)


@given(states, outcomes(), jitters)
def test_rule_10_a_url_changes_for_a_reason(state, outcome, jitter):
    """Rule 10: never after a failure, never to where no permanent redirect leads, never before seven days but for https."""
    result, parsed, resolutions = outcome
    after = decide(state, result, parsed, resolutions, now=NOW, jitter=jitter, settings=SETTINGS).state
    if after.url == state.url:
        return
    assert after.failures == 0
    assert result.redirects[0].status in (301, 308)
    secure = after.url == state.url.replace("http://", "https://") and result.redirects[0].url == after.url
    since = state.redirect_since or NOW
    lasted = state.redirect_url == after.url and NOW - since >= timedelta(days=7)
    assert secure or lasted


CATALOGUE = "http://catalogue.example/feed"


@given(states, outcomes())
def test_rule_10_the_way_back_is_for_moves_that_are_dead(state, outcome):
    """Rule 10: only a failure of a moved feed asks the catalogue's address: after 410 twice, or three failures and seven days."""
    result, parsed, _ = outcome
    assert second_request(state, state.url, result, parsed, now=NOW) is None
    request = second_request(state, CATALOGUE, result, parsed, now=NOW)
    failure = result if isinstance(result, Failed) else parsed if isinstance(parsed, ParseFailed) else None
    if request is None:
        return
    assert (request.url, request.etag, request.last_modified) == (CATALOGUE, None, None)
    assert failure is not None
    long = state.last_success_at is None or NOW - state.last_success_at >= timedelta(days=7)
    assert (failure.reason is FailureReason.GONE and state.gone_count) or (long and state.failures >= 2)
    assert failure.reason not in (FailureReason.RATE_LIMITED, FailureReason.INTERNAL)


@given(states, fetched, parsed_feeds, jitters)
def test_rule_10_what_comes_back_begins_anew(state, result, parsed, jitter):
    """Rule 10: a feed at the catalogue's address brings the schedule back there, with that answer's validators and no distrust."""
    request = FetchRequest(CATALOGUE)
    result = replace(result, redirects=())
    items = [NewItem(item(digest, NOW - timedelta(days=2))) for digest in parsed.digests]
    after = decide(state, result, parsed, items, now=NOW, jitter=jitter, settings=SETTINGS, request=request).state
    assert (after.url, after.redirect_url, after.redirect_since) == (CATALOGUE, None, None)
    assert after.validators_trusted == state.validators_trusted
    assert (after.failures, after.gone_count, after.state) == (0, 0, "ok")
    assert state.url in after.why
    assert second_request(after, CATALOGUE, failed_now(), None, now=NOW + timedelta(days=30)) is None


def failed_now():
    """A failure that lasts."""
    return Failed(CATALOGUE, FailureReason.GONE, "HTTP 410: gone", 410)


@given(states, redirects, st.none() | st.integers(1, 7 * DAY))
def test_rule_06_a_rest_is_no_failure(state, hops, pause):
    """Rule 6: a host that was not asked leaves the feed as it was, counted by that host, due at the end of its pause or at once."""
    url = hops[-1].url if hops else state.url
    until = NOW + timedelta(seconds=pause) if pause else None
    after = rested(state, Failed(url, FailureReason.RESTING, "busy", redirects=hops), until, now=NOW)
    assert after.next_poll_at == (until or NOW)
    assert after.host in url
    assert (after.url, after.state, after.failures, after.etag) == (state.url, state.state, state.failures, state.etag)
    assert after.last_success_at == state.last_success_at


@given(
    st.none() | st.integers(1, 30 * DAY),
    st.integers(0, 400 * DAY),
    st.integers(0, 500),
    st.integers(1, 30 * DAY),
    st.integers(0, DAY),
)
def test_rule_07_intervals_follow_the_gaps(cadence, silent, entries, more, longer):
    """Rule 7: a longer usual gap or a longer silence never shortens the interval; a list is never allowed to turn over."""

    def interval(gap, quiet):
        return interval_s(gap, quiet, entries, floor=600, ceiling=DAY, unknown=1800)

    first = interval(cadence, silent)
    assert 600 <= first <= DAY
    assert interval(cadence, silent + longer) >= first
    if cadence:
        assert interval(cadence + more, silent) >= first
        if entries:
            assert first <= max(entries * max(cadence, silent / 4) / 4, 600) + 1
