"""The measures of a clustering."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories.quality import Score, adjusted_rand, bcubed, cross_lingual, pairwise, score

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=24)


def _columns(rows):
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]


def _prf(right, told, true):
    return (right / told if told else 0.0), (right / true if true else 0.0)


def _close(found, precision, recall):
    assert math.isclose(found.precision, precision, abs_tol=1e-12)
    assert math.isclose(found.recall, recall, abs_tol=1e-12)


@given(ROWS)
def test_bcubed_is_what_counting_item_by_item_gives(rows):
    """B-cubed equals its definition, computed with sets item by item."""
    gold, told, _ = _columns(rows)
    n = range(len(rows))
    precision = recall = 0.0
    for i in n:
        mine, true = {j for j in n if told[j] == told[i]}, {j for j in n if gold[j] == gold[i]}
        precision += len(mine & true) / len(mine) / len(rows)
        recall += len(mine & true) / len(true) / len(rows)
    _close(bcubed(gold, told), precision, recall)


@given(ROWS)
def test_pairs_are_what_counting_pair_by_pair_gives(rows):
    """Pairwise and cross-lingual scores, whole and for each two languages, equal a count over all pairs."""
    gold, told, languages = _columns(rows)
    pairs = list(combinations(range(len(rows)), 2))

    def count(chosen):
        right = sum(gold[i] == gold[j] and told[i] == told[j] for i, j in chosen)
        return _prf(right, sum(told[i] == told[j] for i, j in chosen), sum(gold[i] == gold[j] for i, j in chosen))

    _close(pairwise(gold, told), *count(pairs))
    whole, each = cross_lingual(gold, told, languages)
    _close(whole, *count([(i, j) for i, j in pairs if languages[i] != languages[j]]))
    for a, b in combinations("abc", 2):
        expected = count([(i, j) for i, j in pairs if {languages[i], languages[j]} == {a, b}])
        _close(each.get((a, b), Score(0.0, 0.0)), *expected)


def test_a_case_reckoned_by_hand():
    """Six items, three events: the numbers that paper and pencil give."""
    found = score("aaabbc", "112223", "xyxxyx")
    assert found.bcubed.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)
    assert found.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert (found.pairs.precision, found.pairs.recall) == (0.5, 0.5)
    assert (found.cross_lingual.precision, found.cross_lingual.recall) == pytest.approx((2 / 3, 2 / 3))
    assert found.by_language["y"].f1 == 1.0
    assert (found.items, found.gold_clusters, found.stories) == (6, 3, 3)


@given(ROWS)
def test_agreement_of_two_clusterings(rows):
    """The adjusted Rand index is 1 for a relabelled copy and does not depend on which clustering comes first."""
    gold, told, _ = _columns(rows)
    assert adjusted_rand(gold, [f"s{g}" for g in gold]) == pytest.approx(1.0)
    assert adjusted_rand(gold, told) == pytest.approx(adjusted_rand(told, gold))


def test_chance_agreement_is_worth_nothing():
    """Two independent clusterings of a thousand items agree at about 0."""
    one = [i % 7 for i in range(1001)]
    assert abs(adjusted_rand(one, [i % 11 for i in range(1001)])) < 0.01
