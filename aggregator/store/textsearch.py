"""Full-text search over every script: what goes into the indexes beside the texts, and how a query is put to them.

SQLite's unicode61 tokenizer takes a run of Chinese, Japanese or Thai for one word. So such runs (and Korean, whose
particles stick to words) are indexed as overlapping pairs of characters too: a phrase of pairs is a search for the
substring. See M. Liu, "CJK bigram indexing", as in Lucene's CJKBigramFilter.
"""

import re
import unicodedata

__all__ = ["excerpt", "match_query", "pairs", "unspaced"]

_RUN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)


_BEFORE, _AFTER = 16, 48  # characters of an excerpt around what was found


def unspaced(text: str) -> bool:
    """Whether the text holds a script that is written without spaces, or Korean."""
    return _RUN.search(text) is not None


def pairs(*texts: str) -> str:
    """The overlapping pairs of characters of all runs without spaces, divided by spaces; a lone character as it is."""
    return " | ".join(_pairs(run) for text in texts for run in _RUN.findall(text))


def _pairs(run: str) -> str:
    return " ".join(run[n : n + 2] for n in range(len(run) - 1)) or run


def match_query(words: str) -> str:
    """A person's words as an FTS5 query: all must occur; "quoted" ones in that order; a trailing * finds beginnings.

    No input is a syntax error. Returns "" when there is nothing to look for.
    """
    terms: list[str] = []
    for match in re.finditer(r"\"([^\"]*)\"|(\S+)", unicodedata.normalize("NFC", words)):
        text = (match[1] if match[1] is not None else match[2]).replace('"', " ")
        star = match[2] is not None and text.endswith("*")
        rest = _RUN.sub(" ", text)
        terms += [_run_term(run) for run in _RUN.findall(text)]
        if any(unicodedata.category(char)[0] in "LNM" for char in rest):
            terms.append(f'"{rest.strip().rstrip("*")}"{"*" if star else ""}')
    return " AND ".join(terms)


def excerpt(words: str, *texts: str, marks: tuple[str, str] = ("[", "]")) -> str:
    """The place in the texts where a run of `words` without spaces stands, between `marks`; "" when none does.

    FTS5's own snippets cannot show it: it is found by `pairs`, of which no text is kept.
    """
    for run in _RUN.findall(unicodedata.normalize("NFC", words)):
        for text in texts:
            at = text.find(run)
            if at >= 0:
                start, end = max(0, at - _BEFORE), at + len(run) + _AFTER
                piece = text[start:end].replace(run, f"{marks[0]}{run}{marks[1]}").replace("\n", " ")
                return f"{'…' if start else ''}{piece}{'…' if end < len(text) else ''}"
    return ""


def _run_term(run: str) -> str:
    return f'pairs : "{_pairs(run)}"{"*" if len(run) == 1 else ""}'
