"""Make aggregator/stories/number_words.json: {language: {folded word: value}}, and names of months and weekdays.

    make_number_words.py

Needs `pip install num2words` (LGPL; only its output for 2-20 and the tens is kept). Thousand, million and so on come
from Unicode CLDR's long compact decimal formats, months and weekdays from its calendars, both through Babel.
"""

import json
import re
from pathlib import Path

from babel import Locale, localedata
from babel.localedata import locale_identifiers
from num2words import CONVERTER_CLASSES, num2words  # type: ignore[import-not-found] # only this script needs it

from aggregator.stories.names import UNSPACED, fold

FILE = Path(__file__).resolve().parents[2] / "aggregator" / "stories" / "number_words.json"
COUNTED = (*range(2, 21), 30, 40, 50, 60, 70, 80, 90, 100)
LANGUAGES = {"kz": "kk"}  # num2words' code: BCP 47


def counted(code: str) -> dict[str, int]:
    words: dict[str, int] = {}
    for value in COUNTED:
        try:
            text = num2words(value, lang=code)
        except (NotImplementedError, KeyError, ValueError, IndexError):
            continue
        key = fold(text)
        if len(key) > 1 and not UNSPACED.search(text):
            words.setdefault(key, value)
    return words


def scales(locale: Locale) -> dict[str, int]:
    words: dict[str, int] = {}
    formats = locale.compact_decimal_formats or {}
    for size, pattern in (
        entry for width in ("long", "short") for plural in formats.get(width, {}).values() for entry in plural.items()
    ):
        if size.isdigit():
            zeros = re.search("0+", str(pattern.pattern))
            text = re.sub("0+|[' ]", "", str(pattern.pattern)).strip()
            key = text if UNSPACED.fullmatch(text) else fold(text)
            if zeros and key and (len(key) > 2 or UNSPACED.fullmatch(text)):
                words.setdefault(key, int(size) // 10 ** (len(zeros.group()) - 1))
    return words


def months(locale: Locale) -> dict[str, int]:
    words: dict[str, int] = {}
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in locale.months[context].get(width, {}).items():
                key = fold(str(name))
                if len(key) > 2 and not UNSPACED.search(str(name)):
                    words[key] = number
    return words


def weekdays(locale: Locale) -> dict[str, int]:
    """0 is Monday. Names in scripts without spaces stay as they are: they are sought inside a run."""
    words: dict[str, int] = {}
    for context in ("format", "stand-alone"):
        for number, name in locale.days[context].get("wide", {}).items():
            text = re.sub("-feira$", "", str(name))  # Portuguese leaves it out as often as not
            key = text if UNSPACED.fullmatch(text) else fold(text)
            if len(key) > 2:
                words[key] = number
    return words


def main() -> None:
    table: dict[str, dict[str, dict[str, int]]] = {}
    for code in CONVERTER_CLASSES:
        if "_" not in code:
            table.setdefault(LANGUAGES.get(code, code), {})["counted"] = counted(code)
    for tag in locale_identifiers():
        if "_" not in tag and len(tag) == 2:
            localedata._cache.clear()  # noqa: SLF001 - Babel 2.18 lets names leak into the locales loaded next
            locale = Locale.parse(tag)
            entry = table.setdefault(tag, {})
            if found := scales(locale):
                entry["scales"] = found
            if names := months(locale):
                entry["months"] = names
            if names := weekdays(locale):
                entry["weekdays"] = names
    FILE.write_text(json.dumps(table, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    print(len(table), "languages,", FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
