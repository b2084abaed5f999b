"""Dates as feeds write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.models import iso
from aggregator.parsing.dates import parse_date
from aggregator.parsing.zones import named_offset, zone_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)

ZONES = [  # 25 February 2026, 06:23 by each clock
    ("Wed, 25 Feb 2026 06:23:00 +0200", "", "2026-02-25T04:23:00Z"),
    ("Wed, 25 Feb 2026 06:23 -05:00", "", "2026-02-25T11:23:00Z"),
    ("25 Feb 26 06:23:00 GMT", "", "2026-02-25T06:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 Z", "", "2026-02-25T06:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 UT", "", "2026-02-25T06:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 EET", "LV", "2026-02-25T04:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 EEST", "", "2026-02-25T03:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 CET", "", "2026-02-25T05:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 CEST", "DE", "2026-02-25T04:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 MSK", "", "2026-02-25T03:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 MSD", "", "2026-02-25T02:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 JST", "", "2026-02-24T21:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 KST", "KR", "2026-02-24T21:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 IST", "IN", "2026-02-25T00:53:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 IST", "IL", "2026-02-25T04:23:00Z"),
    ("Wed, 25 Jun 2025 06:23:00 IST", "IE", "2025-06-25T05:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 CST", "CN", "2026-02-24T22:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 CST", "US", "2026-02-25T12:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 EST", "US", "2026-02-25T11:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 AEDT", "AU", "2026-02-24T19:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 WIB", "ID", "2026-02-24T23:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 GMT+3", "", "2026-02-25T03:23:00Z"),
    ("Wed, 25 Feb 2026 06:23:00 +0200 (EET)", "", "2026-02-25T04:23:00Z"),
    ("Wed Feb 25 06:23:00 EST 2026", "", "2026-02-25T11:23:00Z"),
    ("Wed Feb 25 06:23:00 2026", "", "2026-02-25T06:23:00Z"),
    ("2026-02-25T06:23:00Z", "", "2026-02-25T06:23:00Z"),
    ("2026-02-25T06:23:00.5+02:00", "", "2026-02-25T04:23:00Z"),
    ("2026-02-25T06:23+0200", "", "2026-02-25T04:23:00Z"),
    ("2026-02-25 06:23:00", "LV", "2026-02-25T04:23:00Z"),
    ("2026-02-25", "LV", "2026-02-24T22:00:00Z"),
    ("20260225T062300Z", "", "2026-02-25T06:23:00Z"),
    ("2026-02-25T06:23:00 Europe/Riga", "", "2026-02-25T04:23:00Z"),
    ("1772000580", "", "2026-02-25T06:23:00Z"),
    ("1772000580000", "", "2026-02-25T06:23:00Z"),
    ("Wed, 25 Feb 2026 24:00:00 GMT", "", "2026-02-26T00:00:00Z"),
    ("Wed, 25 Feb 2026 06:23:60 GMT", "", "2026-02-25T06:23:59Z"),
    ("25 Feb 2026 06:23 PM MSK", "", "2026-02-25T15:23:00Z"),
    ("02/25/2026 6:23 PM", "US", "2026-02-25T23:23:00Z"),
    ("25.02.2026 06:23", "RU", "2026-02-25T03:23:00Z"),
    ("25/02/2026 06:23", "GB", "2026-02-25T06:23:00Z"),
    ("02/03/2025 06:23", "US", "2025-02-03T11:23:00Z"),
    ("02/03/2025 06:23", "GB", "2025-03-02T06:23:00Z"),
    ("February 25th, 2026", "US", "2026-02-25T05:00:00Z"),
]

LANGUAGES = [
    ("2026. gada 25. februāris, 06:23", "LV", "lv", "2026-02-25T04:23:00Z"),
    ("2026 m. vasario 25 d. 06:23", "LT", "lt", "2026-02-25T04:23:00Z"),
    ("25. veebruar 2026 06:23", "EE", "et", "2026-02-25T04:23:00Z"),
    ("25. helmikuuta 2026 klo 6.23", "FI", "fi", "2026-02-25T04:23:00Z"),
    ("Ср, 25 фев 2026 06:23:00 +0300", "RU", "ru", "2026-02-25T03:23:00Z"),
    ("25 февраля 2026 г. 06:23", "RU", "ru", "2026-02-25T03:23:00Z"),
    ("25 лютого 2026, 06:23", "UA", "uk", "2026-02-25T04:23:00Z"),
    ("25 lutego 2026 06:23", "PL", "pl", "2026-02-25T05:23:00Z"),
    ("Mittwoch, 25. Februar 2026, 06:23 Uhr", "DE", "de", "2026-02-25T05:23:00Z"),
    ("Mittwoch am 25. Februar 2026 um 12:30", "DE", "de", "2026-02-25T11:30:00Z"),
    ("Mi, 25 Mär 2026 06:23:00 +0100", "DE", "de", "2026-03-25T05:23:00Z"),
    ("mercoledì 25 febbraio 2026 - 06:23", "IT", "it", "2026-02-25T05:23:00Z"),
    ("25 de febrero de 2026, 6:23 p. m.", "MX", "es", "2026-02-26T00:23:00Z"),
    ("25 de fevereiro de 2026 às 06h23", "BR", "pt", "2026-02-25T09:23:00Z"),
    ("25 février 2026 à 06h23", "FR", "fr", "2026-02-25T05:23:00Z"),
    ("25 Şubat 2026 Çarşamba 06:23", "TR", "tr", "2026-02-25T03:23:00Z"),
    ("Τετάρτη, 25 Φεβρουαρίου 2026 6:23 μ.μ.", "GR", "el", "2026-02-25T16:23:00Z"),
    ("الأربعاء 25 فبراير 2026 06:23", "EG", "ar", "2026-02-25T04:23:00Z"),
    ("٢٥ شباط ٢٠٢٦ 06:23", "LB", "ar", "2026-02-25T04:23:00Z"),
    ("۶ اسفند ۱۴۰۴ ۰۶:۲۳", "IR", "fa", "2026-02-25T02:53:00Z"),
    ("1404/12/06 06:23", "IR", "fa", "2026-02-25T02:53:00Z"),
    ("6 حوت 1404", "AF", "fa", "2026-02-24T19:30:00Z"),
    ("25 फ़रवरी 2026 06:23", "IN", "hi", "2026-02-25T00:53:00Z"),
    ("2026年2月25日 下午6:23", "CN", "zh", "2026-02-25T10:23:00Z"),
    ("民國115年2月25日", "TW", "zh", "2026-02-24T16:00:00Z"),
    ("2026年02月25日 06時23分", "JP", "ja", "2026-02-24T21:23:00Z"),
    ("令和8年2月25日", "JP", "ja", "2026-02-24T15:00:00Z"),
    ("2026년 2월 25일 오후 6:23", "KR", "ko", "2026-02-25T09:23:00Z"),
    ("25 ก.พ. 2569 06:23", "TH", "th", "2026-02-24T23:23:00Z"),
    ("Thứ Tư, 25 tháng 2 2026 06:23", "VN", "vi", "2026-02-24T23:23:00Z"),
    ("2026. február 25. 06:23", "HU", "hu", "2026-02-25T05:23:00Z"),
    ("25. listopada 2025. 06:23", "HR", "hr", "2025-10-25T04:23:00Z"),
    ("25 listopada 2025 06:23", "PL", "pl", "2025-11-25T05:23:00Z"),
    ("25. února 2026 6:23", "CZ", "cs", "2026-02-25T05:23:00Z"),
    ("25 februari 2026 06:23", "SE", "sv", "2026-02-25T05:23:00Z"),
    ("25 februarie 2026, 06:23", "RO", "ro", "2026-02-25T04:23:00Z"),
    ("25 Februari 2026 06:23 WIB", "ID", "id", "2026-02-24T23:23:00Z"),
]


@pytest.mark.parametrize(("raw", "country", "expected"), ZONES)
def test_standard_forms_and_zones(raw, country, expected):
    """RFC 822, ISO 8601, epoch numbers and their relatives, with every zone name the press uses."""
    found = parse_date(raw, NOW, country)
    assert found is not None
    assert iso(found) == expected


@pytest.mark.parametrize(("raw", "country", "language", "expected"), LANGUAGES)
def test_dates_in_the_languages_of_the_catalogue(raw, country, language, expected):
    """Names of months, digits, calendars and halves of the day of each language."""
    found = parse_date(raw, NOW, country, language)
    assert found is not None
    assert iso(found) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "yesterday",
        "0000-00-00 00:00:00",
        "Thu, 31 Dec 1969 23:59:59 GMT",
        "2026-02-31",
        "32 Feb 2026",
        "Wednesday",
        "25:99",
        "99999999999999999999",
        "2026-13-45T99:99:99Z",
        "12",
        "now()",
    ],
)
def test_what_is_no_date_is_none(raw):
    """No guess is made: an unreadable, impossible or ancient date is None."""
    assert parse_date(raw, NOW, "LV", "lv") is None


def test_without_a_zone_the_outlets_counts():
    """The outlet's own zone comes before its country's; summer time is kept."""
    assert iso(parse_date("2026-07-01 12:00", NOW, "US")) == "2026-07-01T16:00:00Z"
    assert iso(parse_date("2026-07-01 12:00", NOW, "US", "", "America/Los_Angeles")) == "2026-07-01T19:00:00Z"
    assert iso(parse_date("2026-07-01 12:00", NOW)) == "2026-07-01T12:00:00Z"


def test_the_future_decides_between_two_readings():
    """A day-first country's date that would lie in the future is read month-first."""
    assert iso(parse_date("02/11/2026", NOW, "GB")) == "2026-02-11T00:00:00Z"


def test_a_day_without_year_is_the_last_one():
    """In March the 31st of December is last year's."""
    assert iso(parse_date("31 Dec, 10:00", NOW)) == "2025-12-31T10:00:00Z"


@pytest.mark.parametrize("name", ["Nowhere/City", "XYZ", "+9999", "", "../../etc/passwd", "Europe/../Riga"])
def test_unknown_zones_are_none(name):
    """A name that is no zone raises nothing and reads no file outside the zone database."""
    assert named_offset(name, "") is None


def test_zones_of_countries():
    """The only zone of a country, or the one where its press sits."""
    assert str(zone_of("", "LV")) == "Europe/Riga"
    assert str(zone_of("", "RU")) == "Europe/Moscow"
    assert zone_of("", "") is None
    assert str(zone_of("Nowhere/City", "LV")) == "Europe/Riga"


@given(st.datetimes(datetime(1996, 1, 1), datetime(2100, 1, 1)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_every_instant_survives_rfc822_and_iso(at, minutes):
    """Whatever the offset, both standard forms give the instant back."""
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    offset = f"{sign}{size // 60:02}{size % 60:02}"
    wanted = at.replace(microsecond=0, tzinfo=UTC).timestamp() - minutes * 60
    for raw in (
        at.strftime("%a, %d %b %Y %H:%M:%S ") + offset,
        at.strftime("%Y-%m-%dT%H:%M:%S") + offset[:3] + ":" + offset[3:],
    ):
        found = parse_date(raw, NOW)
        assert found is not None
        assert found.timestamp() == wanted


@given(
    st.text(max_size=60), st.sampled_from(["", "LV", "US", "IR", "TH", "XX"]), st.sampled_from(["", "lv", "fa", "zz"])
)
def test_no_text_makes_it_raise(raw, country, language):
    """Any text gives an instant of this era or None."""
    found = parse_date(raw, NOW, country, language)
    assert found is None or 1995 <= found.year <= 2200


@given(
    st.lists(
        st.sampled_from(
            [
                "25",
                "2026",
                "02",
                "06:23",
                "feb",
                "Feb",
                "pm",
                "+0200",
                "-",
                "/",
                ".",
                "年",
                "月",
                "日",
                "MSK",
                "۱۴۰۴",
                "T",
                "Z",
                "februāris",
                ",",
                "13",
                "99",
            ]
        ),
        max_size=9,
    )
)
def test_no_shuffled_date_makes_it_raise(parts):
    """Parts of dates in any order give an instant or None."""
    for joiner in (" ", ""):
        found = parse_date(joiner.join(parts), NOW, "LV", "lv")
        assert found is None or found.tzinfo is not None


@pytest.mark.parametrize(
    ("raw", "country", "language", "expected"),
    [
        ("Wed, 25 Feb 2569 06:23:00 +0700", "TH", "th", "2026-02-24T23:23:00Z"),
        ("25 ก.พ. 69 06:23 น.", "TH", "th", "2026-02-24T23:23:00Z"),
        ("2026-02-25 06:23:00 PM", "GB", "en", "2026-02-25T18:23:00Z"),
        ("2026-02-25 12:05 AM", "GB", "en", "2026-02-25T00:05:00Z"),
        ("Wed Feb 25 2026 08:23:00 GMT+0200 (Eastern European Standard Time)", "LV", "lv", "2026-02-25T06:23:00Z"),
        ("25-Feb-26 08.23.00.000000 PM", "IN", "en", "2026-02-25T14:53:00Z"),
        ("Wed, 25 Feb 2026 06:23:00 \u22120500", "", "", "2026-02-25T11:23:00Z"),
        ("25 בפברואר 2026 08:23", "IL", "he", "2026-02-25T06:23:00Z"),
    ],
)
def test_forms_that_were_once_misread(raw, country, language, expected):
    """Thai years, half days behind ISO dates, what browsers and databases print, a minus sign, a prefixed month."""
    assert iso(parse_date(raw, NOW, country, language)) == expected


@pytest.mark.parametrize("raw", ["10 minutes ago", "2 hours ago", "1 day ago"])
def test_relative_words_are_no_date(raw):
    """The word behind "10 minutes" is no August."""
    assert parse_date(raw, NOW, "LV", "lv") is None
