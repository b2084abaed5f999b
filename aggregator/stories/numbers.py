"""Numbers and dates in running text of any language, as values that can be compared.

Digits of any script, grouped and decimal forms, thousands and millions in words, small numbers in words, day and month.
`number_words.json` (made by `benchmarks/stories/make_number_words.py`) holds the words, from Unicode CLDR and num2words.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from aggregator.stories.names import CACHED, UNSPACED, fold

__all__ = ["Figures", "figures_in", "numbers_in", "slots_in"]

_GROUPS: Final = "[.,'\u2019\u00a0\u202f ]"
_NUMBER: Final = re.compile(rf"\d+(?:{_GROUPS}\d+)*")
_GROUPED: Final = re.compile(rf"\d{{1,3}}(?:({_GROUPS})\d{{3}})(?:\1\d{{3}})*")
_TOKEN: Final = re.compile(rf"(?P<clock>\d{{1,2}}:\d{{2}}(?!\d))|(?P<number>{_NUMBER.pattern})|(?P<word>[^\W\d_]+)")
_EAST_ASIAN: Final = re.compile("(\\d{1,2})\\s*[月\uc6d4]\\s*(\\d{1,2})\\s*[日\uc77c号號]")
_DAY_MARK: Final = "\x01"
_INFLECTED: Final = 5  # letters of a weekday's name from which on it is known with another ending …
_ENDING: Final = 3  # … of at most so many letters more
_YEARS: Final = range(1900, 2100)
_MONTH_DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class Figures:
    """What a text counts and dates: values without years, clock times and days of a month; days as (month, day)."""

    values: tuple[float, ...]
    days: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, dict[str, int]]]:
    text = files("aggregator.stories").joinpath("number_words.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[str, int]]] = json.loads(text)
    return table


def figures_in(text: str, language: str) -> Figures:
    """The figures of `text`: "180 tysięcy" is 180000, "sixteen" 16, "25. veebruar" the day (2, 25)."""
    words = _table().get(language, {})
    counted, scales, months = (words.get(part, {}) for part in ("counted", "scales", "months"))
    text = _ascii_digits(text)
    days = [(int(m[1]), int(m[2])) for m in _EAST_ASIAN.finditer(text)]
    text = _EAST_ASIAN.sub(" ", text)
    tokens: list[float | str] = []
    for match in _TOKEN.finditer(text):
        if match["number"]:
            tokens.extend(_values(match["number"]))
        elif match["word"]:
            tokens.append(match["word"] if UNSPACED.match(match["word"]) else fold(match["word"]))
    values: list[float] = []
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else ""
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if isinstance(token, str):
            if token in counted:
                values.append(float(counted[token]))
            continue
        month = next((months[word] for word in (after, before) if isinstance(word, str) and word in months), 0)
        if month and token == int(token) and 1 <= token <= _MONTH_DAYS:
            days.append((month, int(token)))
        elif isinstance(after, str) and (scale := _scale(after, scales)):
            values.append(token * scale)
        elif token not in _YEARS:
            values.append(token)
    return Figures(tuple(values), tuple(days))


def slots_in(text: str, language: str) -> list[str | tuple[str, float]]:
    """The words of `text`, folded, and between them what changes from day to day, as a kind and a value.

    ("#", number, in digits or words), ("day", day of a month; the month is left out) and ("week", day of the week, 0 is Monday).
    """
    words = _table().get(language, {})
    counted, months = words.get("counted", {}), words.get("months", {})
    text = _EAST_ASIAN.sub(lambda m: f" {_DAY_MARK}{m[2]} ", _ascii_digits(text))
    matches = list(_TOKEN.finditer(text))
    folded = [fold(m["word"]) if m["word"] else "" for m in matches]
    slots: list[str | tuple[str, float]] = []
    for at, match in enumerate(matches):
        if match["clock"]:
            slots.append(":")
        elif match["number"]:
            values = _values(match["number"])
            beside = {folded[at - 1] if at else "", folded[at + 1] if at + 1 < len(folded) else ""}
            dated = len(values) == 1 and 1 <= values[0] <= _MONTH_DAYS
            marked = text[match.start() - 1 : match.start()] == _DAY_MARK
            slots += [
                ("day" if dated and (marked or not beside.isdisjoint(months)) else "#", value) for value in values
            ]
        elif (day := _weekday(match["word"], folded[at], folded[at - 1] if at else "", language)) is not None:
            slots.append(("week", float(day)))
        elif folded[at] in counted:
            slots.append(("#", float(counted[folded[at]])))
        elif folded[at] not in months:
            slots.append(folded[at])
    return slots


@lru_cache(maxsize=CACHED)
def _weekday(word: str, folded: str, before: str, language: str) -> int | None:
    """The day of the week that a word names, inflected or not; in Hebrew and Vietnamese its name has two words."""
    names = _table().get(language, {}).get("weekdays", {})
    if UNSPACED.match(word):
        return next((day for name, day in names.items() if name in word), None)
    if folded in names or before + folded in names:
        return names.get(folded, names.get(before + folded))
    return next(
        (
            day
            for name, day in names.items()
            if len(name) >= _INFLECTED and folded.startswith(name[:-1]) and len(folded) <= len(name) + _ENDING
        ),
        None,
    )


def _scale(word: str, scales: dict[str, int]) -> int:
    """The thousand, million … that `word` is, or, in scripts without spaces, begins with; 0 for none."""
    if word in scales:
        return scales[word]
    if word and UNSPACED.match(word):
        return next((scales[word[:n]] for n in (2, 1) if word[:n] in scales), 0)
    return 0


def numbers_in(text: str) -> list[float]:
    """Values of digits in the order of the text: "14 000", "14.000" and "14,000" are 14000; "1,75" and "1.75" are 1.75."""
    return [value for match in _NUMBER.finditer(_ascii_digits(text)) for value in _values(match.group())]


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in text)


def _values(run: str) -> list[float]:
    if _GROUPED.fullmatch(run):
        return [float(re.sub(r"\D", "", run))]
    parts = re.split(r"[\u00a0\u202f ]", run)
    if len(parts) > 1:
        return [value for part in parts for value in _values(part)]
    decimal = re.fullmatch(r"(\d+)[.,](\d{1,2})", run) or re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})+)[.,](\d{1,2})", run)
    if decimal:
        return [float(re.sub(r"\D", "", decimal[1]) + "." + decimal[2])]
    return [float(part) for part in re.split(r"\D", run) if part]
