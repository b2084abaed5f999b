"""What a judge said of pairs of items, and what it is worth asking: the doubts of a repair pass.

A judge knows nothing of stories; it says of two items whether they tell the same event. That holds for what goes with either
of them, too, as far as it does: if a and b tell one event, then a and c do as surely as b and c.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.models import Doubts, Question, Verdict
from aggregator.stories.features import Profile
from aggregator.stories.joining import likelihood
from aggregator.stories.linkage import Doubt

__all__ = ["Questions", "Verdicts"]

SAME: Final = (
    0.97  # probability of one event for a pair that a judge says it of: judges err too, and a whole group outvotes one
)
DIFFERENT: Final = 0.03  # for a pair of which it denies it
LEAST_DOUBT: Final = 0.2  # probability that a decision is wrong: below, a judge that errs now and then knows no better

Floats = NDArray[np.float64]


class Verdicts:
    """Verdicts by pair; of several on one pair the latest counts."""

    def __init__(self, verdicts: Iterable[Verdict] = ()) -> None:
        self._by_item: dict[int, dict[int, bool]] = defaultdict(dict)
        for one in sorted(verdicts, key=lambda verdict: verdict.verdict_id):
            self._by_item[one.item_id][one.other_id] = one.same
            self._by_item[one.other_id][one.item_id] = one.same

    def __bool__(self) -> bool:
        return bool(self._by_item)

    def __contains__(self, pair: tuple[int, int]) -> bool:
        return pair[1] in self._by_item.get(pair[0], {})

    def same(self, item_id: int) -> list[int]:
        """The items that are said to tell the same event as this one."""
        return sorted(other for other, same in self._by_item.get(item_id, {}).items() if same)

    def heard(self, together: Floats, item_ids: Sequence[int]) -> Floats:
        """The probabilities `together`, symmetric, shape (n, n), of these items' pairs, with what the verdicts say of them.

        For a verdict on a and b, p(a, c) becomes p(b, c) v + (1 - p(b, c)) p(a, c), v being SAME or DIFFERENT, and p(b, c) likewise.
        """
        row = {item_id: number for number, item_id in enumerate(item_ids)}
        found = [
            (row[a], row[b], SAME if same else DIFFERENT)
            for a in item_ids
            for b, same in sorted(self._by_item.get(a, {}).items())
            if a < b and b in row
        ]
        if not found:
            return together
        result = together.copy()
        for a, b, said in found:
            for one, other in ((a, b), (b, a)):
                weight = together[other]
                result[one] = weight * said + (1 - weight) * result[one]
                result[:, one] = result[one]
        for a, b, said in found:
            result[a, b] = result[b, a] = said
        np.fill_diagonal(result, 1.0)
        return result


class Questions:
    """The questions worth most of a pass, at most `most`; none with `most` 0, which costs nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, int]] = []
        self._seen: set[int] = set()

    def __bool__(self) -> bool:
        return self._most > 0

    def see(self, item_ids: Iterable[int]) -> None:
        """The pass looks at these items: what is not asked of them now is not in doubt any more."""
        self._seen.update(item_ids)

    def ask(
        self,
        together: Floats,
        members: Sequence[Profile],
        doubts: Iterable[Doubt],
        known: Verdicts,
    ) -> None:
        """Take in the doubts of one region: of each the evidence that two groups belong together, and their rows.

        What is at stake is the number of items whose company is wrong if the decision is, times the probability that it is.
        Of each two groups the pair is asked that stands for them best: most in the middle of its own group, of two outlets when
        there are such, not judged before.
        """
        for evidence, one, other in doubts:
            doubt = likelihood(-abs(evidence))
            stake = doubt * 2 * len(one) * len(other) / (len(one) + len(other))
            if doubt < LEAST_DOUBT or (len(self._heap) == self._most and stake <= self._heap[0][0]):
                continue
            pair = _spokesmen(together, members, one, other, known)
            if pair is None:
                continue
            entry = (stake, -pair[0], -pair[1])
            if len(self._heap) < self._most:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)

    def found(self) -> Doubts:
        """What the pass has seen, and what of it is worth most to ask."""
        ordered = sorted(self._heap, reverse=True)
        questions = tuple(Question(-item_id, -other_id, round(stake, 3)) for stake, item_id, other_id in ordered)
        return Doubts(questions, frozenset(self._seen))


def _spokesmen(
    together: Floats, members: Sequence[Profile], one: list[int], other: list[int], known: Verdicts
) -> tuple[int, int] | None:
    """Ids of the pair that stands for the two groups of rows, the lower first."""
    centre = {row: together[row, group].mean() for group in (one, other) for row in group}
    pairs = [
        (
            members[a].outlet_id == members[b].outlet_id,
            -(centre[a] + centre[b]),
            *sorted((members[a].item_id, members[b].item_id)),
        )
        for a in one
        for b in other
    ]
    return next(((a, b) for _, _, a, b in sorted(pairs) if (a, b) not in known), None)
