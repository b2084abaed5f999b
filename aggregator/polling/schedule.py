"""When to ask a feed again, and what to remember of it: one decision from one answer. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal

from aggregator.config import Polling
from aggregator.models import (
    DateSource,
    Duplicate,
    Failed,
    FailureReason,
    FeedState,
    Fetched,
    FetchRequest,
    FetchResult,
    HostHold,
    NewItem,
    NotModified,
    ParsedFeed,
    ParseFailed,
    Resolution,
)
from aggregator.polling.hints import HINT_CAP_S, freshness_s, retry_after_s, validator
from aggregator.polling.hosts import host_of
from aggregator.polling.moves import after_redirects, back_at
from aggregator.polling.rhythm import backoff_s, first_cadence_s, interval_s, next_cadence_s, span

__all__ = ["Decision", "body_hash", "decide", "request_for"]

_DAY: Final = 86_400
_UNCONDITIONAL: Final = timedelta(days=7)
_LASTING_CAP_S: Final = 7 * _DAY
_GONE_S: Final = 30 * _DAY
_RATE_LIMIT_S: Final = 3600  # the pause of a 429 that names none; doubles
_FAILING: Final = 3  # failures in a row that make a feed "failing" that has worked before
_OLD_NEWS: Final = (3, timedelta(hours=1))  # new items that are all older than the last 304, and by how much: a lie
_DIGEST: Final = 8

# Failures that mostly pass by themselves: the next try comes after the usual interval, and at least once a day.
_PASSING: Final = frozenset(
    {
        FailureReason.CONNECT,
        FailureReason.TIMEOUT,
        FailureReason.TRUNCATED,
        FailureReason.PROTOCOL,
        FailureReason.INTERNAL,
    }
)
_BLOCKED: Final = frozenset({401, 403, 451})


@dataclass(frozen=True, slots=True)
class Decision:
    """What one poll leaves behind: the feed's new state, a pause for its host, whether items were missed."""

    state: FeedState
    hold: HostHold | None = None
    lossy: bool = False


def body_hash(body: bytes) -> str:
    """What tells whether a body is the same as last time: 16 bytes of BLAKE2b, in hexadecimal."""
    return blake2b(body, digest_size=16).hexdigest()


def request_for(state: FeedState, now: datetime) -> FetchRequest:
    """The next request of a feed: with its validators, unless they are not trusted or seven days have gone by without
    a request that had none.
    """  # noqa: D205 - one sentence
    checked = state.last_unconditional_at
    if not state.validators_trusted or checked is None or now - checked >= _UNCONDITIONAL:
        return FetchRequest(state.url)
    return FetchRequest(state.url, state.etag, state.last_modified)


def decide(
    state: FeedState,
    result: FetchResult,
    parsed: ParsedFeed | ParseFailed | None,
    resolutions: Sequence[Resolution],
    *,
    now: datetime,
    jitter: float,
    settings: Polling,
    request: FetchRequest | None = None,
) -> Decision:
    """The state of a feed after a poll, with the reason for its next poll in `why`.

    `state` is the one from before the poll; `parsed` what the body says: None for a 304, for a failure, and for a body
    whose `body_hash` is `state.body_hash`; `resolutions` are of the items of `parsed`. `jitter`, from -1 to 1, moves the
    next poll by up to `settings.jitter` of the interval. `request` is what was asked: by default what `request_for` says;
    that of `moves.second_request` only when a feed came of it. Where a host was not asked (RESTING), `moves.rested` decides.
    """
    request = request or request_for(state, now)
    if request.url != state.url:
        decision = decide(
            back_at(state, request.url),
            result,
            parsed,
            resolutions,
            now=now,
            jitter=jitter,
            settings=settings,
            request=request,
        )
        told = f"{decision.state.why}; back at the catalogue's address, as {state.url}, where it had moved to, is dead"
        return replace(decision, state=replace(decision.state, why=told))
    unconditional = _unconditional(request)
    valid = not isinstance(result, Failed) and not isinstance(parsed, ParseFailed)
    state = replace(after_redirects(state, result, valid=valid, now=now), last_poll_at=now)
    match result, parsed:
        case Failed(), _:
            return _failed(state, result, now=now, jitter=jitter, settings=settings)
        case Fetched(), ParseFailed(reason, detail):
            # Validators of what is no feed would turn it into a "not modified", a success.
            failure = Failed(result.url, reason, detail, None)
            state = replace(state, etag=None, last_modified=None)
            return _failed(state, failure, now=now, jitter=jitter, settings=settings)
        case Fetched(), ParsedFeed():
            return _read(state, result, parsed, resolutions, unconditional, now=now, jitter=jitter, settings=settings)
        case Fetched(), _:
            state = replace(
                _with_validators(state, result),
                last_unconditional_at=now if unconditional else state.last_unconditional_at,
            )
            return _good(state, result, now=now, jitter=jitter, settings=settings)
        case NotModified(), _:
            state = replace(
                state,
                etag=validator(result.headers, "etag") or state.etag,
                last_modified=validator(result.headers, "last-modified") or state.last_modified,
                last_not_modified_at=now,
            )
            return _good(state, result, now=now, jitter=jitter, settings=settings)
        case _:  # pragma: no cover - the cases above are all there are
            raise AssertionError(result)


def _read(
    state: FeedState,
    result: Fetched,
    parsed: ParsedFeed,
    resolutions: Sequence[Resolution],
    unconditional: bool,
    *,
    now: datetime,
    jitter: float,
    settings: Polling,
) -> Decision:
    """A body that is a feed, and not the same as last time."""
    new = [r.item for r in resolutions if isinstance(r, NewItem)]
    dates = [item.published_at for item in new if item.date_source is DateSource.FEED]
    window = {state.window[i : i + _DIGEST] for i in range(0, len(state.window), _DIGEST)}
    lossy = bool(
        window
        and new
        and window.isdisjoint(parsed.digests)
        and all(isinstance(r, NewItem | Duplicate) for r in resolutions)
    )
    lied = unconditional and bool(new) and _lied(state, result, len(new), dates)
    first = state.last_success_at is None
    if first:
        cadence = first_cadence_s(dates)
        newest = min(max(dates, default=now), now)
    else:
        since = (now - (state.last_new_item_at or now)).total_seconds()
        cadence = next_cadence_s(state.cadence_s, since, len(new), lossy=lossy)
        newest = now
    hints = (parsed.ttl_s, parsed.update_period_s)
    state = replace(
        _with_validators(state, result),
        validators_trusted=state.validators_trusted and not lied,
        last_unconditional_at=now if unconditional else state.last_unconditional_at,
        body_hash=body_hash(result.body),
        window=b"".join(parsed.digests) or state.window,
        cadence_s=cadence,
        lossy_count=state.lossy_count + lossy,
        last_new_item_at=newest if new else state.last_new_item_at,
        hint_s=max((min(max(hint, 0), HINT_CAP_S) for hint in hints if hint), default=None),
        skip_hours=sum(1 << hour for hour in parsed.skip_hours if 0 <= hour < 24),  # noqa: PLR2004 - hours of a day
        skip_days=sum(1 << day for day in parsed.skip_days if 0 <= day < 7),  # noqa: PLR2004 - days of a week
    )
    notes = "; it says “not modified” when it is, so its validators are used no more" if lied else ""
    return _good(state, result, now=now, jitter=jitter, settings=settings, first=first, lossy=lossy, notes=notes)


def _good(
    state: FeedState,
    result: Fetched | NotModified,
    *,
    now: datetime,
    jitter: float,
    settings: Polling,
    first: bool = False,
    lossy: bool = False,
    notes: str = "",
) -> Decision:
    """The next poll after a good answer: the latest of what the feed's rhythm, its headers and its body ask for."""
    silent = max((now - (state.last_new_item_at or now)).total_seconds(), 0.0)
    entries = len(state.window) // _DIGEST
    floor, ceiling = settings.floor_s, settings.ceiling_s
    interval = interval_s(
        state.cadence_s, silent, entries, floor=floor, ceiling=ceiling, unknown=settings.first_interval_s
    )
    if first:
        interval = max(min(interval, settings.first_interval_s), floor)
        why = f"{span(interval)} after the first poll"
    elif lossy:
        interval = max(min(interval, state.interval_s // 2), floor)
        why = f"every {span(interval)}: items were missed since the poll before"
    elif state.cadence_s is None:
        why = f"every {span(interval)}: nothing new since it was first polled"
    elif silent > 4 * state.cadence_s:
        why = f"every {span(interval)}: nothing new for {span(silent)}"
    else:
        why = f"every {span(interval)}: a new item about every {span(state.cadence_s)}"
    wait = interval * (1 + settings.jitter * jitter)
    fresh, own = freshness_s(result.headers, now), state.hint_s or 0
    if max(fresh, own) > wait:
        source = "Cache-Control or Expires" if fresh >= own else "ttl or sy:updatePeriod in the feed"
        wait = max(fresh, own) * (1 + settings.jitter * abs(jitter))
        why = f"the publisher asks for {span(max(fresh, own))} ({source}); without that {why}"
    at, moved = _past_skips(_after(now, wait), state, abs(jitter))
    state = replace(
        state,
        state="ok",
        failures=0,
        gone_count=0,
        last_error=None,
        last_success_at=now,
        interval_s=interval,
        next_poll_at=at,
        why=why + moved + notes,
    )
    return Decision(state, None, lossy)


def _failed(state: FeedState, failure: Failed, *, now: datetime, jitter: float, settings: Polling) -> Decision:
    """The next poll after a failure: later each time, never never."""
    failures = state.failures + 1
    usual = min(max(state.interval_s or settings.first_interval_s, settings.floor_s), settings.ceiling_s)
    asked = retry_after_s(failure.headers, now)
    if not asked and failure.status == 429:  # noqa: PLR2004 - "too many" and "come back at once" (or in the past) cannot both be meant
        asked = None
    gone = state.gone_count + (failure.reason is FailureReason.GONE)
    if failure.reason is not FailureReason.GONE and failure.status is not None:
        gone = 0
    hold = None
    if failure.reason is FailureReason.RATE_LIMITED:
        pause = backoff_s(_RATE_LIMIT_S, failures - 1, _DAY) if asked is None else asked
        wait = max(backoff_s(usual, failures - 1, _DAY), pause)
        until = _after(now, pause)
        hold = HostHold(host_of(failure.url) or state.host, until, failure.detail) if pause else None
        text = (
            f"the host asks for a pause of {span(pause)}"
            if asked is not None
            else f"a pause of {span(pause)} for the host"
        )
    elif gone > 1:
        wait, text = _GONE_S, f"gone, as it has said {gone} times; a look once in {span(_GONE_S)}"
    else:
        passing = failure.reason in _PASSING or (failure.status or 0) >= 500  # noqa: PLR2004 - the server's own errors
        wait = backoff_s(usual, failures - 1, _DAY) if passing else backoff_s(usual, failures, _LASTING_CAP_S)
        text = f"next try after {span(wait)}"
    if asked is not None and asked >= wait:
        jitter, wait = abs(jitter), asked
    elif hold:
        jitter = abs(jitter)
    at, moved = _past_skips(_after(now, wait * (1 + settings.jitter * jitter)), state, abs(jitter))
    times = f"; {failures} failures in a row" if failures > 1 else ""
    state = replace(
        state,
        state=_word(state, failure, failures, gone),
        failures=failures,
        gone_count=gone,
        last_error=failure.detail,
        next_poll_at=at,
        why=f"{failure.detail}{times}; {text}{moved}",
    )
    return Decision(state, hold)


def _word(
    state: FeedState, failure: Failed, failures: int, gone: int
) -> Literal["new", "ok", "failing", "blocked", "gone"]:
    if gone > 1:
        return "gone"
    if failure.reason in (FailureReason.CHALLENGE, FailureReason.RATE_LIMITED) or failure.status in _BLOCKED:
        return "blocked"
    if failures >= _FAILING or state.last_success_at is None:
        return "failing"
    return state.state


def _lied(state: FeedState, result: Fetched, new: int, dates: Sequence[datetime]) -> bool:
    """Whether the 304 before this unconditional answer cannot have been true.

    Either the validators are the same over another body; or all that is new, three items or more, was published well
    before that 304.
    """
    said = state.last_not_modified_at
    if said is None or said != state.last_success_at or not (state.etag or state.last_modified):
        return False
    name, known = ("etag", state.etag) if state.etag else ("last-modified", state.last_modified)
    least, margin = _OLD_NEWS
    return validator(result.headers, name) == known or (new == len(dates) >= least and max(dates) < said - margin)


def _with_validators(state: FeedState, result: Fetched) -> FeedState:
    """Both validators as this answer has them: one that it lacks is forgotten."""
    return replace(
        state, etag=validator(result.headers, "etag"), last_modified=validator(result.headers, "last-modified")
    )


def _unconditional(request: FetchRequest) -> bool:
    return request.etag is None and request.last_modified is None


def _after(now: datetime, seconds: float) -> datetime:
    """A whole second, and never earlier than asked: the store keeps no fractions."""
    at = now + timedelta(seconds=math.ceil(round(seconds, 3)))  # 1.1 times 1800 is 1980 and a bit, to a computer
    return at if not at.microsecond else at.replace(microsecond=0) + timedelta(seconds=1)


def _past_skips(at: datetime, state: FeedState, spread: float) -> tuple[datetime, str]:
    """The first moment from `at` on that skipHours and skipDays do not exclude; excluding all of time excludes none."""
    hour = at
    for _ in range(7 * 24 + 1):
        if not (state.skip_hours >> hour.hour & 1 or state.skip_days >> hour.weekday() & 1):
            break
        hour = (hour + timedelta(hours=1)).replace(minute=0, second=0)
    else:
        return at, ""
    if hour == at:
        return at, ""
    # Not all feeds of the world on the stroke of the hour.
    return hour + timedelta(
        seconds=round(spread * 600)
    ), "; later, as the feed excludes those hours (skipHours, skipDays)"
