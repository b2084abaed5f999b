"""What an answer's headers ask of its next request: how long it stays fresh, and when to come back. Pure.

RFC 9110 (Retry-After, dates), RFC 9111 (Cache-Control, Expires, Age).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["HINT_CAP_S", "RETRY_CAP_S", "freshness_s", "http_date", "retry_after_s", "validator"]

HINT_CAP_S: Final = 86_400
RETRY_CAP_S: Final = 7 * 86_400

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE | re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,12}(?:\.\d*)?", re.ASCII)
_SENDABLE: Final = re.compile(r"[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?")  # RFC 9110 field-value, as latin-1
_LONGEST: Final = 256  # characters of a header that is worth reading


def http_date(text: str | None) -> datetime | None:
    """An HTTP-date in any of its three forms; None when it is none of them."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        at = parsedate_to_datetime(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).replace(microsecond=0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def freshness_s(headers: Mapping[str, str], now: datetime) -> int:
    """Seconds for which the answer says that it stays fresh: the longer of max-age (less Age) and Expires; at most 24 h.

    Expires counts from the answer's own Date: a server whose clock is wrong means the same span. No hint gives 0.
    """
    control = headers.get("cache-control", "")
    max_age = _MAX_AGE.search(control) if len(control) <= 16 * _LONGEST else None
    age = _SECONDS.fullmatch(headers.get("age", "").strip())
    fresh = int(max_age[1]) - (int(float(age[0])) if age else 0) if max_age else 0
    expires = http_date(headers.get("expires"))
    if expires:
        fresh = max(fresh, _seconds(expires - _date(headers, now)))
    return min(max(fresh, 0), HINT_CAP_S)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """Seconds that Retry-After asks for, from 0 to 7 days; None when there is no such header or it cannot be read.

    A date counts from the answer's own Date.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(int(float(text) + 0.999), RETRY_CAP_S)
    until = http_date(text)
    return min(max(_seconds(until - _date(headers, now)), 0), RETRY_CAP_S) if until else None


def validator(headers: Mapping[str, str], name: str) -> str | None:
    """The validator of that name as it must be sent back, byte for byte; None when there is none that can be sent."""
    value = headers.get(name, "")
    return value if len(value) <= 4 * _LONGEST and _SENDABLE.fullmatch(value) else None


def _date(headers: Mapping[str, str], now: datetime) -> datetime:
    return http_date(headers.get("date")) or now


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
