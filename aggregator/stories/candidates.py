"""Which live items may tell the same event as a new one: rare words and names, and neighbours in the embedder's space.

Both indexes are functions of the live items alone. What they return is put in order by score and item id, so that a
rebuild after a restart finds the same candidates, whatever came and went before.
"""

from array import array
from bisect import bisect_left
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, Profile
from aggregator.stories.statistics import Statistics

__all__ = ["Candidates"]

MAX_POSTINGS: Final = 1000  # an id that more live items than this share says little
MAX_LOOKED_AT: Final = 8000  # postings read for one item, the rarest ids first
GRAM_SAMPLE: Final = 4  # one gram of four is indexed, chosen by its hash
FIRST_ROWS: Final = 1024
CODE_SCALE: Final = 512  # vectors are stored as whole numbers: 512ths, at most 127 of them
CODE_MOST: Final = 127
EXACT: Final = 2.0**24  # whole numbers up to here are exact in float32

Serials = NDArray[np.uint32]


class Candidates:
    """The live items, to be searched by profile. `lexical` and `dense` are the most each index gives."""

    def __init__(self, *, lexical: int = 32, dense: int = 48) -> None:
        self._most_lexical, self._most_dense = lexical, dense
        self._next = 0  # serial number of the next item: postings stay sorted by it
        self._serials: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._postings: dict[int, array[int]] = {}
        self._dense = _Dense()

    def __len__(self) -> int:
        return len(self._serials)

    def add(self, profile: Profile) -> None:
        """Take an item in; its id must not be in yet."""
        serial = self._next
        self._next += 1
        self._serials[profile.item_id] = serial
        self._ids[serial] = profile.item_id
        for key in _keys(profile).tolist():
            self._postings.setdefault(key, array("I")).append(serial)
        self._dense.add(profile)

    def remove(self, profile: Profile) -> None:
        """Take an item out again."""
        serial = self._serials.pop(profile.item_id)
        del self._ids[serial]
        for key in _keys(profile).tolist():
            postings = self._postings[key]
            del postings[bisect_left(postings, serial)]
            if not postings:
                del self._postings[key]
        self._dense.remove(profile)

    def find(self, profile: Profile, stats: Statistics) -> list[int]:
        """Ids of live items that may belong with `profile`, itself left out, in ascending order."""
        found = {*self._by_words(profile), *self._dense.nearest(profile, stats, self._most_dense)}
        found.discard(profile.item_id)
        return sorted(found)

    def _by_words(self, profile: Profile) -> list[int]:
        lists = [(len(p), key, p) for key in _keys(profile).tolist() if (p := self._postings.get(key)) is not None]
        lists.sort(key=lambda entry: entry[:2])
        chosen: list[Serials] = []
        weights: list[float] = []
        looked_at = 0
        live = len(self._serials) + 1
        for length, _, postings in lists:
            looked_at += length
            if length > MAX_POSTINGS or looked_at > MAX_LOOKED_AT:
                break
            chosen.append(np.array(postings, dtype=np.uint32))
            weights.append(float(np.log(live / length)) ** 2)
        if not chosen:
            return []
        serials, place = np.unique(np.concatenate(chosen), return_inverse=True)
        score: NDArray[np.float64] = np.bincount(place, weights=np.repeat(weights, [len(c) for c in chosen])).astype(
            np.float64
        )
        return _top(score, [self._ids[s] for s in serials.tolist()], self._most_lexical)


class _Dense:
    """Vectors of the live items as small whole numbers, so that their products are exact in float32.

    A sum of rounded products would differ in its last bits with the row's place in the block, and with it the order of
    equal neighbours. A slot that is free again is used again.
    """

    def __init__(self) -> None:
        self._rows: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._ids = np.zeros(0, dtype=np.int64)  # -1: free
        self._languages: dict[str, int] = {}
        self._language = np.zeros(0, dtype=np.int32)
        self._slots: dict[int, int] = {}
        self._free: list[int] = []

    def add(self, profile: Profile) -> None:
        vector = profile.vector
        if vector is None:
            return
        if not self._slots and self._rows.shape[1] != len(vector):
            self._rows = np.zeros((0, len(vector)), dtype=np.float32)
            self._ids, self._language, self._free = np.zeros(0, np.int64), np.zeros(0, np.int32), []
        if len(vector) != self._rows.shape[1]:  # of another model: found by its words
            return
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._slots[profile.item_id] = slot
        self._rows[slot] = np.rint(vector.astype(np.float32) * CODE_SCALE).clip(-CODE_MOST, CODE_MOST)
        self._ids[slot] = profile.item_id
        self._language[slot] = self._languages.setdefault(profile.language, len(self._languages))

    def remove(self, profile: Profile) -> None:
        slot = self._slots.pop(profile.item_id, None)
        if slot is not None:
            self._ids[slot] = -1
            self._free.append(slot)

    def nearest(self, profile: Profile, stats: Statistics, most: int) -> list[int]:
        """The items whose vectors agree most with `profile`'s, each less the mean of its language."""
        vector = profile.vector
        if vector is None or not self._slots or len(vector) != self._rows.shape[1]:
            return []
        mine = vector.astype(np.float32) - stats.mean(profile.language, len(vector))
        scale = min(CODE_MOST, EXACT / (CODE_MOST * len(mine))) / max(float(np.abs(mine).max()), 1e-9)
        mine = np.rint(mine * scale)
        shift = np.array([stats.mean(name, len(vector)) @ mine for name in self._languages], dtype=np.float32)
        score = self._rows @ mine - shift[self._language] * CODE_SCALE
        score[self._ids < 0] = -np.inf
        most = min(most, len(self._slots))
        least = -np.partition(-score, most - 1)[most - 1]
        near = np.flatnonzero(score >= least)
        return _top(score[near], self._ids[near].tolist(), most)

    def _grow(self) -> None:
        old = len(self._ids)
        new = max(FIRST_ROWS, old + old // 2)
        rows = np.zeros((new, self._rows.shape[1]), dtype=np.float32)
        rows[:old] = self._rows
        self._rows = rows
        self._ids = np.concatenate([self._ids, np.full(new - old, -1, dtype=np.int64)])
        self._language = np.concatenate([self._language, np.zeros(new - old, dtype=np.int32)])
        self._free = list(range(new - 1, old - 1, -1))


def _keys(profile: Profile) -> Serials:
    grams = profile.gram_ids[profile.gram_ids % GRAM_SAMPLE == 0]
    keys: Serials = np.concatenate([profile.name_ids, grams + np.uint32(BUCKETS)])
    return keys


def _top(score: NDArray[np.floating], ids: list[int], most: int) -> list[int]:
    """The `most` ids of highest score; of equal ones, the lowest ids."""
    order = np.lexsort((np.asarray(ids), -score))[:most]
    return [ids[i] for i in order.tolist()]
