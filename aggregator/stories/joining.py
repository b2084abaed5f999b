"""When do two groups of items belong together? Log-odds from the mean probability of their pairs, and from their sizes.

The mean alone is not enough. In a long story far pairs pull it down (a first alert and the last count of the dead, two
languages without a common letter), so the same mean says more the more pairs it is taken over. Two groups that have each
found their own company need more than an item that has none.

There are two rules. A new item is judged by its own pairs alone (`evidence`); and the more items are live, the more of them look
alike by chance, so there the crowd counts. A repair pass judges groups by pairs that have been looked at together
(`group_evidences`, after support.py), where the crowd no longer matters.

The coefficients for groups lie on the flat top of the mean score over the labelled sets A to H, each by a model trained on the
others (benchmarks/stories/joining.py prints the sweep); GROUP_BIAS leans to precision, see docs/stories.md.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["attached", "evidence", "group_evidences", "likelihood"]

BIAS: Final = 0.85
PER_MEMBER: Final = 0.7  # for each e-fold of members the mean is taken over
PER_LIVE: Final = -0.4  # for each e-fold of live items beyond …
LIVE: Final = 600  # … so many
FEWEST: Final = 120  # of fewer live items nothing was measured; of more than MOST neither
MOST: Final = 200_000

GROUP_BIAS: Final = -0.35
GROUP_PER_PAIRS: Final = 0.7  # for each e-fold of pairs the mean is taken over
GROUP_PER_SMALLER: Final = -1.8  # for each e-fold of the smaller group's size
STAY: Final = 1.5  # log-odds more for pairs that are in one story already
_EDGE: Final = 1e-4

Floats = NDArray[np.float64]


def evidence(mean: float, members: int, live: int) -> float:
    """Log-odds that an item belongs to a story, from the mean probability of its pairs with so many members. Above 0: it does."""
    chance = min(max(mean, _EDGE), 1 - _EDGE)
    crowd = PER_LIVE * math.log(min(max(live, FEWEST), MOST) / LIVE)
    return math.log(chance / (1 - chance)) + PER_MEMBER * math.log(members) + BIAS + crowd


def group_evidences(mean: Floats, one: float, others: Floats) -> Floats:
    """Log-odds that a group of `one` items and each of the groups of `others` items tell the same event. Above 0: join.

    `mean` is the mean of the probabilities that support.py gives the pairs of each two groups.
    """
    chance = mean.clip(_EDGE, 1 - _EDGE)
    result: Floats = (
        np.log(chance / (1 - chance))
        + GROUP_PER_PAIRS * np.log(one * others)
        + GROUP_PER_SMALLER * np.log(np.minimum(one, others))
        + GROUP_BIAS
    )
    return result


def attached(chance: Floats, settled: NDArray[np.bool_]) -> Floats:
    """`chance`, probabilities of pairs, with STAY for those that are `settled`, in one story now.

    What third items say depends on which of them a repair pass has before it. Without this, passes over items to which nothing
    has happened would take stories apart and put them together again: 24 of 40 passes did so, instead of 8 (set D).
    """
    certain = 1e-6
    inside = chance.clip(certain, 1 - certain)
    odds = np.log(inside / (1 - inside)) + STAY * settled
    result: Floats = 1 / (1 + np.exp(-odds))
    return result


def likelihood(log_odds: float) -> float:
    """Log-odds as a probability between 0 and 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
