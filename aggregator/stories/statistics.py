"""What the live window says about how common things are: document frequencies and mean vectors.

An exact function of the multiset of live profiles: integers only, so that removing undoes adding and a rebuild after a
restart gives the same numbers to the bit.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, KINDS, Profile

__all__ = ["Statistics"]

SCALE: Final = 2**20  # fixed point of the summed vectors
SHRINK: Final = 30  # items that the mean of all counts for, in a language's mean
SHRINK_ALL: Final = 20  # items that zero, the mean of the embedder, counts for in the mean of all


class Statistics:
    """Document frequencies over all languages and a mean vector for each language, of the live items."""

    def __init__(self) -> None:
        self.items = 0
        # How many live items have an id. For ids of titles: how many have the 4-gram anywhere, not only in the title.
        self.counts = np.zeros(len(KINDS) * BUCKETS, dtype=np.int32)
        self._sums: dict[tuple[str, int], NDArray[np.int64]] = {}  # by language ("" for all) and dimensions
        self._counts: dict[tuple[str, int], int] = {}
        self._means: dict[tuple[str, int], NDArray[np.float32]] = {}

    def add(self, profile: Profile) -> None:
        """Count `profile`."""
        self._count(profile, 1)

    def remove(self, profile: Profile) -> None:
        """Undo `add` of the same profile."""
        self._count(profile, -1)

    def _count(self, profile: Profile, sign: int) -> None:
        self.items += sign
        ids, (grams, titles), vector = profile.ids, profile.bounds[1:3], profile.vector
        self.counts[ids[:grams]] += sign
        self.counts[ids[:grams] + np.uint32(BUCKETS)] += sign
        self.counts[ids[titles:]] += sign
        if vector is not None:
            fixed = np.rint(vector.astype(np.float64) * SCALE).astype(np.int64)
            for key in ((profile.language, len(fixed)), ("", len(fixed))):
                self._sums[key] = self._sums.get(key, 0) + sign * fixed
                self._counts[key] = self._counts.get(key, 0) + sign
            self._means.clear()

    def means(self, languages: Sequence[str], dimensions: int) -> NDArray[np.float32]:
        """A row for each of `languages`: the mean vector of its live items, shrunk to the mean of all, and that to zero.

        (sum + 30 base) / (count + 30): few items say more of their themes than of their language.
        """
        if missing := [
            key for key in dict.fromkeys((language, dimensions) for language in languages) if key not in self._means
        ]:
            none = np.zeros(dimensions, dtype=np.int64)
            total, items = self._sums.get(("", dimensions), none) / SCALE, self._counts.get(("", dimensions), 0)
            base = total / (items + SHRINK_ALL)
            own = np.stack([self._sums.get(key, none) for key in missing]) / SCALE
            counts = np.array([self._counts.get(key, 0) for key in missing])[:, None]
            self._means.update(
                zip(missing, ((own + SHRINK * base) / (counts + SHRINK)).astype(np.float32), strict=True)
            )
        rows = [self._means[language, dimensions] for language in languages]
        return np.concatenate(rows).reshape(len(rows), dimensions)
