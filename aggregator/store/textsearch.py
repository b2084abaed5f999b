"""Full-text search over every script: what goes into the indexes beside the texts, and how a query is put to them.

SQLite's unicode61 tokenizer takes a run of Chinese, Japanese or Thai for one word. So such runs (and Korean, whose
particles stick to words) are indexed as overlapping pairs of characters too: a phrase of pairs is a search for the
substring. See M. Liu, "CJK bigram indexing", as in Lucene's CJKBigramFilter.
"""

import re
import unicodedata

__all__ = ["excerpt", "extra_terms", "fold", "match_query", "unspaced"]

_RUN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)


_MARKS = re.compile(  # in NFD
    "(?<=[\u0370-\u03ff\u0400-\u052f])[\u0300\u0301\u0308\u0313\u0314\u0342\u0345]+"
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0655\u0670]+"
)
_MAY_FOLD = re.compile("[\u0370-\u052f\u0591-\u05c7\u0622-\u0655\u0670\u1f00-\u1fff]")
_BEFORE, _AFTER = 16, 48  # characters of an excerpt around what was found


def unspaced(text: str) -> bool:
    """Whether the text holds a script that is written without spaces, or Korean."""
    return _RUN.search(text) is not None


def fold(text: str) -> str:
    """The text without the marks that people leave out when they type: Greek and Cyrillic accents, Arabic and Hebrew vowels.

    Latin letters keep theirs: the tokenizer folds those itself. й and ў stay letters of their own.
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))


def extra_terms(*texts: str) -> str:
    """What is indexed beside the texts, so that more ways to type a word find it.

    The overlapping pairs of characters of all runs without spaces (a lone character as it is), and words without marks.
    """
    found = [_pairs(run) for text in texts for run in _RUN.findall(text)]
    for text in texts:
        if not _MAY_FOLD.search(text):
            continue
        found += {folded: None for word in text.split() if (folded := fold(word)) != word}
    return " | ".join(found)


def _pairs(run: str) -> str:
    return " ".join(run[n : n + 2] for n in range(len(run) - 1)) or run


def match_query(words: str) -> str:
    """A person's words as an FTS5 query: all must occur; "quoted" ones in that order; a trailing * finds beginnings.

    No input is a syntax error. Returns "" when there is nothing to look for.
    """
    terms: list[str] = []
    for match in re.finditer(r"\"([^\"]*)\"|(\S+)", unicodedata.normalize("NFC", words.replace("\0", " "))):
        text = (match[1] if match[1] is not None else match[2]).replace('"', " ")
        star = match[2] is not None and text.endswith("*")
        rest = _RUN.sub(" ", text)
        terms += [_run_term(run) for run in _RUN.findall(text)]
        if any(unicodedata.category(char)[0] in "LNM" for char in rest):
            spelled = dict.fromkeys((rest.strip().rstrip("*"), fold(rest.strip().rstrip("*"))))
            either = " OR ".join(f'"{word}"{"*" if star else ""}' for word in spelled)
            terms.append(f"({either})" if len(spelled) > 1 else either)
    return " AND ".join(terms)


def excerpt(words: str, *texts: str, marks: tuple[str, str] = ("[", "]")) -> str:
    """The place in the texts where one of `words` stands, between `marks`; "" when none is found.

    For what FTS5's own snippets cannot show: what is found by `extra_terms`, of which no text is kept.
    """
    typed = unicodedata.normalize("NFC", words)
    for sought in (*_RUN.findall(typed), *(fold(word).casefold() for word in typed.split())):
        for text in texts:
            bare = text if sought in text else fold(text).casefold()
            at = bare.find(sought) if len(bare) == len(text) else -1
            if sought and at >= 0:
                start, end = max(0, at - _BEFORE), at + len(sought) + _AFTER
                piece = (
                    f"{text[start:at]}{marks[0]}{text[at : at + len(sought)]}{marks[1]}{text[at + len(sought) : end]}"
                )
                return f"{'…' if start else ''}{piece}{'…' if end < len(text) else ''}".replace("\n", " ")
    return ""


def _run_term(run: str) -> str:
    return f'pairs : "{_pairs(run)}"{"*" if len(run) == 1 else ""}'
