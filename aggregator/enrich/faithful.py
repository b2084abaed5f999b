"""Does a text that a model made say what the article says? Cheap and local: numbers, names, language, length, no markup. Pure.

It catches what is made up, not what is told wrongly: each check has a known rate of false alarms (benchmarks/enrich,
docs/enrich.md). What does not pass is not shown.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError

from aggregator.enrich.base import Article, Texts
from aggregator.enrich.sentences import sentences
from aggregator.enrich.words import folded, numbers, words

__all__ = ["Detect", "names", "problems", "strange_names", "strange_numbers"]

Detect = Callable[[str, str], str]  # (text, language that it should be) → language tag, "" when undecided

_TITLE_CHARS: Final = 250
_SUMMARY_CHARS: Final = 500
_SUMMARY_SENTENCES: Final = 2
_BODY_PARAGRAPHS: Final = 6
_LONGER: Final = 2.2  # times the source, in bytes of UTF-8 (a Chinese text is short in characters)
_LONGER_CHARS: Final = 240
_TELLS: Final = 200  # characters of a body from which something of it must be told
_DETECTED: Final = 40  # letters from which the language of a text can be told
_STRANGE: Final = 0.5  # share of names not in the source from which a text is refused …
_STRANGE_LEAST: Final = 3  # … when there are at least so many of them
_HOURS: Final = 12
_MARKUP: Final = re.compile(
    r"</?[a-zA-Z][^<>]{0,200}>|```|\*\*|^#{1,6}\s|^\s*[*-]\s+\S|\[[^\]]{1,200}\]\(|&(?:#\d+|[a-z]{2,8});|^\s*[{\[]\s*\"|\\[nu]",
    re.MULTILINE,
)
_ADDRESS: Final = re.compile(r"https?://\S+|www\.\S+|\b[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)
_TALK: Final = re.compile(
    r"^(?:here(?:'s| is| are)\b.{0,40}(?:translation|summary|title)|sure[,!]|certainly[,!]|as an ai\b|i(?:'m| am) (?:sorry|unable)|i cannot\b|"
    r"note:|translation:|title:|summary:|translated (?:title|text))|\b(?:the article says nothing|no (?:article|text) (?:was )?provided|json object)\b",
    re.IGNORECASE,
)
_NO_NAMES: Final = frozenset({"de", "lb"})  # every noun has a capital
_VOWELS: Final = str.maketrans("", "", "aeiouyjhw'`’")
_ALIKE: Final = (("tsch", "c"), ("dzh", "z"), ("sch", "s"), ("sh", "s"), ("ch", "k"), ("zh", "z"), ("dz", "z"), ("dj", "z"), ("ts", "s"), ("tz", "s"),
                 ("ph", "f"), ("th", "t"), ("ck", "k"), ("x", "ks"), ("q", "k"), ("c", "k"), ("z", "s"), ("v", "f"), ("w", "f"), ("g", "k"), ("d", "t"), ("b", "p"))  # fmt: skip


def problems(source: Article, made: Texts, language: str, detect: Detect) -> list[str]:
    """Why `made` is not to be shown as `source` in `language`, each in a few words; empty when nothing speaks against it."""
    if not made.title:
        return ["no title"]
    text = "\n\n".join(part for part in (made.title, made.summary, made.body) if part)
    return [
        *_lengths(source, made),
        *_form(source, made, text),
        *_language(text, language, detect),
        *_content(source, text, language),
    ]


def _form(source: Article, made: Texts, text: str) -> list[str]:
    found = []
    if _MARKUP.search(text):
        found.append("markup")
    if any(_TALK.search(part) for part in (made.title, made.summary, made.body)):
        found.append("talks about itself")
    own = set(_ADDRESS.findall(source.all()))
    if any(address not in own for address in _ADDRESS.findall(text)):
        found.append("an address that the article does not have")
    return found


def _language(text: str, language: str, detect: Detect) -> list[str]:
    if sum(map(str.isalpha, text)) < _DETECTED:
        return []
    spoken, wanted = detect(text, language).partition("-")[0], language.partition("-")[0]
    return [f"language {spoken} instead of {wanted}"] if spoken and spoken != wanted else []


def _content(source: Article, text: str, language: str) -> list[str]:
    found = []
    strange = strange_numbers(source, text)
    if strange:
        found.append("numbers not in the article: " + ", ".join(sorted(strange)[:4]))
    wrong, all_names = strange_names(source, text, language)
    if len(wrong) >= _STRANGE_LEAST and len(wrong) > _STRANGE * all_names:
        found.append("names not in the article: " + ", ".join(wrong[:4]))
    if _lost(source, text):
        found.append("nothing of the title's numbers and names is left")
    return found


def strange_numbers(source: Article, text: str) -> set[str]:
    """Numbers of `text` that the source does not have, however both write them.

    Times of day may be told by 12 or by 24 hours, and years by their last two digits.
    """
    known = _variants(source.all())
    return {n for n in numbers(text) if n.lstrip("0") not in known and not _by_parts(n, text, known)}


@lru_cache(maxsize=64)
def _variants(text: str) -> frozenset[str]:
    """The numbers of a text, the parts of divided ones, and their other ways of writing; without zeros before."""
    plain_digits = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)
    parts = re.findall(r"\d+", plain_digits)
    found = {*numbers(text), *parts}
    for part in parts:
        if len(part) <= 2:  # noqa: PLR2004 - an hour, or a year's end
            found |= {
                f"{(int(part) + _HOURS) % (2 * _HOURS)}",
                f"{part}00",
                f"{(int(part) + _HOURS) % (2 * _HOURS)}00",
                f"19{part}",
                f"20{part}",
            }
        elif len(part) == 4 and part[:2] in ("19", "20"):  # noqa: PLR2004 - a year
            found.add(part[2:])
    for hour, minute in re.findall(r"(?<!\d)(\d{1,2})[.:h](\d{2})(?!\d)", plain_digits):
        found.add(f"{(int(hour) + _HOURS) % (2 * _HOURS)}{minute}")
    return frozenset(number.lstrip("0") for number in found)


def _by_parts(number: str, text: str, known: frozenset[str]) -> bool:
    """Whether each run of digits of a divided number is in the source: dates and times in another order or notation."""
    for match in re.finditer(r"\d+(?:[.,:/h]\d+)+", text):
        if re.sub(r"\D", "", match[0]) == number:
            return all(part.lstrip("0") in known for part in re.findall(r"\d+", match[0]))
    return False


def names(text: str) -> list[str]:
    """Words of three letters or more with a capital that do not begin a sentence, once each."""
    found: dict[str, None] = {}
    for sentence in sentences(text, "", 60):
        for word in words(sentence)[1:]:
            if len(word) > 2 and word[0].isupper() and not word[0].isdigit():  # noqa: PLR2004 - "He", "Il"
                found[word] = None
    return list(found)


def strange_names(source: Article, text: str, language: str) -> tuple[list[str], int]:
    """Names of `text` that the source does not seem to have, and how many names there are in all.

    Names of countries, languages, months and days are left out: they differ from language to language. Where writing
    tells no names (Chinese, Arabic, Hindi … on either side; German nouns) there are none.
    """
    if language.partition("-")[0] in _NO_NAMES or not _alphabetic(source.all()):
        return [], 0
    common = _common(language)
    told = [
        name
        for name in names(text)
        if not any(part in common for part in folded(name).split("-")) and folded(name)[:5] not in common
    ]
    wanted = _keys(words(source.all()))
    return [name for name in told if not _occurs(name, wanted)], len(told)


def _keys(source: Iterable[str]) -> frozenset[tuple[str, str]]:
    return frozenset((folded(word), _skeleton(word)) for word in source if len(word) > 1)


def _occurs(name: str, wanted: frozenset[tuple[str, str]]) -> bool:
    """Whether a word of the source begins alike, or has like consonants in a like order (Džonsons, Johnson)."""
    for part in re.split(r"[-'’]", name):
        plain, bones = folded(part), _skeleton(part)
        for word, skeleton in wanted:
            if plain[:4] == word[:4] or (len(bones) > 1 and bones[:3] == skeleton[:3] and plain[:1] == word[:1]):
                return True
            if len(bones) > 2 and len(skeleton) > 2 and SequenceMatcher(None, bones, skeleton).ratio() >= 0.8:  # noqa: PLR2004 - shorter are alike by chance
                return True
    return False


@lru_cache(maxsize=8192)
def _skeleton(word: str) -> str:
    """Its consonants, those that transliterations exchange as one, none twice in a row."""
    text = folded(word)
    for spelling, sound in _ALIKE:
        text = text.replace(spelling, sound)
    text = text.translate(_VOWELS)
    return re.sub(r"(.)\1+", r"\1", text)


@lru_cache(maxsize=64)
def _common(language: str) -> frozenset[str]:
    """Folded words, and their first five letters, of countries, languages, months and days in `language` (Unicode CLDR)."""
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return frozenset()
    named = [*locale.territories.values(), *locale.languages.values(), *locale.currencies.values()]
    for kind in (locale.months, locale.days):
        named += [name for context in kind.values() for width in context.values() for name in width.values()]
    found = {folded(word) for name in named for word in words(str(name)) if len(word) > 2}  # noqa: PLR2004 - "of", "et"
    return frozenset(found | {word[:5] for word in found if len(word) > 5})  # noqa: PLR2004 - endings of inflected languages


def _alphabetic(text: str) -> bool:
    """Whether `text` is in a writing that has capitals."""
    letters = [c for c in text[:2000] if c.isalpha()]
    return 2 * sum(c.lower() != c.upper() for c in letters) > len(letters)


def _lost(source: Article, text: str) -> bool:
    """Whether the source's title has numbers of two digits or names, and not one of them is in `text`."""
    wanted = {n for n in numbers(source.title) if len(n) > 1}
    told = numbers(text)
    if wanted & told:
        return False
    if not _alphabetic(source.title) or source.language in _NO_NAMES:
        return bool(wanted) and len(wanted) > 1
    proper = [name for name in names(source.all()[:1500]) if name in source.title]
    if len(proper) + len(wanted) < 3:  # noqa: PLR2004 - one name may well be written otherwise
        return False
    keys = _keys(words(text))
    return not any(_occurs(name, keys) for name in proper)


def _lengths(source: Article, made: Texts) -> list[str]:
    found = []
    size = len(source.all().encode())
    if not source.has_text and (made.summary or made.body):
        found.append("a summary of nothing but a title")
    if len(source.body) >= _TELLS and not made.body:
        found.append("no paragraphs")
    if len(made.title) > _TITLE_CHARS or len(made.title.encode()) > 3 * len(source.title.encode()) + _LONGER_CHARS / 2:
        found.append(f"a title of {len(made.title)} characters")
    if len(made.summary) > _SUMMARY_CHARS or len(sentences(made.summary)) > _SUMMARY_SENTENCES:
        found.append(f"a summary of {len(made.summary)} characters")
    if len(made.body.encode()) > _LONGER * size + _LONGER_CHARS:
        found.append("a body longer than the article")
    if len([p for p in made.body.split("\n\n") if p]) > _BODY_PARAGRAPHS:
        found.append("too many paragraphs")
    return found
