"""Words and names of a text in one alphabet, so that they meet across languages and scripts.

Everything is transliterated to the letters a-z (anyascii), so that case, accents and alphabets do not matter. Two forms
tame inflection and spelling: the stem (first letters) and the skeleton (consonants by the place they are spoken at).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from anyascii import anyascii

__all__ = ["UNSPACED", "Word", "fold", "name_stems", "skeleton", "words_of"]

# Scripts written without spaces between words, and Hangul, whose particles hang on the noun: names are sought inside a run.
UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f]+"
)
# Combining vowel signs belong to words of Indic, Arabic and Hebrew writing.
_WORD: Final = re.compile(
    "(?:[^\\W\\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0983"
    "\u09bc-\u09cd\u0a01-\u0a4d\u0a81-\u0acd\u0b01-\u0b4d\u0b82-\u0bcd\u0c00-\u0c4d\u0c81-\u0ccd\u0d00-\u0d4d"
    "\u0d82-\u0ddf\u200c\u200d])+"
)
_NOT_LETTER: Final = re.compile("[^a-z]+")
STEM: Final = 5


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written, and folded to a-z. `named`: may be a name, for it is capitalised or its script has no case."""

    text: str
    folded: str
    named: bool
    cased: bool


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """`text` in the letters a-z alone: "Rīga" and "Рига" are "riga"."""
    return _NOT_LETTER.sub("", (text if text.isascii() else anyascii(text)).lower())


def words_of(text: str) -> list[Word]:
    """The words of `text` in order; a run of an unspaced script is one word. An apostrophe ends a word (Ankara'dan)."""
    words = []
    for match in _WORD.finditer(text):
        word = match.group()
        folded = fold(word)
        if folded:
            first = word[0]
            words.append(Word(word, folded, not first.islower(), first.isupper()))
    return words


def name_stems(words: list[Word]) -> set[str]:
    """The first five letters of words that may be names; of an unspaced run, each two characters of it."""
    stems: set[str] = set()
    for word in words:
        if not word.named:
            continue
        if UNSPACED.match(word.text):
            stems.update(word.text[i : i + 2] for i in range(len(word.text) - 1))
        elif len(word.folded) > 1:
            stems.add(word.folded[:STEM])
    return stems


# Consonants that one alphabet tells apart and another writes alike share a class; vowels, h, w, y and j fall out.
_CLASSES: Final = str.maketrans({
    "b": "p", "f": "p", "v": "p", "d": "t", "g": "k", "q": "k", "c": "k", "x": "k", "z": "s",
    "a": None, "e": None, "i": None, "o": None, "u": None, "y": None, "h": None, "w": None, "j": None,
})  # fmt: skip
_SIBILANT: Final = re.compile("tsch|sch|shch|szcz|tsh|tch|dzh|zh|sh|ch|sz|cz|ts|tz|dz|dj|j(?=[aeiou])|c(?=[eiy])")
_TWICE: Final = re.compile(r"(.)\1+")


@lru_cache(maxsize=65536)
def skeleton(folded: str) -> str:
    """What is left of a folded word across spellings: "ploiesti" and "ploesht" are both "plst", "gdansk" "ktnsk"."""
    text = _SIBILANT.sub("s", folded.replace("kh", "k").replace("gh", "k").replace("ph", "p").replace("th", "t"))
    return _TWICE.sub(r"\1", text.translate(_CLASSES))
