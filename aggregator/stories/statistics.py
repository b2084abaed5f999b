"""What the live window says about how common things are: document frequencies and mean vectors.

An exact function of the multiset of live profiles: integers only, so that removing undoes adding and a rebuild after a
restart gives the same numbers to the bit.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, Profile

__all__ = ["Statistics"]

SCALE: Final = 2**20  # fixed point of the summed vectors
PRIOR_WEIGHT: Final = 10  # items that a prior mean counts for


class Statistics:
    """Document frequencies over all languages and a mean vector for each language, of the live items."""

    def __init__(self, prior_means: dict[str, NDArray[np.float32]] | None = None) -> None:
        self.items = 0
        self.grams = np.zeros(BUCKETS, dtype=np.int32)
        self.names = np.zeros(BUCKETS, dtype=np.int32)
        self.skeletons = np.zeros(BUCKETS, dtype=np.int32)
        self.places = np.zeros(BUCKETS, dtype=np.int32)
        self.countries = np.zeros(BUCKETS, dtype=np.int32)
        self.numbers = np.zeros(BUCKETS, dtype=np.int32)
        self._prior = prior_means or {}
        self._sums: dict[str, NDArray[np.int64]] = {}
        self._counts: dict[str, int] = {}
        self._means: dict[str, NDArray[np.float32]] = {}

    def add(self, profile: Profile) -> None:
        """Count `profile`."""
        self._count(profile, 1)

    def remove(self, profile: Profile) -> None:
        """Undo `add` of the same profile."""
        self._count(profile, -1)

    def _count(self, profile: Profile, sign: int) -> None:
        self.items += sign
        self.grams[profile.gram_ids] += sign
        self.names[profile.name_ids] += sign
        self.skeletons[profile.skeleton_ids] += sign
        self.places[profile.place_ids] += sign
        self.countries[profile.country_ids] += sign
        self.numbers[profile.number_ids] += sign
        if profile.vector is not None:
            fixed = np.rint(profile.vector.astype(np.float64) * SCALE).astype(np.int64)
            for language in (profile.language, ""):
                if language in self._sums and len(self._sums[language]) == len(fixed):
                    self._sums[language] += sign * fixed
                else:
                    self._sums[language] = sign * fixed
                    self._counts[language] = 0
                self._counts[language] += sign
            self._means.clear()

    def mean(self, language: str, dimensions: int) -> NDArray[np.float32]:
        """The mean vector of a language: of its live items, shrunk to the prior, else to the mean of all."""
        if language not in self._means:
            total = self._sums.get("", np.zeros(dimensions, dtype=np.int64)) / SCALE
            overall = total / max(1, self._counts.get("", 0))
            prior = self._prior.get(language)
            base = overall if prior is None or len(prior) != dimensions else prior.astype(np.float64)
            own = self._sums.get(language, np.zeros(dimensions, dtype=np.int64)) / SCALE
            count = self._counts.get(language, 0)
            self._means[language] = ((own + PRIOR_WEIGHT * base) / (count + PRIOR_WEIGHT)).astype(np.float32)
        return self._means[language]
