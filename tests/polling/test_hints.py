from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.polling.hints import freshness_s, http_date, retry_after_s, validator

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
DAY = 86_400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache-control": "max-age=1800"}, 1800),
        ({"cache-control": "public, Max-Age = 1800, must-revalidate"}, 1800),
        ({"cache-control": 'max-age="1800"'}, 1800),
        ({"cache-control": "s-maxage=1800"}, 0),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "max-age=1800", "age": "600"}, 1200),
        ({"cache-control": "max-age=1800", "age": "x"}, 1800),
        ({"cache-control": "max-age=9999999999"}, DAY),
        ({"cache-control": "max-age=" + "9" * 5000}, 0),
        ({"expires": "Wed, 25 Feb 2026 07:23:00 GMT"}, 3600),
        ({"expires": "Wed, 25 Feb 2026 07:23:00 GMT", "date": "Wed, 25 Feb 2026 07:03:00 GMT"}, 1200),
        ({"expires": "Wednesday, 25-Feb-26 07:23:00 GMT"}, 3600),
        ({"expires": "Wed Feb 25 07:23:00 2026"}, 3600),
        ({"expires": "0"}, 0),
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"expires": "Fri, 31 Dec 9999 23:59:59 GMT"}, DAY),
        ({"cache-control": "max-age=60", "expires": "Wed, 25 Feb 2026 07:23:00 GMT"}, 3600),
        ({"cache-control": "max-age=7200", "expires": "Wed, 25 Feb 2026 07:23:00 GMT"}, 7200),
    ],
)
def test_rule_04_how_long_an_answer_stays_fresh(headers, seconds):
    """Rule 4: the later of max-age (less Age) and Expires (counted from Date), at most 24 h; nonsense asks for nothing."""
    assert freshness_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 120 "}, 120),
        ({"retry-after": "1.5"}, 2),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "99999999"}, 7 * DAY),
        ({"retry-after": "Wed, 25 Feb 2026 07:23:00 GMT"}, 3600),
        ({"retry-after": "Wed, 25 Feb 2026 07:23:00 GMT", "date": "Wed, 25 Feb 2026 05:23:00 GMT"}, 7200),
        ({"retry-after": "Wed, 25 Feb 2026 05:23:00 GMT"}, 0),
        ({"retry-after": "Wed, 25 Feb 2099 05:23:00 GMT"}, 7 * DAY),
    ],
)
def test_rule_05_when_to_come_back(headers, seconds):
    """Rule 5: Retry-After in seconds, or as a date that counts from the answer's own Date; at most 7 days."""
    assert retry_after_s(headers, NOW) == seconds


@given(
    st.dictionaries(st.sampled_from(["cache-control", "expires", "age", "date", "retry-after"]), st.text(max_size=60))
)
def test_no_header_breaks_the_hints(headers):
    """Whatever a server writes, hints are within their caps."""
    assert 0 <= freshness_s(headers, NOW) <= DAY
    assert 0 <= (retry_after_s(headers, NOW) or 0) <= 7 * DAY


@given(st.integers(0, 4_000_000_000))
def test_dates_are_read_as_they_are_written(seconds):
    """The forms of an HTTP-date mean the same instant."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert http_date(at.strftime("%a, %d %b %Y %H:%M:%S GMT")) == at
    assert http_date(at.strftime("%a %b %e %H:%M:%S %Y")) == at
    assert http_date((at + timedelta(hours=2)).strftime("%a, %d %b %Y %H:%M:%S +0200")) == at


@pytest.mark.parametrize("value", ['W/"x"', "bare", '"\xe4\xff"', '"a\tb"', "x" * 1024])
def test_rule_01_validators_are_kept_as_they_are(value):
    """Rule 1: what can be sent back is kept byte for byte."""
    assert validator({"etag": value}, "etag") == value


@pytest.mark.parametrize("value", ["", "a\nb", "\x00", "x" * 1025, "\u0100", " a"])
def test_validators_that_cannot_be_sent_are_not_kept(value):
    """A validator that would break the next request is none."""
    assert validator({"etag": value}, "etag") is None
