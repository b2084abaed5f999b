"""The nearest live items in the embedder's space, at a cost that hardly grows with their number.

An inverted file (Jégou et al. 2011) whose centres are live items themselves: one in ANCHOR_EVERY, chosen by the hash of its
id, is an anchor; every item lies in the bucket of the anchor nearest to it. A search reads the buckets nearest to it until it
has seen VISITED items; as long as there are no more than that, it is exact.

Which bucket an item is in depends on the live items alone, not on the order in which they came and went, so that a rebuild
after a restart finds the same neighbours. For the same reason vectors are small whole numbers: sums of their products are
exact in float32, in whatever order a library adds them up.
"""

import zlib
from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import Profile

__all__ = ["Neighbours"]

ANCHOR_EVERY: Final = 256
VISITED: Final = 3072
CODE_MOST: Final = 127  # a vector is stored as whole numbers up to this …
CODE_SPREAD: Final = (
    5.0  # … which stands for so many times the size that a number of a vector of length 1 has on average
)
FIRST_ROWS: Final = 1024
BLOCK: Final = 1024  # rows turned into float32 at once: they fit a cache
NO_ANCHOR: Final = -1
SHRINK: Final = 10  # items of its own that a language needs for its mean to count as much as that of all

Floats = NDArray[np.float32]


class Neighbours:
    """Vectors of one length by item id; others are left out."""

    def __init__(self) -> None:
        self._dimensions = 0
        self._codes = np.zeros((0, 0), dtype=np.int8)
        self._ids = np.zeros(0, dtype=np.int64)  # -1: a slot that is free again
        self._language = np.zeros(0, dtype=np.int32)
        self._anchor = np.zeros(0, dtype=np.int64)  # id of the anchor in whose bucket the slot is
        self._closeness = np.zeros(0, dtype=np.float32)  # to that anchor
        self._place = np.zeros(0, dtype=np.int32)  # in the bucket
        self._languages: dict[str, int] = {}
        self._sums = np.zeros((1, 0), dtype=np.int64)  # of the codes of each language; the first row: of all
        self._counts = np.zeros(1, dtype=np.int64)
        self._slots: dict[int, int] = {}
        self._used = 0  # slots from here on were never taken
        self._free: list[int] = []  # slots that were, and are free again
        self._buckets: dict[int, array[int]] = {}
        self._anchor_ids = np.zeros(0, dtype=np.int64)
        self._anchors: Floats = np.zeros((0, 0), dtype=np.float32)
        self._taken = np.zeros((0, 0), dtype=np.int8)
        self._widened: Floats = np.zeros((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, profile: Profile) -> None:
        """Take an item in, when it has a vector of the length of the others."""
        vector = profile.vector
        if vector is None:
            return
        if not self._slots:
            self._begin(len(vector))
        if len(vector) != self._dimensions:
            return
        slot = self._free_slot()
        code = self._coded(vector)
        self._slots[profile.item_id] = slot
        self._codes[slot] = code
        self._ids[slot] = profile.item_id
        self._language[slot] = self._row_of(profile.language)
        self._count(slot, 1)
        self._assign(np.array([slot]))
        if _is_anchor(profile.item_id):
            self._add_anchor(profile.item_id, code)

    def remove(self, profile: Profile) -> None:
        """Take an item out, if it is in."""
        slot = self._slots.pop(profile.item_id, None)
        if slot is None:
            return
        self._leave(slot)
        self._count(slot, -1)
        self._ids[slot] = -1
        self._free.append(slot)
        row = np.flatnonzero(self._anchor_ids == profile.item_id)
        if len(row):
            self._anchor_ids = np.delete(self._anchor_ids, row)
            self._anchors = np.delete(self._anchors, row, axis=0)
            orphans = np.array(self._buckets.pop(profile.item_id, array("I")), dtype=np.int64)
            self._assign(orphans)

    def nearest(self, profile: Profile, most: int) -> list[int]:
        """Ids of the `most` items whose vectors agree most with `profile`'s, each less the mean of its language."""
        vector = profile.vector
        if vector is None or not self._slots or len(vector) != self._dimensions:
            return []
        code = self._coded(vector)
        slots = self._visited(code)
        centred = code - self._mean(profile.language)
        mine: Floats = np.rint(centred * (CODE_MOST / max(float(np.abs(centred).max()), 1e-9))).astype(np.float32)
        score = self._products(slots, mine) - self._means_with(mine)[self._language[slots]]
        ids = self._ids[slots]
        most = min(most, len(slots))
        least = -np.partition(-score, most - 1)[most - 1]
        near = np.flatnonzero(score >= least)
        order = np.lexsort((ids[near], -score[near]))[:most]
        found: list[int] = ids[near[order]].tolist()
        return found

    # --- inside ---------------------------------------------------------------------------------------------------

    def _coded(self, vector: Floats) -> Floats:
        scale = CODE_MOST * self._dimensions**0.5 / CODE_SPREAD
        code: Floats = np.rint(vector * scale).clip(-CODE_MOST, CODE_MOST)
        return code

    def _row_of(self, language: str) -> int:
        row = self._languages.get(language)
        if row is None:
            row = self._languages[language] = len(self._counts)
            self._sums = np.vstack([self._sums, np.zeros((1, self._dimensions), dtype=np.int64)])
            self._counts = np.append(self._counts, 0)
        return row

    def _count(self, slot: int, sign: int) -> None:
        rows = [0, int(self._language[slot])]
        self._sums[rows] += sign * self._codes[slot].astype(np.int64)
        self._counts[rows] += sign

    def _mean(self, language: str) -> NDArray[np.float64]:
        """Of the codes of a language, shrunk to that of all."""
        row = self._languages.get(language)
        of_all: NDArray[np.float64] = self._sums[0] / max(1, int(self._counts[0]))
        if row is None:
            return of_all
        mean: NDArray[np.float64] = (self._sums[row] + SHRINK * of_all) / (int(self._counts[row]) + SHRINK)
        return mean

    def _means_with(self, whole: Floats) -> NDArray[np.float64]:
        """The product of every language's mean with a vector of whole numbers; of whole numbers, so exact up to the division."""
        products = self._sums @ whole.astype(np.int64)
        of_all = products[0] / max(1, int(self._counts[0]))
        result: NDArray[np.float64] = (products + SHRINK * of_all) / (self._counts + SHRINK)
        return result

    def _visited(self, code: Floats) -> NDArray[np.int64]:
        """Slots of the buckets nearest to a vector, VISITED or a bucket more; all when there are no more."""
        if len(self._slots) <= VISITED:
            return np.fromiter(self._slots.values(), dtype=np.int64, count=len(self._slots))
        order = np.lexsort((self._anchor_ids, -(self._anchors @ code)))
        chosen = [np.array(self._buckets.get(NO_ANCHOR, array("I")), dtype=np.int64)]
        count = len(chosen[0])
        for anchor_id in self._anchor_ids[order].tolist():
            if count >= VISITED:
                break
            bucket = self._buckets.get(anchor_id)
            if bucket is not None:
                chosen.append(np.array(bucket, dtype=np.int64))
                count += len(bucket)
        return np.concatenate(chosen)

    def _products(self, slots: NDArray[np.int64], whole: Floats) -> NDArray[np.float64]:
        result = np.empty(len(slots), dtype=np.float64)
        for start in range(0, len(slots), BLOCK):
            rows = slots[start : start + BLOCK]
            taken, widened = self._taken[: len(rows)], self._widened[: len(rows)]
            self._codes.take(rows, axis=0, out=taken, mode="clip")  # "raise" would copy; every slot is there
            np.copyto(widened, taken)
            result[start : start + len(rows)] = widened @ whole
        return result

    def _assign(self, slots: NDArray[np.int64]) -> None:
        """Put slots that are in no bucket into that of their nearest anchor; of equal ones, the lowest id."""
        if not len(self._anchor_ids):
            for slot in slots.tolist():
                self._enter(slot, NO_ANCHOR, -np.inf)
            return
        for start in range(0, len(slots), BLOCK):
            rows = slots[start : start + BLOCK]
            score = self._codes[rows].astype(np.float32) @ self._anchors.T
            best = score.max(axis=1)
            ids = np.where(score == best[:, None], self._anchor_ids, np.iinfo(np.int64).max).min(axis=1)
            for slot, anchor_id, closeness in zip(rows.tolist(), ids.tolist(), best.tolist(), strict=True):
                self._enter(slot, anchor_id, closeness)

    def _add_anchor(self, anchor_id: int, code: Floats) -> None:
        """A new anchor takes over the items that are nearer to it than to theirs."""
        self._anchor_ids = np.append(self._anchor_ids, anchor_id)
        self._anchors = np.vstack([self._anchors, code[None]])
        for start in range(0, self._used, BLOCK):
            end = min(start + BLOCK, self._used)
            widened = self._widened[: end - start]
            np.copyto(widened, self._codes[start:end])
            score = widened @ code
            old = self._closeness[start:end]
            nearer = (score > old) | ((score == old) & (anchor_id < self._anchor[start:end]))
            for row in np.flatnonzero(nearer & (self._ids[start:end] >= 0)).tolist():
                self._leave(start + row)
                self._enter(start + row, anchor_id, float(score[row]))

    def _enter(self, slot: int, anchor_id: int, closeness: float) -> None:
        bucket = self._buckets.setdefault(anchor_id, array("I"))
        self._place[slot] = len(bucket)
        bucket.append(slot)
        self._anchor[slot] = anchor_id
        self._closeness[slot] = closeness

    def _leave(self, slot: int) -> None:
        """Take a slot out of its bucket; the bucket's last takes its place."""
        anchor_id = int(self._anchor[slot])
        bucket = self._buckets[anchor_id]
        last = bucket.pop()
        if last != slot:
            place = int(self._place[slot])
            bucket[place] = last
            self._place[last] = place
        if not bucket:
            del self._buckets[anchor_id]

    def _begin(self, dimensions: int) -> None:
        self.__init__()  # type: ignore[misc]  # empty: it may begin again with vectors of another length
        self._dimensions = dimensions
        self._codes = np.zeros((0, dimensions), dtype=np.int8)
        # Written over at each search: new memory for each would cost more than the products.
        self._taken = np.empty((BLOCK, dimensions), dtype=np.int8)
        self._widened = np.empty((BLOCK, dimensions), dtype=np.float32)
        self._sums = np.zeros((1, dimensions), dtype=np.int64)
        self._anchors = np.zeros((0, dimensions), dtype=np.float32)

    def _free_slot(self) -> int:
        if self._free:
            return self._free.pop()
        if self._used == len(self._ids):
            self._grow()
        self._used += 1
        return self._used - 1

    def _grow(self) -> None:
        """Twice the slots. Zeros that were never written take no memory (calloc), so a half empty table costs nothing."""
        old = len(self._ids)
        for name in ("_codes", "_ids", "_language", "_anchor", "_closeness", "_place"):
            table = getattr(self, name)
            larger = np.zeros((max(FIRST_ROWS, 2 * old), *table.shape[1:]), dtype=table.dtype)
            larger[:old] = table
            setattr(self, name, larger)


def _is_anchor(item_id: int) -> bool:
    return zlib.crc32(item_id.to_bytes(8, "little", signed=True)) % ANCHOR_EVERY == 0
