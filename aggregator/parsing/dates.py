"""Dates as feeds write them → instants. RFC 822 and ISO 8601 by one pattern each; the rest by rules over CLDR's names.

Libraries: the names of months and days come from Babel (CLDR), zones from the IANA database, the Jalali calendar from
jdatetime, and what no rule of ours takes goes to dateutil, whose answer counts only when it found year, month and day.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Final

import dateutil.parser
import jdatetime
from babel import Locale, UnknownLocaleError
from babel.languages import get_official_languages

from aggregator.parsing.language import primary
from aggregator.parsing.zones import named_offset, zone_of

__all__ = ["parse_date"]

_ENGLISH: Final = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)} | {
    "january": 1, "february": 2, "march": 3, "april": 4, "june": 6, "july": 7, "august": 8, "sept": 9, "september": 9,
    "october": 10, "november": 11, "december": 12,
}  # fmt: skip
# What CLDR does not list: other spellings in use, names of the Levant and the Maghreb, and the Solar Hijri months of Iran
# and Afghanistan (13-24 stand for Farvardin-Esfand).
_MORE: Final = {
    "maijs": 5, "maijā": 5, "мая": 5, "mag": 5, "gen": 1, "genn": 1, "giu": 6, "lug": 7, "ago": 8, "set": 9, "ott": 10, "dic": 12,
    "janv": 1, "fevr": 2, "févr": 2, "fév": 2, "avr": 4, "juil": 7, "déc": 12, "mrt": 3, "mai": 5, "okt": 10, "dez": 12, "mär": 3,
    "jän": 1, "jänner": 1, "maj": 5, "фев": 2, "сен": 9, "сент": 9, "нояб": 11, "ноя": 11, "дек": 12, "янв": 1, "мар": 3, "апр": 4,
    "май": 5, "июн": 6, "июл": 7, "авг": 8, "окт": 10, "кві": 4, "чер": 6, "лип": 7, "сер": 8, "лис": 11, "гру": 12, "бер": 3,
    "лют": 2, "січ": 1, "тра": 5, "жов": 10, "вер": 9,
    "كانون الثاني": 1, "شباط": 2, "آذار": 3, "نيسان": 4, "أيار": 5, "حزيران": 6, "تموز": 7, "آب": 8, "أيلول": 9,
    "تشرين الأول": 10, "تشرين الثاني": 11, "كانون الأول": 12, "جانفي": 1, "فيفري": 2, "أفريل": 4, "ماي": 5, "جوان": 6,
    "جويلية": 7, "أوت": 8, "يناير": 1, "فبراير": 2, "أبريل": 4, "ابريل": 4, "يوليوز": 7, "غشت": 8, "شتنبر": 9, "نونبر": 11, "دجنبر": 12,
    "حمل": 13, "ثور": 14, "جوزا": 15, "سرطان": 16, "اسد": 17, "سنبله": 18, "میزان": 19, "عقرب": 20, "قوس": 21, "جدی": 22, "دلو": 23, "حوت": 24,
} | {name: n for n, name in enumerate("فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند".split(), 13)} | {
    name: n for n, name in enumerate("farvardin ordibehesht khordad tir mordad shahrivar mehr aban azar dey bahman esfand".split(), 13)
}  # fmt: skip
# Halves of the day stand behind the clock, in East Asia before it. Elsewhere the same letters are words ("am 25. Februar").
_PM: Final = re.compile(
    r"\d\s?(?:pm|p\.\s?m\.?|μμ|μ\.\s?μ\.?|مساء|مساءً|م|अपराह्न|ös|بعدازظهر|بعد از ظهر|ب\.ظ\.?)(?!\w)|(?:下午|午後|晚上|오후|저녁)\s?\d"
)
_AM: Final = re.compile(
    r"\d\s?(?:am|a\.\s?m\.?|πμ|π\.\s?μ\.?|صباحا|صباحًا|ص|पूर्वाह्न|öö|قبل از ظهر|ق\.ظ\.?)(?!\w)|(?:上午|午前|凌晨|清晨|오전)\s?\d"
)
_MONTH_FIRST: Final = frozenset({"US", "PH", "FM", "MH", "PW", "GU", "AS", "MP", "PR", "VI"})
_EPOCH: Final = re.compile(r"^\s*(\d{9,10}|\d{12,13})(?:\.\d+)?\s*$")
_RFC822: Final = re.compile(
    r"^\s*(?:[A-Za-z]{2,9}\.?,?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{4}|\d{2})[\s,]+"
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*"
    r"((?:(?:UTC|GMT)\s*)?[+-]\d{1,2}:?(?:\d{2})?|[A-Za-z]{1,5}(?![A-Za-z/])|[A-Z][a-z]+/[A-Za-z_/]+)?\s*(?:\([^()]*\))?\s*$"
)
_ASCTIME: Final = re.compile(
    r"^\s*[A-Za-z]{3,9},?\s+([A-Za-z]{3,9})\s+(\d{1,2})\s+(\d{1,2}:\d{2}(?::\d{2})?)\s+([A-Z]{2,5}|[+-]\d{4})\s+(\d{4})\s*$"
)
_ISO: Final = re.compile(
    r"^\s*(\d{4})-(\d{2})-(\d{2})(?:[Tt\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*"
    r"([Zz]|(?:(?:UTC|GMT)\s*)?[+-]\d{1,2}:?(?:\d{2})?|[A-Za-z]{2,5}|[A-Z][a-z]+/[A-Za-z_/]+)?\s*$"
)
_HALF: Final = frozenset({"am", "pm"})
_RELATIVE: Final = re.compile(r"\b(?:sec(?:ond)?|min(?:ute)?|hour|hr|day|week|month|year)s?\s+ago\b")
# "GMT+0200 (Eastern European Standard Time)", as browsers write
_COMMENT: Final = re.compile(r"(?<=[+-]\d{4})\s*\([^()]*\)\s*$")
_BASIC_ISO: Final = re.compile(
    r"^\s*(\d{4})(\d{2})(\d{2})(?:[Tt]?(\d{2})(\d{2})(\d{2})?)?(?:\.\d+)?\s*([Zz]|[+-]\d{2}:?\d{2})?\s*$"
)
_HAN: Final = re.compile(r"(\d{1,4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号號]?")
_ERAS: Final = (("令和", 2018), ("平成", 1988), ("民國", 1911), ("民国", 1911))
_YEAR_FIRST: Final = re.compile(r"(?<!\d)(\d{4})\s?[-/.]\s?(\d{1,2})\s?[-/.]\s?(\d{1,2})\.?(?!\d)")
_YEAR_LAST: Final = re.compile(r"(?<!\d)(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})\.?(?![\d:])")
_CLOCK: Final = re.compile(r"(?<!\d)(\d{1,2})\s?:\s?(\d{2})(?:\s?:\s?(\d{2})(?:\.\d+)?)?(?!\d)")
_DOT_CLOCK: Final = re.compile(
    r"(?<![\d.])(\d{1,2})\s?(?:[.h時时点點시]|ч\.?)\s?(\d{2})(?:\s?(?:[.m分분]|min)\s?(\d{2})?)?(?!\d)"
)
_DOTTED_HALF: Final = re.compile(  # "08.23.00.000000 am", as Oracle writes
    r"(?<![\d.])(\d{1,2})\.(\d{2})(?:\.(\d{2})(?:\.\d+)?)?\s?(?:am|pm)(?!\w)"
)
_ZONE: Final = re.compile(
    r"(?:\b(?:utc|gmt)\s*)?(?<![\d-])[+-]\d{1,2}:?(?:\d{2})?\s*$|\b(?:utc|gmt)\b|\(?\b([a-zмск]{2,5})\)?\s*$"
)
_DIVIDERS: Final = re.compile(r"[\s\d,،;/()|–—\-·•]+")
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_JALALI: Final = range(1300, 1500)
_BUDDHIST: Final = range(2450, 2650)
_LONGEST: Final = 120  # characters of a date


def parse_date(raw: str, now: datetime, country: str = "", language: str = "", timezone: str = "") -> datetime | None:
    """The instant that `raw` names, in UTC to the second, or None when it cannot be read or lies before 1995.

    A date without a zone is of the outlet's `timezone` (IANA), else of its `country`'s (ISO 3166-1), else UTC. Numeric
    dates are day-first except where the country writes months first; `now` decides between two readings only when one of
    them lies in the future. Dates after `now` come back as they are.
    """
    raw = raw[:_LONGEST]
    try:
        at = _quick(raw, country, timezone) or _slow(raw, now, country, primary(language), timezone)
        at = at and at.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return at if at and 1995 <= at.year <= 2200 else None


def _at(day: date, clock: time, zone: tzinfo | None, country: str, timezone: str) -> datetime:
    return datetime.combine(day, clock, zone or zone_of(timezone, country) or UTC)


def _clock(hour: str, minute: str, second: str | None, half: str = "") -> tuple[time, timedelta]:
    """A time of day; 24:00 is the next day's 0:00, a leap second the one before. `half` is "am", "pm" or ""."""
    h = int(hour)
    if half and 1 <= h <= 12:
        h = h % 12 + (12 if half == "pm" else 0)
    days = timedelta(days=1) if h == 24 else timedelta()
    return time(h % 24 if h == 24 else h, int(minute), min(int(second or 0), 59)), days


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 70 else 1900)


def _quick(raw: str, country: str, timezone: str) -> datetime | None:
    """RFC 822 with any zone name, ISO 8601, epoch numbers, `date`'s own form; None when it is none of them."""
    if found := _ASCTIME.match(raw):
        raw = f"{found[2]} {found[1]} {found[5]} {found[3]} {found[4]}"
    if found := _RFC822.match(raw):
        month = _ENGLISH.get(found[2].lower())
        if month is None:
            return None
        half = (found[7] or "")[:1].lower().replace("a", "am").replace("p", "pm")
        zone = named_offset(found[8], country) if found[8] else None
        if found[8] and zone is None:
            return None
        clock, more = _clock(found[4], found[5], found[6], half)
        year = _year(found[3])
        # No feed is of the year 2569 but one that counts as Thailand does.
        return (
            _at(date(year - 543 if year in _BUDDHIST else year, month, int(found[1])), clock, zone, country, timezone)
            + more
        )
    if found := _ISO.match(raw) or _BASIC_ISO.match(raw):
        if not 1900 < int(found[1]) < 2200:
            return _epoch(raw)
        tail = (found[7] or "").lower()
        half = tail if tail in _HALF else ""
        zone = named_offset(found[7], country) if found[7] and not half else None
        clock, more = _clock(found[4] or "0", found[5] or "0", found[6], half)
        return _at(date(int(found[1]), int(found[2]), int(found[3])), clock, zone, country, timezone) + more
    return _epoch(raw)


def _epoch(raw: str) -> datetime | None:
    found = _EPOCH.match(raw)
    if not found:
        return None
    number = int(found[1])
    return datetime.fromtimestamp(number / 1000 if len(found[1]) > 10 else number, UTC)


def _keys(name: str) -> str:
    return name.casefold().strip(" .·").replace("\u200c", "")


@lru_cache(maxsize=64)
def _months(language: str) -> dict[str, int]:
    """Names of months of one language, folded, CLDR's."""
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return {}
    names: dict[str, int] = {}
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in locale.months[context][width].items():
                key = _keys(name)
                if len(key) > 1 and not any(map(str.isdigit, key)):
                    names.setdefault(key, number)
    return names


@lru_cache(maxsize=512)
def _languages(language: str, country: str) -> tuple[str, ...]:
    """The languages whose names of months to try, the feed's own first; each costs a megabyte once it is asked for."""
    official = (primary(code) for code in get_official_languages(country, regional=True)) if country else ()
    return tuple(code for code in dict.fromkeys((language, *official)) if code and code != "en")


def _month(words: list[str], language: str, country: str) -> tuple[int, str]:
    """Number (13-24: Solar Hijri) and spelling of the first month among `words`, or (0, "")."""
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    keys = [(_keys(word), word) for word in (*pairs, *words)]
    codes = _languages(language, country)
    # "listopad" is October in Zagreb and November in Prague: the feed's language comes before everything else.
    if language == "he":  # "in February" is one word
        keys += [(key[1:], word) for key, word in keys if key.startswith("ב")]
    for names in (*(_months(code) for code in codes[:1]), _ENGLISH, _MORE, *(_months(code) for code in codes[1:])):
        for key, word in keys:
            if number := names.get(key, 0):
                return number, word
    own = _months(codes[0]) if codes else {}
    for key, word in keys:  # inflected or cut: "februārī", "февр", "Septembris"
        if len(key) >= 3:
            near = {n for name, n in own.items() if name.startswith(key) or (len(key) > 4 and key[:5] == name[:5])}
            if len(near) == 1:
                return near.pop(), word
    return 0, ""


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)


def _slow(raw: str, now: datetime, country: str, language: str, timezone: str) -> datetime | None:
    text = _ascii_digits(unicodedata.normalize("NFKC", _UNSEEN.sub("", raw))).casefold().strip().replace("\u2212", "-")
    if not any(map(str.isdigit, text)) or _RELATIVE.search(text):
        return None
    text = _COMMENT.sub("", text)
    again = _quick(text.upper() if text.isascii() else text, country, timezone)
    if again:
        return again
    half = _half(text)
    clock, rest = _taken_clock(text, half)
    rest, zone = _taken_zone(rest, country)
    day = _day(rest, now, country, language)
    if day is None:
        return _by_dateutil(raw, country, timezone)
    if clock is None and (found := _DOT_CLOCK.search(_DIGITS_OF_DAY.sub(" ", rest))):
        clock = _clock(found[1], found[2], found[3], half)
    time_of_day, more = clock or (time(0), timedelta())
    return _at(day, time_of_day, zone, country, timezone) + more


_DIGITS_OF_DAY: Final = re.compile(r"\d{4}\.?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")


def _half(text: str) -> str:
    if _PM.search(text):
        return "pm"
    return "am" if _AM.search(text) else ""


def _taken_clock(text: str, half: str) -> tuple[tuple[time, timedelta] | None, str]:
    """The time of day by colons, and the text without it; a zone's colons come after the clock's."""
    found = _CLOCK.search(text)
    if not found or (
        found.start() and text[found.start() - 1] in "+-" and text[: found.start() - 1].strip()[-1:].isdigit()
    ):
        if dotted := _DOTTED_HALF.search(text):
            return _clock(dotted[1], dotted[2], dotted[3], half), text[: dotted.start()] + " " + text[dotted.end() :]
        if hour := re.search(r"(?<!\d)(\d{1,2})\s?(?:am|pm|a\.m\.|p\.m\.)(?!\w)", text):
            return _clock(hour[1], "0", None, half), text[: hour.start()] + " " + text[hour.end() :]
        return None, text
    return _clock(found[1], found[2], found[3], half), text[: found.start()] + " " + text[found.end() :]


def _taken_zone(text: str, country: str) -> tuple[str, tzinfo | None]:
    text = text.strip()
    for found in _ZONE.finditer(text):
        zone = named_offset(found[0].strip("() "), country)
        if zone and _keys(found[0].strip("() ")) not in _ENGLISH:
            return text[: found.start()] + " " + text[found.end() :], zone
    return text, None


def _day(text: str, now: datetime, country: str, language: str) -> date | None:
    if found := _HAN.search(text):
        year = int(found[1])
        for era, first in _ERAS:
            year = first + year if era in text and year < 200 else year
        return _calendar(_year(str(year)), int(found[2]), int(found[3]), country, language)
    if found := _YEAR_FIRST.search(text):
        return _calendar(int(found[1]), int(found[2]), int(found[3]), country, language)
    if found := _YEAR_LAST.search(text):
        return _numeric(int(found[1]), int(found[3]), _year(found[4]), now, country, language)
    month, word = _month([w for w in _DIVIDERS.split(text) if w], language, country)
    if vietnamese := re.search(r"tháng\s+(\d{1,2})", text):
        month, word = int(vietnamese[1]), vietnamese[0]
    if not month:
        return None
    numbers = re.findall(r"(?<!\d)\d{1,4}(?!\d)", text.replace(word, " ", 1))
    years = [n for n in numbers if len(n) == 4]
    days = [n for n in numbers if len(n) <= 2 and 1 <= int(n) <= 31]
    if not days:
        return None
    if years:
        return _calendar(int(years[0]), month, int(days[0]), country, language)
    short = [n for n in numbers if len(n) == 2 and n != days[0]]
    if short:
        return _calendar(_year(short[-1]), month, int(days[0]), country, language)
    # No year at all: the latest such day that is not in the future.
    day = date(now.year, month, int(days[0]))
    return day if day <= now.date() + timedelta(days=1) else date(now.year - 1, month, int(days[0]))


def _calendar(year: int, month: int, day: int, country: str, language: str) -> date:
    """A date of the Gregorian, Solar Hijri (months 13-24, or years 1300-1499) or Thai solar calendar."""
    if month > 12 or year in _JALALI:
        jalali = jdatetime.date(year, month - 12 if month > 12 else month, day)
        return date.fromordinal(jalali.togregorian().toordinal())
    if year in _BUDDHIST:
        year -= 543
    elif 2050 <= year < 2100 and (language == "th" or country == "TH"):  # "69" stands for 2569
        year -= 43
    return date(year, month, day)


def _numeric(first: int, second: int, year: int, now: datetime, country: str, language: str) -> date:
    """`25/02/2026` and `02/25/2026`: by what is possible, else by the country, unless that is in the future and the other is not."""
    if first > 12:
        return _calendar(year, second, first, country, language)
    if second > 12:
        return _calendar(year, first, second, country, language)
    own = (year, first, second) if country in _MONTH_FIRST else (year, second, first)
    day = _calendar(*own, country, language)
    other = _calendar(own[0], own[2], own[1], country, language)
    soon = now.date() + timedelta(days=1)
    return other if day > soon >= other else day


def _by_dateutil(raw: str, country: str, timezone: str) -> datetime | None:
    """Dateutil's reading, if it is the same whatever day it fills gaps from."""
    answers = []
    for filler in (datetime(2001, 1, 1, tzinfo=UTC), datetime(2004, 3, 30, tzinfo=UTC)):
        try:
            answer = dateutil.parser.parse(
                raw,
                default=filler.replace(tzinfo=None),
                dayfirst=country not in _MONTH_FIRST,
                tzinfos=lambda name, _: named_offset(name or "", country),
            )
        except (ValueError, OverflowError, TypeError, AttributeError):
            return None
        answers.append(answer)
    if answers[0] != answers[1]:
        return None
    at: datetime = answers[0]
    return at if at.tzinfo else at.replace(tzinfo=zone_of(timezone, country) or UTC)
