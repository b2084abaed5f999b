"""When do two groups of items belong together? Log-odds from the mean probability of their pairs, their sizes, and the crowd.

The mean alone is not enough. In a long story far pairs pull it down (a first alert and the last count of the dead, two
languages without a common letter), so the same mean says more the more members it is taken over. Two groups that have each
found their own company need more than an item that has none. And the more items are live, the more of them look alike
by chance: of 2,000 items at once, a mean of 0.27 is worth what 0.12 is worth among 120.

The coefficients were chosen on the labelled sets A to D, pooled or thinned to 119 to 2,093 items; the scripts that fitted the
sizes and the crowd are not kept. benchmarks/stories/joining.py sweeps BIAS alone and scores the rule on sets left out.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["evidence", "evidences", "likelihood"]

BIAS: Final = 0.95
PER_PAIRS: Final = 0.35  # for each e-fold of pairs the mean is taken over
PER_SMALLER: Final = -1.0  # for each e-fold of the smaller group's size
PER_LIVE: Final = -0.4  # for each e-fold of live items beyond …
LIVE: Final = 600  # … so many
FEWEST: Final = 120  # of fewer live items nothing was measured; of more than MOST neither
MOST: Final = 200_000
_EDGE: Final = 1e-4

Floats = NDArray[np.float64]


def evidences(mean: Floats, one: float, others: Floats, live: int) -> Floats:
    """Log-odds that a group of `one` items and each of the groups of `others` items tell the same event.

    `mean` is the mean probability of the pairs of each two groups, `live` the number of live items. Above 0: join.
    """
    chance = mean.clip(_EDGE, 1 - _EDGE)
    result: Floats = (
        np.log(chance / (1 - chance))
        + PER_PAIRS * np.log(one * others)
        + PER_SMALLER * np.log(np.minimum(one, others))
        + _bias(live)
    )
    return result


def evidence(mean: float, one: int, other: int, live: int) -> float:
    """`evidences` of two groups."""
    chance = min(max(mean, _EDGE), 1 - _EDGE)
    sizes = PER_PAIRS * math.log(one * other) + PER_SMALLER * math.log(min(one, other))
    return math.log(chance / (1 - chance)) + sizes + _bias(live)


def _bias(live: int) -> float:
    return BIAS + PER_LIVE * math.log(min(max(live, FEWEST), MOST) / LIVE)


def likelihood(log_odds: float) -> float:
    """Log-odds as a probability between 0 and 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
