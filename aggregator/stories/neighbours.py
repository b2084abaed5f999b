"""The nearest live items in the embedder's space, at a cost that hardly grows with their number.

An inverted file (Jégou et al. 2011) whose centres are live items themselves: one in ANCHOR_EVERY, chosen by the hash of its
id, is an anchor; every item lies in the bucket of the anchor nearest to it. A search reads the buckets nearest to it until it
has seen VISITED items; as long as there are no more than that, it is exact.

Which bucket an item is in depends on the live items alone, not on the order in which they came and went, so that a rebuild
after a restart finds the same neighbours. For the same reason vectors are small whole numbers: sums of their products are
exact in float32, in whatever order a library adds them up.
"""

import zlib
from collections.abc import Iterator
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
FIRST_ROWS: Final = 16  # of a bucket's memory, and …
GROWTH: Final = 1.25  # … how many times larger it gets when it is full
BLOCK: Final = 512  # rows turned into float32 at once: they fit a cache
NO_ANCHOR: Final = -1
SHRINK: Final = 10  # items of its own that a language needs for its mean to count as much as that of all

Floats = NDArray[np.float32]


class Neighbours:
    """Vectors of one length by item id; others are left out."""

    def __init__(self) -> None:
        self._begin(0)

    def __len__(self) -> int:
        return len(self._home)

    def add(self, profile: Profile) -> None:
        """Take an item in, when it has a vector of the length of the others."""
        vector = profile.vector
        if vector is None:
            return
        if not self._home:
            self._begin(len(vector))
        if len(vector) != self._dimensions:
            return
        code = self._coded(vector)
        language = self._row_of(profile.language)
        self._count(language, code, 1)
        if len(self._anchor_ids):
            likeness = self._anchor_likeness(profile, code)
            best = int(likeness.argmax())  # of equal ones, the lowest id
            self._enter(profile.item_id, int(self._anchor_ids[best]), language, code, likeness[best])
        else:
            self._enter(profile.item_id, NO_ANCHOR, language, code, -np.inf)
        if _is_anchor(profile.item_id):
            self._add_anchor(profile.item_id, code)

    def remove(self, profile: Profile) -> None:
        """Take an item out, if it is in."""
        item_id = profile.item_id
        if item_id not in self._home:
            return
        anchor_id = self._home.pop(item_id)
        bucket = self._buckets[anchor_id]
        place = bucket.place(item_id)
        self._count(int(bucket.languages[place]), bucket.codes[place], -1)
        self._drop(anchor_id, place)
        if len(row := np.flatnonzero(self._anchor_ids == item_id)):
            self._set_anchors(np.delete(self._anchor_ids, row), np.delete(self._anchors, row, axis=0))
            self._rehouse(self._buckets.pop(item_id, None))

    def nearest(self, profile: Profile, most: int) -> list[int]:
        """Ids of the `most` items whose vectors agree most with `profile`'s, each less the mean of its language."""
        vector = profile.vector
        if vector is None or not self._home or len(vector) != self._dimensions:
            return []
        code = self._coded(vector)
        buckets = self._visited(profile, code)
        centred = code - self._mean(profile.language)
        mine: Floats = np.rint(centred * (CODE_MOST / max(float(np.abs(centred).max()), 1e-9))).astype(np.float32)
        products = np.concatenate([product for bucket in buckets for product in self._products(bucket, mine)])
        languages = np.concatenate([bucket.languages[: bucket.size] for bucket in buckets])
        ids = np.concatenate([bucket.ids[: bucket.size] for bucket in buckets])
        score = products - self._means_with(mine)[languages]
        most = min(most, len(score))
        least = -np.partition(-score, most - 1)[most - 1]
        near = np.flatnonzero(score >= least)
        order = np.lexsort((ids[near], -score[near]))[:most]
        found: list[int] = ids[near[order]].tolist()
        return found

    # --- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, dimensions: int) -> None:
        """Empty, for vectors of this length."""
        self._dimensions = dimensions
        self._home: dict[int, int] = {}  # item id → id of the anchor in whose bucket it is
        self._buckets: dict[int, _Bucket] = {}
        self._languages: dict[str, int] = {}
        self._sums = np.zeros((1, dimensions), dtype=np.int64)  # of the codes of each language; the first row: of all
        self._counts = np.zeros(1, dtype=np.int64)
        # Written over at each search: new memory for each would cost more than the products.
        self._widened: Floats = np.empty((BLOCK, dimensions), dtype=np.float32)
        self._set_anchors(np.zeros(0, dtype=np.int64), np.zeros((0, dimensions), dtype=np.float32))

    def _set_anchors(self, ids: NDArray[np.int64], codes: Floats) -> None:
        self._anchor_ids, self._anchors = ids, codes  # in the order of ids
        self._last: tuple[bytes | None, Floats] = (None, np.zeros(0, dtype=np.float32))

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

    def _count(self, language: int, code: NDArray[np.generic], sign: int) -> None:
        change = sign * code.astype(np.int64)
        for row in (0, language):
            self._sums[row] += change
            self._counts[row] += sign

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

    def _anchor_likeness(self, profile: Profile, code: Floats) -> Floats:
        """The product of a vector with every anchor; an item is searched for first and taken in then, so the last is kept."""
        if self._last[0] is not profile.packed_vector:
            self._last = (profile.packed_vector, self._anchors @ code)
        return self._last[1]

    def _visited(self, profile: Profile, code: Floats) -> list["_Bucket"]:
        """The buckets nearest to a vector, of VISITED items or a bucket more; all when there are no more."""
        if len(self._home) <= VISITED:
            return list(self._buckets.values())
        order = np.argsort(-self._anchor_likeness(profile, code), kind="stable")  # of equal ones, the lowest id first
        chosen: list[_Bucket] = []
        count = 0
        for anchor_id in (NO_ANCHOR, *self._anchor_ids[order].tolist()):
            if count >= VISITED:
                break
            if (bucket := self._buckets.get(anchor_id)) is not None:
                chosen.append(bucket)
                count += bucket.size
        return chosen

    def _products(self, bucket: "_Bucket", whole: Floats) -> Iterator[Floats]:
        """The products of a bucket's vectors with a vector of whole numbers, some rows after the other."""
        for start in range(0, bucket.size, BLOCK):
            codes = bucket.codes[start : min(start + BLOCK, bucket.size)]
            widened = self._widened[: len(codes)]
            np.copyto(widened, codes)
            yield widened @ whole

    def _add_anchor(self, anchor_id: int, code: Floats) -> None:
        """A new anchor takes over the items that are nearer to it than to theirs."""
        place = int(np.searchsorted(self._anchor_ids, anchor_id))
        self._set_anchors(np.insert(self._anchor_ids, place, anchor_id), np.insert(self._anchors, place, code, axis=0))
        for old_id, bucket in list(self._buckets.items()):
            likeness = np.concatenate(list(self._products(bucket, code)))
            old = bucket.closeness[: bucket.size]
            nearer = (likeness > old) | ((likeness == old) & (anchor_id < old_id))
            for row in np.flatnonzero(nearer)[
                ::-1
            ].tolist():  # from behind: the last takes the place of one that leaves
                item_id, language, code_of = int(bucket.ids[row]), int(bucket.languages[row]), bucket.codes[row].copy()
                self._drop(old_id, row)
                self._enter(item_id, anchor_id, language, code_of, likeness[row])

    def _rehouse(self, bucket: "_Bucket | None") -> None:
        """Put the items of a bucket that has lost its anchor where they belong now."""
        if bucket is None:
            return
        ids, codes, languages = bucket.ids[: bucket.size], bucket.codes[: bucket.size], bucket.languages[: bucket.size]
        if len(self._anchor_ids):
            likeness = codes.astype(np.float32) @ self._anchors.T
            anchors, closeness = self._anchor_ids[likeness.argmax(axis=1)], likeness.max(axis=1)
        else:
            anchors, closeness = np.full(bucket.size, NO_ANCHOR), np.full(bucket.size, -np.inf, dtype=np.float32)
        rows = zip(ids.tolist(), anchors.tolist(), languages.tolist(), codes, closeness, strict=True)
        for item_id, anchor_id, language, code, close in rows:
            self._enter(item_id, anchor_id, language, code, close)

    def _enter(
        self, item_id: int, anchor_id: int, language: int, code: NDArray[np.generic], closeness: np.float32 | float
    ) -> None:
        bucket = self._buckets.get(anchor_id)
        if bucket is None:
            bucket = self._buckets[anchor_id] = _Bucket(self._dimensions)
        bucket.append(item_id, language, code, closeness)
        self._home[item_id] = anchor_id

    def _drop(self, anchor_id: int, place: int) -> None:
        bucket = self._buckets[anchor_id]
        bucket.drop(place)
        if not bucket.size:
            del self._buckets[anchor_id]


class _Bucket:
    """The items nearest to one anchor, side by side in memory: read so, they come three times as fast as from all over a table.

    Rows up to `size` count: item ids, rows of languages, codes, and how close each is to the anchor.
    """

    __slots__ = ("closeness", "codes", "ids", "languages", "size")

    def __init__(self, dimensions: int) -> None:
        self.size = 0
        self.ids = np.zeros(0, dtype=np.int64)
        self.languages = np.zeros(0, dtype=np.int32)
        self.codes = np.zeros((0, dimensions), dtype=np.int8)
        self.closeness = np.zeros(0, dtype=np.float32)

    def place(self, item_id: int) -> int:
        """The row of an item that is in."""
        return int(np.flatnonzero(self.ids[: self.size] == item_id)[0])

    def append(self, item_id: int, language: int, code: NDArray[np.generic], closeness: np.float32 | float) -> None:
        """A row more."""
        if self.size == len(self.ids):
            rows = max(FIRST_ROWS, int(self.size * GROWTH))
            for name in ("ids", "languages", "codes", "closeness"):
                table = getattr(self, name)
                larger = np.empty((rows, *table.shape[1:]), dtype=table.dtype)
                larger[: self.size] = table
                setattr(self, name, larger)
        self.ids[self.size], self.languages[self.size] = item_id, language
        self.codes[self.size], self.closeness[self.size] = code, closeness
        self.size += 1

    def drop(self, place: int) -> None:
        """A row less; the last takes its place."""
        self.size -= 1
        for table in (self.ids, self.languages, self.codes, self.closeness):
            table[place] = table[self.size]


def _is_anchor(item_id: int) -> bool:
    return zlib.crc32(item_id.to_bytes(8, "little", signed=True)) % ANCHOR_EVERY == 0
