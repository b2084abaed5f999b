"""Words and names of a text in one alphabet, so that they meet across languages and scripts."""

import re
from typing import Final

from anyascii import anyascii

__all__ = ["folded_words", "name_stems"]

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
STEM: Final = 5


def folded_words(text: str) -> list[str]:
    """Words in Latin letters, lower case, without accents; those of unspaced scripts run together."""
    return [word for match in _WORD.finditer(text) if (word := re.sub(r"[^a-z]", "", anyascii(match.group()).lower()))]


def name_stems(text: str) -> set[str]:
    """The first five letters, folded, of capitalised words; in scripts without case, of every word."""
    stems: set[str] = set()
    for match in _WORD.finditer(text):
        word = match.group()
        first = word[0]
        if first.islower():
            continue
        folded = re.sub(r"[^a-z]", "", anyascii(word).lower())
        if len(folded) > 1:
            stems.add(folded[:STEM])
    return stems
