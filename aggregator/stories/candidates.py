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
from aggregator.stories.neighbours import Neighbours

__all__ = ["Candidates"]

MAX_POSTINGS: Final = 1000  # an id that more live items than this share says little
MAX_LOOKED_AT: Final = 8000  # postings read for one item, the rarest ids first
GRAM_SAMPLE: Final = 4  # one gram of four is indexed, chosen by its hash

Serials = NDArray[np.uint32]


class Candidates:
    """The live items, to be searched by profile: at most `most`, of them `dense` by vector and as many by words as that leaves."""

    def __init__(self, *, most: int = 54, dense: int = 32) -> None:
        self._most, self._most_dense = most, dense
        self._next = 0  # serial number of the next item: postings stay sorted by it
        self._serials: dict[int, int] = {}
        self._ids: dict[int, int] = {}
        self._postings: dict[int, array[int]] = {}
        self._neighbours = Neighbours()

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
        self._neighbours.add(profile)

    def remove(self, profile: Profile) -> None:
        """Take an item out again."""
        serial = self._serials.pop(profile.item_id)
        del self._ids[serial]
        for key in _keys(profile).tolist():
            postings = self._postings[key]
            del postings[bisect_left(postings, serial)]
            if not postings:
                del self._postings[key]
        self._neighbours.remove(profile)

    def find(self, profile: Profile) -> list[int]:
        """Ids of live items that may belong with `profile`, itself left out, in ascending order."""
        near = self._neighbours.nearest(profile, self._most_dense)
        found = {*near, *self._by_words(profile, self._most - len(near))}
        found.discard(profile.item_id)
        return sorted(found)

    def _by_words(self, profile: Profile, most: int) -> list[int]:
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
        score = np.bincount(place, weights=np.repeat(weights, [len(c) for c in chosen]))
        if len(score) > most:
            near = np.flatnonzero(score >= -np.partition(-score, most - 1)[most - 1])
            score, serials = score[near], serials[near]
        ids = [self._ids[s] for s in serials.tolist()]
        order = np.lexsort((np.asarray(ids), -score))[:most]
        return [ids[i] for i in order.tolist()]


def _keys(profile: Profile) -> Serials:
    grams = profile.gram_ids
    grams = grams[grams % GRAM_SAMPLE == 0]
    keys: Serials = np.concatenate([profile.name_ids, grams + np.uint32(BUCKETS)])
    return keys
