"""The item that stands for its story: the one that most of the others resemble."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import Profile, unpack_vectors
from aggregator.stories.statistics import Statistics

__all__ = ["most_central"]


def most_central(members: Sequence[Profile], language: str, stats: Statistics) -> int:
    """The id of the member nearest to the middle of all, of `language` when there is one in it.

    The middle is of the vectors, each less its language's mean; where one has none, of the character 4-grams. Of equal
    ones the earliest is taken.
    """
    readers = {i for i, member in enumerate(members) if member.language == language} or set(range(len(members)))
    central = _by_vectors(members, stats)
    if central is None:
        central = _by_grams(members)
    chosen = min(readers, key=lambda i: (-round(float(central[i]), 4), members[i].hours, members[i].item_id))
    return members[chosen].item_id


def _by_vectors(members: Sequence[Profile], stats: Statistics) -> NDArray[np.float64] | None:
    vectors = [member.packed_vector or b"" for member in members]
    if not all(vectors) or len({len(vector) for vector in vectors}) != 1:
        return None
    rows = unpack_vectors(vectors).astype(np.float64)
    rows -= stats.means([member.language for member in members], rows.shape[1])
    rows /= np.maximum(np.linalg.norm(rows, axis=1), 1e-9)[:, None]
    central: NDArray[np.float64] = rows @ rows.mean(axis=0)
    return central


def _by_grams(members: Sequence[Profile]) -> NDArray[np.float64]:
    shared = Counter(gram for member in members for gram in member.gram_ids.tolist())
    return np.array([sum(shared[g] for g in m.gram_ids.tolist()) / max(1, len(m.gram_ids)) ** 0.5 for m in members])
