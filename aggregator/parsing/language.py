"""Which language an item is in: the feed's word, the writing, and two recognisers.

eldc (60 languages, half a microsecond) decides; py3langid (139 languages) is asked when eldc is unsure or the declared
language is none of eldc's. What the feed declares holds unless the text clearly speaks against it, since most wrong
labels of short titles come from the recognisers.
"""

import re
from functools import lru_cache
from typing import Any, Final

import eldc
from babel import Locale
from py3langid.langid import MODEL_FILE, LanguageIdentifier

__all__ = ["detect", "primary"]

_LETTERS: Final = re.compile(r"[^\W\d_]")
_NOISE: Final = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|\d+")
_ENOUGH: Final = 20  # letters (or half as many ideographs) below which only the script can contradict the feed
# Scripts that one language of news uses (nearly) alone. Ranges are inclusive code points.
_SCRIPTS: Final = (
    ("ja", "\u3040\u30ff"),
    ("ko", "\uac00\ud7af"),
    ("th", "\u0e00\u0e7f"),
    ("el", "\u0370\u03ff"),
    ("he", "\u0590\u05ff"),
    ("ka", "\u10a0\u10ff"),
    ("hy", "\u0530\u058f"),
    ("km", "\u1780\u17ff"),
    ("lo", "\u0e80\u0eff"),
    ("my", "\u1000\u109f"),
    ("si", "\u0d80\u0dff"),
    ("ta", "\u0b80\u0bff"),
    ("te", "\u0c00\u0c7f"),
    ("kn", "\u0c80\u0cff"),
    ("ml", "\u0d00\u0d7f"),
    ("gu", "\u0a80\u0aff"),
    ("pa", "\u0a00\u0a7f"),
    ("or", "\u0b00\u0b7f"),
    ("am", "\u1200\u137f"),
    ("bo", "\u0f00\u0fff"),
    ("dv", "\u0780\u07bf"),
)
# Scripts that several share: which of them a text may be in, the first when nothing else decides.
_SHARED: Final = {
    "cyrillic": ("ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "mn", "tg", "tt", "ba", "uz", "bs"),
    "arabic": ("ar", "fa", "ur", "ps", "ku", "ckb", "ug", "sd", "az"),
    "devanagari": ("hi", "mr", "ne", "sa", "kok", "mai", "bho"),
    "bengali": ("bn", "as"),
    "han": ("zh", "yue", "ja"),
}
_SHARED_RANGES: Final = (
    ("cyrillic", re.compile("[\u0400-\u052f]")),
    ("arabic", re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")),
    ("devanagari", re.compile("[\u0900-\u097f]")),
    ("bengali", re.compile("[\u0980-\u09ff]")),
    ("han", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
)
_SINGLE: Final = tuple((code, re.compile(f"[{span[0]}-{span[1]}]")) for code, span in _SCRIPTS)
_LATIN: Final = re.compile("[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
# Letters that decide between neighbours better than any statistics of short texts.
_TELLING: Final = (
    ("cyrillic", "uk", re.compile("[іїєґІЇЄҐ]"), re.compile("[ўЎыЫэЭъЪёЁ]")),
    ("cyrillic", "be", re.compile("[ўЎ]"), re.compile("[щЩъЪиИ]")),
    ("cyrillic", "kk", re.compile("[әғқңұһӘҒҚҢҰҺ]"), re.compile("[їєЇЄ]")),
    ("cyrillic", "sr", re.compile("[ђћЂЋ]"), re.compile("[ыЫэЭ]")),
    ("cyrillic", "mk", re.compile("[ѓќѕЃЌЅ]"), re.compile("[ыЫэЭ]")),
    ("arabic", "ur", re.compile("[ٹڈڑںےۓہ]"), re.compile("[ةى]")),
    ("arabic", "fa", re.compile("[پچژگ]"), re.compile("[ةىٹڈڑے]")),
)
_ALIASES: Final = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi", "mo": "ro", "sh": "sr", "cz": "cs", "gr": "el", "ua": "uk",
                   "jp": "ja", "kr": "ko", "cn": "zh", "dk": "da", "se": "sv", "ee": "et", "by": "be", "rs": "sr", "fil": "tl", "kz": "kk", "us": "en",
                   "yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "als": "sq", "swa": "sw"}  # fmt: skip
_HARDLY, _LIKELY, _SURE, _CERTAIN = 0.35, 0.5, 0.8, 0.999  # probabilities of py3langid's
_CLEARLY: Final = 1.25  # times that eldc's score of its answer must be that of the declared language's
_NEVER_LATIN: Final = frozenset(
    "ru uk be bg mk ky mn tg ba ar fa ur ps ckb ug sd hi mr ne bn as zh yue ja ko th el he ka hy km lo my si ta te kn ml gu pa or am".split()
)
_DOUBTED: Final = frozenset(
    {"ms", "tl", "eu"}
)  # what eldc takes Indonesian, Swahili and other languages of its ignorance for
# Written alike: a recogniser that answers one while the feed says the other is no contradiction.
_ALIKE: Final = tuple(map(frozenset, ({"ms", "id"}, {"hr", "sr", "bs", "sh", "me", "cnr"}, {"no", "nb", "nn", "da"}, {"hi", "mr", "ne"},
                                      {"cs", "sk"}, {"ca", "es"}, {"gl", "pt"}, {"tl", "fil", "ceb"}, {"fa", "tg", "prs"}, {"af", "nl"})))  # fmt: skip


@lru_cache(maxsize=1024)
def primary(tag: str) -> str:
    """The primary subtag of a language tag, lower case, common slips put right (`ua` → `uk`); "" for what is none."""
    found = re.match(r"\s*([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]+)*\s*$", tag[:60])
    code = found[1].lower() if found else ""
    code = _ALIASES.get(code, code)
    return code if code in _codes() else ""


@lru_cache(maxsize=1)
def _codes() -> frozenset[str]:
    """Languages that CLDR has a name for: `us` and `xx` are none."""
    return frozenset(Locale("en").languages)


@lru_cache(maxsize=1)
def _second() -> Any:
    """py3langid with probabilities; 60 MB, loaded (0.8 s) by the first text that needs it."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=1)
def _first() -> Any:
    eldc.init()
    return eldc.instance()


def _script(text: str, letters: int) -> tuple[str, str]:
    """(language, "") for a script of one language, ("", shared script), ("", "latin") or ("", "") when undecided."""
    best, most = ("", ""), letters // 3
    if (count := len(_LATIN.findall(text))) > most:
        best, most = ("", "latin"), count
    for name, pattern in _SHARED_RANGES:
        if (count := len(pattern.findall(text))) > most:
            best, most = ("", name), count
    for code, pattern in _SINGLE:
        count = len(pattern.findall(text))
        # A few kana make a text with many ideographs Japanese.
        if count > most or (code == "ja" and count * 8 >= letters > 0 and best[1] in ("han", "")):
            best, most = (code, ""), max(count, most)
    return best


@lru_cache(maxsize=4096)
def detect(text: str, declared: str = "") -> str:
    """BCP 47 primary tag of `text`, or "" when neither the text nor the feed says. `declared` is a language tag."""
    prior = primary(declared)
    text = _NOISE.sub(" ", text[:600])
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        alone, shared = ("", "latin") if letters else ("", "")
    else:
        letters = len(_LETTERS.findall(text))
        alone, shared = _script(text, letters)
    if not letters:
        return prior
    if alone:
        return prior if (prior, alone) == ("yi", "he") else alone
    if shared in _SHARED:
        return _of_shared(text, letters, shared, prior)
    if shared != "latin" or (letters < _ENOUGH and prior):
        return prior
    return _of_latin(text, letters, prior)


def _of_shared(text: str, letters: int, script: str, prior: str) -> str:
    allowed = _SHARED[script]
    if script == "han":
        return prior if prior in ("zh", "yue") or (prior == "ja" and letters < _ENOUGH // 2) else "zh"
    for name, code, yes, no in _TELLING:
        if name == script and yes.search(text) and not no.search(text):
            if prior in allowed and prior not in ("ru", "uk", "be", "bg", "ar", "fa", "ur", "sr", "mk"):
                break
            if len(yes.findall(text)) * 100 >= letters:
                return code
    found = _first().detect_details(text)
    if found.language == prior or (prior in allowed and (letters < _ENOUGH or not found.reliable)):
        return prior
    if found.language in allowed and found.reliable:
        known = found.scores.get(prior, 0.0) if prior in allowed else 0.0
        own = prior in allowed and prior not in eldc.LANGUAGES  # eldc cannot answer it
        if not own and (not known or found.scores[found.language] > known * 1.3 or prior not in allowed):
            return str(found.language)
    if prior in allowed:
        return prior
    guess, sure = _second().classify(text)
    return str(guess) if guess in allowed and sure > 0.5 else allowed[0]  # noqa: PLR2004


def _of_latin(text: str, letters: int, prior: str) -> str:
    found = _first().detect_details(text)
    answer = primary(found.language) if found.language != "und" else ""
    if prior in _NEVER_LATIN:  # a Russian feed's item in Latin letters is not Russian
        prior = ""
    if answer and (answer == prior or _alike(answer, prior)):
        return prior
    if not prior:
        if found.reliable and letters >= _ENOUGH and answer not in _DOUBTED:
            return answer
        guess, sure = _guess(text)
        return guess if guess and sure > _LIKELY else answer
    if letters < 2 * _ENOUGH:
        return prior
    guess, sure = _guess(text)
    if guess == prior or _alike(guess, prior):
        return prior
    if guess == answer or _alike(guess, answer):  # both recognisers against the feed
        own = found.scores.get(prior, 0.0) if prior in eldc.LANGUAGES else 0.0
        clear = sure > (_SURE if own else _HARDLY) and found.scores[found.language] > _CLEARLY * own
        return (answer if guess in eldc.LANGUAGES else guess) if clear else prior
    # A language that only the second one knows: the first cannot have seen it.
    return guess if guess and guess not in eldc.LANGUAGES and sure > _CERTAIN and letters >= 3 * _ENOUGH else prior


def _guess(text: str) -> tuple[str, float]:
    guess, sure = _second().classify(text)
    return ("" if guess == "zxx" else primary(guess)), float(sure)


def _alike(one: str, two: str) -> bool:
    return any(one in group and two in group for group in _ALIKE)
