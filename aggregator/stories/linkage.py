"""Agglomerative grouping over a matrix of pair probabilities: what the repair pass compares the stories with."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Doubt", "grouped"]

NEARLY: Final = -2.0  # evidence: below, two groups are not in doubt

Floats = NDArray[np.float64]
Evidences = Callable[[Floats, float, Floats], Floats]
Doubt = tuple[float, list[int], list[int]]


def grouped(together: Floats, evidences: Evidences, doubts: list[Doubt] | None = None) -> list[list[int]]:
    """Groups of row numbers: the two groups with the most evidence for each other join, while that is at least 0.

    `together` is symmetric, shape (n, n): the probability that two rows belong together. `evidences(means, size, sizes)` is
    the evidence between one group and others, given the mean probabilities of their pairs and their sizes. O(n³) in time with a
    small constant: n up to a few hundred. Of equal pairs the first joins, so that the result depends on nothing else.

    `doubts` is a list to add to: (evidence, rows of one group, rows of the other) of each two groups that joined, and of those left
    that nearly did.
    """
    n = len(together)
    if not n:
        return []
    groups = [[row] for row in range(n)]
    mean = together.copy()
    size = np.ones(n)
    score = np.stack([evidences(mean[row], 1.0, size) for row in range(n)])
    np.fill_diagonal(score, -np.inf)
    for _ in range(n - 1):
        a, b = sorted(divmod(int(score.argmax()), n))
        if not score[a, b] >= 0:
            break
        if doubts is not None:
            doubts.append((float(score[a, b]), list(groups[a]), list(groups[b])))
        merged = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        size[a] += size[b]
        mean[a], mean[:, a] = merged, merged
        groups[a] += groups[b]
        groups[b] = []
        gone = np.array([not group for group in groups])
        row = evidences(mean[a], float(size[a]), size)
        row[gone] = -np.inf
        row[a] = -np.inf
        score[a], score[:, a] = row, row
        score[b], score[:, b] = -np.inf, -np.inf
    if doubts is not None:
        near = np.argwhere(np.triu(score > NEARLY, 1)).tolist()
        doubts += [(float(score[a, b]), groups[a], groups[b]) for a, b in near if score[a, b] < 0]
    return [sorted(group) for group in groups if group]
