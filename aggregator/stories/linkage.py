"""Agglomerative grouping over a matrix of pair probabilities: what the repair pass compares the stories with."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["grouped"]

Floats = NDArray[np.float64]
Evidences = Callable[[Floats, float, Floats], Floats]


def grouped(together: Floats, evidences: Evidences) -> list[list[int]]:
    """Groups of row numbers: the two groups with the most evidence for each other join, while that is at least 0.

    `together` is symmetric, shape (n, n): the probability that two rows belong together. `evidences(means, size, sizes)` is
    the evidence between one group and others, given the mean probabilities of their pairs and their sizes. O(n³) in time with a
    small constant: n up to a few hundred. Of equal pairs the first joins, so that the result depends on nothing else.
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
    return [sorted(group) for group in groups if group]
