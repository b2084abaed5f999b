"""Which items repeat another outlet's text: wire copy, syndicated articles, cut or slightly reworded.

Two texts are compared by the Jaccard similarity of their character 5-grams, counted exactly. Which texts are compared at
all is decided by a bottom-k sketch (A. Broder, "On the resemblance and containment of documents", 1997): the k smallest
hashes of an item's 8-grams each lead to a small bucket of recent items; whoever shares two of them is a candidate.
"""

import hashlib
import re
import unicodedata
from datetime import datetime
from itertools import compress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import match_summary, match_title

__all__ = ["Reprints"]

_SIMILAR: Final = (
    0.45  # Jaccard of 5-grams from which a text is a copy: labelled copies have 0.6-1.0, others at most 0.14
)
_CONTAINED: Final = 0.85  # share of the shorter text's 5-grams in the longer: a copy that was cut
_COMPATIBLE: Final = 0.15  # what summaries under one and the same title must share
_SHORT: Final = (
    70  # letters; below, a summary may be a set phrase ("Read more on our site"), so titles must agree as well
)
_TITLES_AGREE: Final = 0.2
_LEAST: Final = 40  # letters of a summary that can be compared at all; of a title half as many; see `_letters`
_MOST: Final = 400  # letters of a text that are kept
_GRAM: Final = 5
_SKETCH_GRAM: Final = 8
_SKETCH: Final = 12  # hashes kept of each item
_BUCKET: Final = 6  # items a hash remembers, the latest
_CANDIDATES: Final = 12  # items compared exactly, at most
_SEEDS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))

_DENSE: Final = re.compile("[\u2e80-\ud7ff\uf900-\ufaff]")
_SIGNS: Final = re.compile(r"[^\w\s]|_")

_Hashes = NDArray[np.uint64]


def _bare(text: str) -> str:
    """Letters and digits, folded, one space between words; at most _MOST."""
    folded = unicodedata.normalize("NFKC", text[: 2 * _MOST]).casefold()
    return " ".join(_SIGNS.sub(_mark_or_space, folded).split())[:_MOST]


def _mark_or_space(found: re.Match[str]) -> str:
    """Vowel signs and accents are no word characters to `re`, but part of their word."""
    return found[0] if unicodedata.category(found[0])[0] == "M" else " "


def _letters(text: str) -> int:
    """Length in letters of an alphabet; a syllable of Korean or an ideograph says as much as two of them."""
    return len(text) if text.isascii() else len(text) + len(_DENSE.findall(text))


def _grams(text: str, size: int) -> _Hashes:
    """Sorted distinct hashes of the character n-grams of `text`, the same on every machine and in every run."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    count = len(codes) - size + 1
    if count < 1:
        return np.empty(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for at in range(size):  # a polynomial in a fixed odd number, then splitmix64's finish
        hashes = hashes * _SEEDS[0] + codes[at : at + count]
    hashes ^= hashes >> np.uint64(30)
    hashes *= _SEEDS[1]
    hashes ^= hashes >> np.uint64(27)
    hashes *= _SEEDS[2]
    hashes ^= hashes >> np.uint64(31)
    return np.unique(hashes)


def _shared(one: _Hashes, two: _Hashes) -> int:
    both = np.concatenate((one, two))
    both.sort()
    return int(np.count_nonzero(both[1:] == both[:-1]))


class Reprints:
    """The texts of the live items, and which new one repeats which of another outlet.

    Deterministic: the same calls give the same answers. One `add` takes constant time, whatever is live; an item takes
    about 0.5 kB of memory (see docs/parsing.md for measurements). Nothing is kept beyond `forget`.
    """

    def __init__(self) -> None:
        self._ids = np.zeros(1024, np.int64)
        self._outlets = np.zeros(1024, np.int64)
        self._ats = np.zeros(1024, np.int64)  # seconds since 1970
        self._roots = np.full(1024, -1, np.int64)  # slot of the item it repeats
        self._sketches = np.zeros((1024, _SKETCH + 1), np.uint32)  # the last: of the title
        self._texts: list[bytes] = []  # title and summary, bare, divided by a newline
        self._count = 0
        self._oldest = -(1 << 61)
        self._buckets = np.full((4096, _BUCKET), -1, np.int32)

    def __len__(self) -> int:
        """Live items."""
        return int(np.count_nonzero(self._ats[: self._count] >= self._oldest))

    def add(
        self, item_id: int, outlet_id: int, at: datetime, title: str, summary: str, language: str = "", outlet: str = ""
    ) -> int | None:
        """Remember an item; the id of the earliest live item of another outlet whose text it repeats, or None.

        "Earliest" is by `at`, then by id, among the items added before. `outlet` is the outlet's name, which titles often
        end with. `language` is not needed (equal texts are of one language) and only documents the call.
        """
        del language
        bare_title, bare_summary = _bare(match_title(title, outlet)), _bare(match_summary(summary))
        if _letters(bare_summary) < _LEAST:
            bare_summary = ""
        sketch = self._sketch(bare_title, bare_summary)
        slot = self._store(item_id, outlet_id, int(at.timestamp()), bare_title, bare_summary, sketch)
        best = -1
        for other in self._candidates(slot, sketch):
            if self._repeats(bare_title, bare_summary, other):
                root = self._origin(other, slot, bare_title, bare_summary)
                if best < 0 or (self._ats[root], self._ids[root]) < (self._ats[best], self._ids[best]):
                    best = root
        self._roots[slot] = best
        self._index(slot, sketch)
        return int(self._ids[best]) if best >= 0 else None

    def forget(self, before: datetime) -> None:
        """Drop the items published before that instant. Their memory is freed when half of all are such."""
        self._oldest = max(self._oldest, int(before.timestamp()))
        live = self._ats[: self._count] >= self._oldest
        if self._count > 1024 and np.count_nonzero(live) * 2 < self._count:  # noqa: PLR2004 - below, not worth the work
            self._compact(live)

    def drop(self, item_id: int) -> None:
        """Drop one item, for its text is no longer what it was; later ones may repeat its copies."""
        self._ats[: self._count][self._ids[: self._count] == item_id] = -(1 << 62)

    # --- inside ---

    def _sketch(self, title: str, summary: str) -> NDArray[np.uint32]:
        """Hashes that lead to buckets: of the text, then of the whole title; 0 = none."""
        sketch = np.zeros(_SKETCH + 1, np.uint32)
        grams = _grams(summary or title, _SKETCH_GRAM)[:_SKETCH]
        sketch[: len(grams)] = (grams >> np.uint64(7)).astype(np.uint32) | np.uint32(1)
        if _letters(title) >= _LEAST // 2:
            digest = hashlib.blake2b(title.encode(), digest_size=4).digest()
            sketch[-1] = np.uint32(int.from_bytes(digest, "little") | 2)
        return sketch

    def _store(
        self, item_id: int, outlet_id: int, at: int, title: str, summary: str, sketch: NDArray[np.uint32]
    ) -> int:
        slot = self._count
        if slot == len(self._ids):
            for name in ("_ids", "_outlets", "_ats", "_roots", "_sketches"):
                old = getattr(self, name)
                larger = np.zeros((2 * slot, *old.shape[1:]), dtype=old.dtype)  # what is not written takes no memory
                larger[:slot] = old
                setattr(self, name, larger)
        self._ids[slot], self._outlets[slot], self._ats[slot], self._roots[slot] = item_id, outlet_id, at, -1
        self._sketches[slot] = sketch
        self._texts.append(f"{title}\n{summary}".encode())
        self._count += 1
        return slot

    def _rows(self, sketch: NDArray[np.uint32]) -> NDArray[np.int64]:
        mixed = sketch[sketch != 0].astype(np.uint64) * _SEEDS[0] >> np.uint64(20)
        rows: NDArray[np.int64] = mixed.astype(np.int64) % len(self._buckets)
        return rows

    def _index(self, slot: int, sketch: NDArray[np.uint32]) -> None:
        """Put the item first in the buckets of its sketch; the oldest of a full bucket goes."""
        if self._count * 2 > len(self._buckets):
            self._rebuild(len(self._buckets) * 2)
            return
        rows = self._rows(sketch)
        self._buckets[rows, 1:] = self._buckets[rows, :-1]
        self._buckets[rows, 0] = slot

    def _rebuild(self, size: int) -> None:
        self._buckets = np.full((size, _BUCKET), -1, np.int32)
        for slot in range(self._count):
            rows = self._rows(self._sketches[slot])
            self._buckets[rows, 1:] = self._buckets[rows, :-1]
            self._buckets[rows, 0] = slot

    def _origin(self, other: int, slot: int, title: str, summary: str) -> int:
        """The item that `other` repeats, where it may stand for it: texts drift from copy to copy, but titles alone prove less."""
        root = int(self._roots[other])
        if root < 0 or self._outlets[root] == self._outlets[slot] or self._ats[root] < self._oldest:
            return other
        by_text = summary and not self._texts[other].endswith(b"\n")
        return root if by_text or self._repeats(title, summary, root) else other

    def _candidates(self, slot: int, sketch: NDArray[np.uint32]) -> list[int]:
        """Live items of other outlets that lie in two of the item's buckets, or have its title; the likeliest first."""
        slots = self._buckets[self._rows(sketch)].ravel()
        slots = slots[slots >= 0]
        if not len(slots):
            return []
        found, shared = np.unique(slots, return_counts=True)
        if sketch[-1]:
            shared = shared + (self._sketches[found, -1] == sketch[-1])
        least = min(2, int(np.count_nonzero(sketch[:_SKETCH])))
        likely = shared >= max(least, 1)
        found, shared = found[likely], shared[likely]
        live = (self._outlets[found] != self._outlets[slot]) & (self._ats[found] >= self._oldest)
        found, shared = found[live], shared[live]
        return [int(found[n]) for n in np.lexsort((found, -shared))[:_CANDIDATES]]

    def _repeats(self, title: str, summary: str, other: int) -> bool:
        """The exact comparison."""
        their_title, _, their_summary = self._texts[other].decode().partition("\n")
        same_title = _letters(title) >= _LEAST // 2 and title == their_title
        if not summary or not their_summary:
            return same_title and (_letters(title) >= _LEAST or not (summary or their_summary))
        one, two = _grams(summary, _GRAM), _grams(their_summary, _GRAM)
        shared = _shared(one, two)
        jaccard = shared / (len(one) + len(two) - shared)
        if same_title and jaccard >= _COMPATIBLE:
            return True
        shorter = min(len(one), len(two))
        if jaccard < _SIMILAR and not (shorter >= _SHORT and shared >= _CONTAINED * shorter):
            return False
        return shorter >= _SHORT or self._agree(title, their_title)

    def _agree(self, title: str, their_title: str) -> bool:
        one, two = _grams(title, _GRAM), _grams(their_title, _GRAM)
        return bool(len(one) and len(two)) and _shared(one, two) >= _TITLES_AGREE * min(len(one), len(two))

    def _compact(self, live: NDArray[np.bool_]) -> None:
        """Move the live items together; who repeats a forgotten one repeats nothing any more."""
        new = np.cumsum(live) - 1
        roots = self._roots[: self._count][live]
        known = (roots >= 0) & live[np.maximum(roots, 0)]
        roots = np.where(known, new[np.maximum(roots, 0)], -1)
        self._texts = list(compress(self._texts, live.tolist()))
        count, size = len(self._texts), 1024
        while size <= count:
            size *= 2
        for name in ("_ids", "_outlets", "_ats", "_sketches"):
            old = getattr(self, name)
            fresh = np.zeros((size, *old.shape[1:]), old.dtype)
            fresh[:count] = old[: self._count][live]
            setattr(self, name, fresh)
        self._roots = np.full(size, -1, np.int64)
        self._roots[:count] = roots
        self._count = count
        self._rebuild(max(4096, 4 * size))
