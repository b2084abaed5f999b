"""Average linkage over a matrix of probabilities: what the repair pass compares the stories with."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["agreement", "average_linkage"]

Matrix = NDArray[np.float64]


def average_linkage(together: Matrix, weights: NDArray[np.float64], threshold: float) -> list[list[int]]:
    """Groups of row numbers: the two groups whose rows agree most on average join, while that average is >= `threshold`.

    `together` is symmetric, shape (n, n), the probability that two rows belong together; `weights` (n,) counts a row for
    more than one. O(n³) in time with a small constant: n up to a few hundred. Of equal pairs the first joins, so that the
    result depends on nothing but the arguments.
    """
    n = len(together)
    groups = [[row] for row in range(n)]
    mean = together.copy()
    np.fill_diagonal(mean, -1.0)
    size = weights.astype(np.float64).copy()
    best = mean.argmax(axis=1) if n else np.zeros(0, np.int64)
    value = mean[np.arange(n), best]
    for _ in range(n - 1):
        a = int(value.argmax())
        if value[a] < threshold:
            break
        b = int(best[a])
        a, b = min(a, b), max(a, b)
        merged = (size[a] * mean[a] + size[b] * mean[b]) / (size[a] + size[b])
        size[a] += size[b]
        mean[a], mean[:, a] = merged, merged
        mean[b], mean[:, b] = -1.0, -1.0
        mean[a, a] = -1.0
        groups[a] += groups[b]
        groups[b] = []
        stale = np.flatnonzero((best == a) | (best == b) | (mean[:, a] > value))
        for row in {*stale.tolist(), a}:
            best[row] = mean[row].argmax()
            value[row] = mean[row, best[row]]
        value[b] = -1.0
    return [sorted(group) for group in groups if group]


def agreement(together: Matrix, weights: NDArray[np.float64], labels: list[int], threshold: float) -> float:
    """What correlation clustering maximises: the sum of (probability - threshold) over the pairs of one group."""
    of = np.asarray(labels)
    same = of[:, None] == of[None, :]
    gain = (together - threshold) * weights[:, None] * weights[None, :]
    np.fill_diagonal(gain, 0.0)
    return float(gain[same].sum() / 2)
