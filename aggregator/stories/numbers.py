"""Numbers in running text of any language: digits of any script, grouped and decimal forms, as values."""

import re
import unicodedata
from typing import Final

__all__ = ["numbers_in"]

_NUMBER: Final = re.compile(r"\d+(?:[.,'\u2019\u00a0\u202f ]\d+)*")
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,'\u2019\u00a0\u202f ])\d{3})(?:\1\d{3})*(?!\d)")


def numbers_in(text: str) -> list[float]:
    """Values in the order of the text: "14 000", "14.000" and "14,000" are 14000; "1,75" and "1.75" are 1.75."""
    if not text.isascii():
        text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)
    values: list[float] = []
    for match in _NUMBER.finditer(text):
        values.extend(_values(match.group()))
    return values


def _values(run: str) -> list[float]:
    grouped = _GROUPED.fullmatch(run)
    if grouped:
        return [float(re.sub(r"\D", "", run))]
    parts = re.split(r"[\u00a0\u202f ]", run)
    if len(parts) > 1:
        return [value for part in parts for value in _values(part)]
    whole = re.fullmatch(r"(\d+)[.,](\d{1,2})", run)
    if whole:
        return [float(f"{whole[1]}.{whole[2]}")]
    mixed = re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})+)[.,](\d{1,2})", run)
    if mixed:
        return [float(re.sub(r"\D", "", mixed[1]) + "." + mixed[2])]
    return [float(part) for part in re.split(r"\D", run) if part]
