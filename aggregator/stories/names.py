"""Words and names of a text in one alphabet, so that they meet across languages and scripts.

Everything is transliterated to the letters a-z (anyascii), so that case, accents and alphabets do not matter. Two forms
tame inflection and spelling: the stem (first letters) and the skeleton (consonants by the place they are spoken at).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from anyascii import anyascii

__all__ = ["UNSPACED", "Word", "fold", "name_key", "name_stems", "skeleton", "words_of"]

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
CACHED: Final = 30_000  # words seen lately: most come again


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written, and folded to a-z. `named`: may be a name, for it is capitalised or its script has no case."""

    text: str
    folded: str
    named: bool


@lru_cache(maxsize=CACHED)
def fold(text: str) -> str:
    """`text` in the letters a-z alone: "Rīga" and "Рига" are "riga"."""
    return _NOT_LETTER.sub("", (text if text.isascii() else anyascii(text)).lower())


# Arabic and Hebrew writing leaves vowels out, and transliteration drops more: names in them are compared as written.
_ABJAD: Final = re.compile("[\u05d0-\u05ea\u0620-\u06d3\u06fa-\u06ff]")
_ABJAD_FORMS: Final = str.maketrans(
    "\u0623\u0625\u0622\u0671\u0629\u0649\u06cc\u0626\u06a9\u06c1\u06be\u05dd\u05df\u05e3\u05e5\u05da",
    "\u0627\u0627\u0627\u0627\u0647\u064a\u064a\u064a\u0643\u0647\u0647\u05de\u05e0\u05e4\u05e6\u05db",
)
_ARTICLE: Final = "\u0627\u0644"


@lru_cache(maxsize=CACHED)
def name_key(text: str) -> str:
    """The form under which a name is looked up: folded; in Arabic and Hebrew script letters of one kind, no article."""
    if not _ABJAD.search(text):
        return fold(text)
    key = "".join(_ABJAD.findall(text)).translate(_ABJAD_FORMS)
    return key[2:] if key.startswith(_ARTICLE) and len(key) > 4 else key  # noqa: PLR2004 - a word is left


def words_of(text: str) -> list[Word]:
    """The words of `text` in order; a run of an unspaced script is one word. An apostrophe ends a word (Ankara'dan)."""
    words = []
    for match in _WORD.finditer(text):
        word = match.group()
        folded = fold(word)
        if folded:
            first = word[0]
            # Unicode calls Georgian letters lower case, but the writing has no capitals in use.
            words.append(Word(word, folded, not first.islower() or "\u10d0" <= first <= "\u10ff"))
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
_SIBILANT: Final = re.compile("tsch|sch|shch|szcz|tsh|tch|dzh|zh|sh|ch|sz|cz|ts|tz|dz|dj|j(?=[aeiou])|c(?=[eiy]|$)")
_TWICE: Final = re.compile(r"(.)\1+")


@lru_cache(maxsize=CACHED)
def skeleton(folded: str) -> str:
    """What is left of a folded word across spellings: "ploiesti" and "ploesht" are both "plst", "gdansk" "ktnsk"."""
    text = _SIBILANT.sub("s", folded.replace("kh", "k").replace("gh", "k").replace("ph", "p").replace("th", "t"))
    return _TWICE.sub(r"\1", text.translate(_CLASSES))
