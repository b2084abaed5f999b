"""Texts as bags of what they say: folded words and pieces of words, numbers, names. Pure; the only user of anyascii here."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from anyascii import anyascii

__all__ = ["cosine", "folded", "numbers", "pieces", "rarity", "words"]

_WORD: Final = re.compile(r"[^\W_]+(?:['’ʼ-][^\W_]+)*")
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_STEM: Final = 5  # letters: endings of inflected languages fall off
# Digits with what may divide them: 14 000, 14.000, 14,000, 3.40, 12:30, 1'000.
_NUMBER: Final = re.compile(r"\d+(?:[.,:'’\u00a0\u202f ](?=\d{3}(?!\d))\d{3})*(?:[.,:]\d+)*")
_MYRIADS: Final = {"万": 10**4, "萬": 10**4, "만": 10**4, "億": 10**8, "亿": 10**8, "억": 10**8, "兆": 10**12}
_MYRIAD: Final = re.compile(
    rf"(\d+(?:[.,]\d+)?)\s?([{''.join(_MYRIADS)}])\s?(?:(\d+)(?![\d.,]*\s?[{''.join(_MYRIADS)}]))?"
)
_APART: Final = re.compile(r"[.,:'’\s]")


@lru_cache(maxsize=8192)
def folded(word: str) -> str:
    """`word` in lower-case ASCII: Bērziņš, Берзиньш and ベルジンシュ come close to one another."""
    return anyascii(word).lower() if not word.isascii() else word.lower()


def words(text: str) -> list[str]:
    """Words of `text` as they are written; a run of a script without spaces is one."""
    return _WORD.findall(text)


def pieces(text: str) -> Counter[str]:
    """What `text` says, to compare it with others of its language: beginnings of words; pairs of characters where no spaces divide."""
    found: Counter[str] = Counter()
    for run in _UNSPACED.findall(text):
        found.update(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    for word in words(_UNSPACED.sub(" ", text).casefold()):
        found[word[:_STEM]] += 1
    return found


def rarity(bags: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Weight of each piece: the fewer of `bags` hold it, the more it says (smoothed inverse document frequency)."""
    held: Counter[str] = Counter()
    for bag in bags:
        held.update(bag.keys())
    return {piece: math.log((len(bags) + 1) / (count + 0.5)) for piece, count in held.items()}


def cosine(one: Mapping[str, int], other: Mapping[str, int], weight: Mapping[str, float] | None = None) -> float:
    """Likeness of two bags, 0 to 1. Without `weight`, short pieces (mostly function words) count less."""

    def vector(bag: Mapping[str, int]) -> dict[str, float]:
        return {
            p: math.sqrt(n) * (weight.get(p, 0.0) if weight is not None else min(len(p), _STEM) / _STEM)
            for p, n in bag.items()
        }

    a, b = vector(one), vector(other)
    length = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
    return sum(v * b[p] for p, v in a.items() if p in b) / length if length else 0.0


def numbers(text: str) -> set[str]:
    """Numbers of `text` as bare ASCII digits: 14 000, 14.000 and ١٤٠٠٠ are "14000", 3.40 and 3:40 are "340", 3万5000 is "35000"."""
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)
    found = {_APART.sub("", match) for match in _NUMBER.findall(text)}
    for head, unit, rest in _MYRIAD.findall(text):
        found.add(str(round(float(head.replace(",", ".")) * _MYRIADS[unit]) + int(rest or 0)))
    return found


def joined(bags: Iterable[Mapping[str, int]]) -> Counter[str]:
    """All of several bags in one."""
    total: Counter[str] = Counter()
    for bag in bags:
        total.update(bag)
    return total
