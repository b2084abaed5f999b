"""The nearest live items in the embedder's space.

A search goes over all live items twice. First over one bit a dimension, the sign: the items that differ from the wanted one
in the fewest bits (Hamming distance; Charikar, STOC 2002) are looked at again, by the products of their vectors, each less
the mean of its language. As long as no more than LOOKED_AT are live, all are.

What is found depends on the live items alone, not on the order in which they came and went, so that a rebuild after a
restart finds the same neighbours. For the same reason vectors are small whole numbers: sums of their products are exact in
float32, in whatever order a library adds them up.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import Profile

__all__ = ["Neighbours"]

LOOKED_AT: Final = 2048
BITS: Final = 384  # of a longer vector, the first so many dimensions
CODE_MOST: Final = 127  # a vector is stored as whole numbers up to this …
CODE_SPREAD: Final = (
    5.0  # … which stands for so many times the size that a number of a vector of length 1 has on average
)
FIRST_ROWS: Final = 1024
BLOCK: Final = 1024  # vectors turned into float32 at once, and …
BITS_BLOCK: Final = 2**17  # … items whose bits are compared at once: both fit a cache
GUESSED_FROM: Final = 4096  # items from which it is guessed how many bits are few enough
SHRINK: Final = 10  # items of its own that a language needs for its mean to count as much as that of all

Floats = NDArray[np.float32]


class Neighbours:
    """Vectors of one length by item id; others are left out."""

    def __init__(self) -> None:
        self._begin(0)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, profile: Profile) -> None:
        """Take an item in, when it has a vector of the length of the others."""
        vector = profile.vector
        if vector is None:
            return
        if not self._rows:
            self._begin(len(vector))
        if len(vector) != self._dimensions:
            return
        row = len(self._rows)
        if row == len(self._ids):
            self._grow()
        code = self._coded(vector)
        self._rows[profile.item_id] = row
        self._ids[row] = profile.item_id
        self._codes[row] = code
        self._signs[:, row] = _signs(code)
        self._language[row] = self._number_of(profile.language)
        self._count(row, 1)

    def remove(self, profile: Profile) -> None:
        """Take an item out, if it is in; the last takes its row."""
        row = self._rows.pop(profile.item_id, None)
        if row is None:
            return
        self._count(row, -1)
        last = len(self._rows)
        if row != last:
            for table in (self._ids, self._codes, self._language):
                table[row] = table[last]
            self._signs[:, row] = self._signs[:, last]
            self._rows[int(self._ids[row])] = row

    def nearest(self, profile: Profile, most: int) -> list[int]:
        """Ids of the `most` items whose vectors agree most with `profile`'s, each less the mean of its language."""
        vector = profile.vector
        if vector is None or not self._rows or len(vector) != self._dimensions:
            return []
        code = self._coded(vector)
        rows = self._likely(code)
        centred = code - self._mean(profile.language)
        mine: Floats = np.rint(centred * (CODE_MOST / max(float(np.abs(centred).max()), 1e-9))).astype(np.float32)
        score = self._products(rows, mine) - self._means_with(mine)[self._language[rows]]
        ids = self._ids[rows]
        most = min(most, len(rows))
        least = -np.partition(-score, most - 1)[most - 1]
        near = np.flatnonzero(score >= least)
        order = np.lexsort((ids[near], -score[near]))[:most]
        found: list[int] = ids[near[order]].tolist()
        return found

    # --- inside ---------------------------------------------------------------------------------------------------

    def _begin(self, dimensions: int) -> None:
        """Empty, for vectors of this length."""
        self._dimensions = dimensions
        self._rows: dict[int, int] = {}  # by item id; the first so many rows are taken, without a gap
        self._ids = np.zeros(0, dtype=np.int64)
        self._language = np.zeros(0, dtype=np.int32)
        self._codes = np.zeros((0, dimensions), dtype=np.int8)
        self._signs = np.zeros((len(_signs(np.zeros(dimensions))), 0), dtype=np.uint64)
        self._languages: dict[str, int] = {}
        self._sums = np.zeros((1, dimensions), dtype=np.int64)  # of the codes of each language; the first: of all
        self._counts = np.zeros(1, dtype=np.int64)
        # Written over at each search: new memory for each would cost more than what is done in it.
        self._taken = np.empty((BLOCK, dimensions), dtype=np.int8)
        self._widened: Floats = np.empty((BLOCK, dimensions), dtype=np.float32)
        self._differing = np.empty(BITS_BLOCK, dtype=np.uint64)
        self._more = np.empty(BITS_BLOCK, dtype=np.uint8)

    def _coded(self, vector: Floats) -> Floats:
        scale = CODE_MOST * self._dimensions**0.5 / CODE_SPREAD
        code: Floats = np.rint(vector * scale).clip(-CODE_MOST, CODE_MOST)
        return code

    def _number_of(self, language: str) -> int:
        number = self._languages.get(language)
        if number is None:
            number = self._languages[language] = len(self._counts)
            self._sums = np.vstack([self._sums, np.zeros((1, self._dimensions), dtype=np.int64)])
            self._counts = np.append(self._counts, 0)
        return number

    def _count(self, row: int, sign: int) -> None:
        change = sign * self._codes[row].astype(np.int64)
        for number in (0, int(self._language[row])):
            self._sums[number] += change
            self._counts[number] += sign

    def _mean(self, language: str) -> NDArray[np.float64]:
        """Of the codes of a language, shrunk to that of all."""
        number = self._languages.get(language)
        of_all: NDArray[np.float64] = self._sums[0] / max(1, int(self._counts[0]))
        if number is None:
            return of_all
        mean: NDArray[np.float64] = (self._sums[number] + SHRINK * of_all) / (int(self._counts[number]) + SHRINK)
        return mean

    def _means_with(self, whole: Floats) -> NDArray[np.float64]:
        """The product of every language's mean with a vector of whole numbers; of whole numbers, so exact up to the division."""
        products = self._sums @ whole.astype(np.int64)
        of_all = products[0] / max(1, int(self._counts[0]))
        result: NDArray[np.float64] = (products + SHRINK * of_all) / (self._counts + SHRINK)
        return result

    def _likely(self, code: Floats) -> NDArray[np.int64]:
        """Rows of the LOOKED_AT items that differ from `code` in the fewest bits, and of all that differ in as many; in order."""
        live = len(self._rows)
        if live <= LOOKED_AT:
            return np.arange(live)
        apart = self._apart(_signs(code))
        some = np.sort(apart[:: max(1, live // GUESSED_FROM)])
        within = int(some[LOOKED_AT * len(some) // live])  # a guess, put right below
        while np.count_nonzero(apart <= within) < LOOKED_AT:
            within += 1
        while within and np.count_nonzero(apart < within) >= LOOKED_AT:
            within -= 1
        return np.flatnonzero(apart <= within)

    def _apart(self, signs: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """In how many bits each item differs from `signs`, less 256 where it is more: such a one is looked at for nothing."""
        live = len(self._rows)
        result = np.empty(live, dtype=np.uint8)
        for start in range(0, live, BITS_BLOCK):
            end = min(start + BITS_BLOCK, live)
            differing, more, apart = self._differing[: end - start], self._more[: end - start], result[start:end]
            np.bitwise_count(np.bitwise_xor(self._signs[0, start:end], signs[0], out=differing), out=apart)
            for mine, theirs in zip(signs[1:], self._signs[1:], strict=True):
                np.bitwise_count(np.bitwise_xor(theirs[start:end], mine, out=differing), out=more)
                np.add(apart, more, out=apart)
        return result

    def _products(self, rows: NDArray[np.int64], whole: Floats) -> NDArray[np.float64]:
        result = np.empty(len(rows), dtype=np.float64)
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            taken, widened = self._taken[: len(some)], self._widened[: len(some)]
            self._codes.take(some, axis=0, out=taken, mode="clip")  # "raise" would copy; every row is there
            np.copyto(widened, taken)
            result[start : start + len(some)] = widened @ whole
        return result

    def _grow(self) -> None:
        """Twice the rows. Zeros that were never written take no memory (calloc), so a half empty table costs nothing."""
        old = len(self._ids)
        for name, axis in (("_ids", 0), ("_codes", 0), ("_language", 0), ("_signs", 1)):
            table = getattr(self, name)
            shape = list(table.shape)
            shape[axis] = max(FIRST_ROWS, 2 * old)
            larger = np.zeros(shape, dtype=table.dtype)
            larger[tuple(slice(length) for length in table.shape)] = table
            setattr(self, name, larger)


def _signs(code: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Which of the first BITS numbers are above zero, 64 to a word."""
    above = np.zeros(-(-min(len(code), BITS) // 64) * 64, dtype=np.bool_)
    np.greater(code[:BITS], 0, out=above[: len(code)])
    return np.packbits(above).view(np.uint64)
