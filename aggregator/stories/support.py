"""A second look at pairs: what two items have in common with third ones.

Two tellings in languages that share no letter may have little in common, while each is close to the same third item;
and two items of one kind of event may be alike while no third item is close to both. So the probabilities of a whole group are
looked at once more, together (a form of collective classification; Sen et al., AI Magazine 2008).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUPPORT", "support", "supported"]

SUPPORT: Final = ("log_odds", "common", "share")  # the features of a pair
FEWEST_ODDS: Final = 1e-5
CLOSE: Final = 0.01  # a probability below is none
MOST_COMMON: Final = 3.0  # third items; more say no more

Floats = NDArray[np.float64]


def support(together: Floats) -> Floats:
    """SUPPORT for every pair of rows, shape (n, n, 3), from the probabilities `together`, symmetric, shape (n, n).

    `common` is the number of third items that both belong with, as expected: the sum over k of p(i, k) p(k, j). `share` is
    that over the number of items that either belongs with.
    """
    chance = together.clip(FEWEST_ODDS, 1 - FEWEST_ODDS)
    np.fill_diagonal(chance, 0.0)
    close = np.where(chance < CLOSE, 0.0, chance)
    common = close @ close
    company = close.sum(1)
    share = common / np.maximum(company[:, None] + company[None, :] - common - chance + 0.5, 0.5)
    np.fill_diagonal(chance, 0.5)
    return np.stack([np.log(chance / (1 - chance)), np.minimum(common, MOST_COMMON), share], axis=2)


def supported(together: Floats, weights: dict[str, float]) -> Floats:
    """The probabilities once third items have been heard; symmetric, ones on the diagonal."""
    odds = support(together) @ np.array([weights[name] for name in SUPPORT]) + weights["bias"]
    result: Floats = 1 / (1 + np.exp(-odds.clip(-30, 30)))
    np.fill_diagonal(result, 1.0)
    return result
