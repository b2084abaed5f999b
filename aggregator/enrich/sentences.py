"""Text → sentences, in any script, by rules: terminators, abbreviations, initials, ordinals. Pure."""

import re
from typing import Final

__all__ = ["is_sentence", "sentences"]

_CLOSING: Final = "\"'»”’“›」』）)\\]"
_SPACED: Final = re.compile(rf"[.!?…‽։܀؟۔।॥።፧၊။។៕᠃᱾]+[{_CLOSING}]*(?=\s|$)")
_UNSPACED: Final = re.compile(rf"[。！？｡]+[{_CLOSING}]*")  # Chinese and Japanese put no space behind a full stop
_INITIAL: Final = re.compile(r"(?:^|[\s(\"'„“«-])[^\W\d_]$")  # "J" of "J. Bērziņš"; also the middle of "p.m."
_DOTTED: Final = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$")  # "U.S", "т.е"
_ORDINAL: Final = re.compile(r"(?:^|[\s(])\d{1,2}$")
# Where a number with a full stop is an ordinal, also before a capital: "am 25. Februar", "3. Senat".
_ORDINALS_BEFORE_CAPITALS: Final = frozenset({"de", "lb"})
_ABBREVIATIONS: Final = frozenset(
    "mr mrs ms dr prof st sr jr gen col lt sgt capt gov sen rep rev hon no vs etc inc ltd co corp dept est approx fig vol jan feb mar apr "
    "jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun plkst milj mljrd tūkst u.c utt piem sk nr lpp g gs a.god dz "
    "t.sk sv kol dir str bzw ca ggf inkl usw vgl z.b d.h sog evtl nr mio mrd dipl ing hl tel bl kl osv m.fl t.ex bl.a f.d dvs ev kr milj "
    "jne nt ns eur tuh mln tūkst val vyr pvz kt šv sr sra srta dña ud uds ee.uu av avda m mm mme mlle me pr etc env cf p pp art "
    "sig dott ing on avv sigg geom ecc tzv tzn atd apod např r č tj mj resp śp ul pl ok tys zł godz r.ż im np tzn gen płk kpt św ks "
    "г гг ул им стр рис см тыс млн млрд руб долл коп обл др проф акад д кв корп пр т.е т.д т.п н.э вул грн тис ін р рр п св ст "
    "kb ill stb pl dr ifj özv u.n özl dn dna d-l str jud nr lei κ κα δρ κ.ά π.χ τηλ dr sn no vb bkz tl δισ εκατ χιλ".split()
)
_LONGEST: Final = 40_000  # characters that are looked at


def sentences(text: str, language: str = "", most: int = 40) -> list[str]:
    """The first `most` sentences of `text`, in order; an empty line always ends one.

    `language` is a BCP 47 primary tag. What has no terminator (Thai, headlines) is one sentence a paragraph.
    """
    found: list[str] = []
    for paragraph in text[:_LONGEST].split("\n\n"):
        for sentence in _split(" ".join(paragraph.split()), language):
            found.append(sentence)
            if len(found) == most:
                return found
    return found


def is_sentence(text: str) -> bool:
    """Whether `text` ends as sentences end, and is no cut-off ("…") or teaser (":")."""
    end = text.rstrip(" \"'»”’“›」』）)")
    return bool(end) and end[-1] in ".!?։؟۔।॥።။។。！？｡" and not end.endswith("...")


def _split(text: str, language: str) -> list[str]:
    ends = {found.end() for found in _UNSPACED.finditer(text)}
    ends |= {found.end() for found in _SPACED.finditer(text) if _ends_here(text, found, language)}
    pieces, start = [], 0
    for end in (*sorted(ends), len(text)):
        piece = text[start:end].strip()
        if piece:
            pieces.append(piece)
        start = end
    return pieces


def _ends_here(text: str, found: re.Match[str], language: str) -> bool:
    """Whether a terminator ends a sentence rather than an abbreviation, an initial or an ordinal."""
    mark = found.group()
    before, after = (
        text[max(0, found.start() - 24) : found.start()],
        text[found.end() : found.end() + 8].lstrip("„“«»\"'‘’([¿¡—–- "),
    )
    if after and after[0].islower():
        return False  # "25. februārī", "said „no!“ and left"
    if mark[0] != "." or mark.startswith(".."):
        return True
    word = before.rsplit(" ", 1)[-1].lstrip("(\"'„“«").casefold()
    if word in _ABBREVIATIONS or _INITIAL.search(before) or _DOTTED.search(before):
        return not after
    ordinal = _ORDINAL.search(before) and (language in _ORDINALS_BEFORE_CAPITALS or (after and after[0].isdigit()))
    return not (ordinal and after)
