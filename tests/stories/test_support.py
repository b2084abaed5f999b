"""The second look at pairs: what third items say."""

import json
from importlib.resources import files

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aggregator.stories.support import SUPPORT, support, supported

WEIGHTS = json.loads(files("aggregator.stories").joinpath("weights.json").read_text("utf-8"))["support"]
HALF = arrays(np.float64, st.integers(1, 7).map(lambda n: (n, n)), elements=st.floats(0, 1))
SYMMETRIC = HALF.map(lambda half: np.triu(half, 1) + np.triu(half, 1).T + np.eye(len(half)))


@given(SYMMETRIC)
def test_it_is_what_its_definition_says(together):
    """Each feature of each pair equals a plain sum over third items."""
    found = support(together)
    n = len(together)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            near = [[together[a, k] if k != a and together[a, k] >= 0.01 else 0.0 for k in range(n)] for a in (i, j)]
            near = np.minimum(np.array(near), 1 - 1e-5)
            common = float(near[0] @ near[1])
            chance = min(max(together[i, j], 1e-5), 1 - 1e-5)
            share = common / max(near.sum() - common - chance + 0.5, 0.5)
            np.testing.assert_allclose(found[i, j], [np.log(chance / (1 - chance)), min(common, 3.0), share], atol=1e-9)


@given(SYMMETRIC)
def test_probabilities_stay_probabilities(together):
    """Symmetric, between 0 and 1, ones on the diagonal; and what was given is left as it was."""
    before = together.copy()
    found = supported(together, WEIGHTS)
    np.testing.assert_array_equal(before, together)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diag(found) == 1).all()


def test_a_third_item_speaks_for_a_pair():
    """Two items of even odds belong together when a third is close to both, and do not when it is close to one alone."""
    alone = np.array([[1, 0.5, 0.0], [0.5, 1, 0.0], [0.0, 0.0, 1]])
    both = np.array([[1, 0.5, 0.9], [0.5, 1, 0.9], [0.9, 0.9, 1]])
    one = np.array([[1, 0.5, 0.9], [0.5, 1, 0.0], [0.9, 0.0, 1]])
    heard = [supported(matrix, WEIGHTS)[0, 1] for matrix in (one, alone, both)]
    assert heard == sorted(heard)
    assert heard[2] > 0.9
    assert heard[1] < 0.5
    assert set(WEIGHTS) == {"bias", *SUPPORT}
