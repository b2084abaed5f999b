"""A bounded look back over stories that changed: what grouping them all at once would have made of them.

The online decision sees a story when it is small; this pass sees it whole. Stories that any likely pair ties to a
changed item form a region; its items are grouped anew, and merges, splits and moves lead there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.models import Merge, Move, Repair, Split
from aggregator.stories.features import Profile
from aggregator.stories.joining import attached, evidence, group_evidences, likelihood
from aggregator.stories.linkage import Doubt, grouped
from aggregator.stories.scoring import Pairs
from aggregator.stories.verdicts import Questions, Verdicts

__all__ = ["regions", "regroup"]

LINK: Final = -1.0  # pairs with more evidence than this tie two stories into one region: log-odds, 0 would join them
REGION_TEXTS: Final = 120  # the most texts that are grouped together


def regions(pairs: Pairs, item_ids: Iterable[int], verdicts: Verdicts) -> list[list[int]]:
    """Groups of stories to be looked at together: those of the given items, with those that likely pairs or verdicts tie them to."""
    live = pairs.live
    ties: list[tuple[float, int, int]] = []
    touched: set[int] = set()
    for item_id in item_ids:
        touched.add(live.members[item_id].story_id)
        ties += _ties(pairs, item_id, verdicts)
    home = {story_id: story_id for _, a, b in ties for story_id in (a, b)} | {s: s for s in touched}
    size = {story_id: len(live.stories[story_id].item_ids) for story_id in home}

    def root(story_id: int) -> int:
        while home[story_id] != story_id:
            home[story_id] = home[home[story_id]]
            story_id = home[story_id]
        return story_id

    for _, a, b in sorted(set(ties)):
        low, high = sorted((root(a), root(b)))
        if low != high and size[low] + size[high] <= REGION_TEXTS:
            home[high] = low
            size[low] += size[high]
    found: dict[int, list[int]] = defaultdict(list)
    for story_id in sorted(home):
        found[root(story_id)].append(story_id)
    return [stories for stories in found.values() if touched.intersection(stories)]


def _ties(pairs: Pairs, item_id: int, verdicts: Verdicts) -> Iterator[tuple[float, int, int]]:
    """(less the probability, story, other story) of the pairs of one item that tie its story to another, or to itself."""
    members = pairs.live.members
    own = members[item_id]
    for other_id in verdicts.same(item_id):
        if other_id in members:
            yield -1.0, own.story_id, members[other_id].story_id
    for chance, other_id in pairs.neighbours(own.profile):
        if evidence(chance, 1, len(members)) < LINK:
            return
        yield -chance, own.story_id, members[other_id].story_id


def regroup(
    pairs: Pairs, story_ids: list[int], new_id: Callable[[], int], verdicts: Verdicts, questions: Questions
) -> list[Repair]:
    """Group the items of these stories anew, as `verdicts` say; the repairs that were made, in the order in which they were.

    What is in doubt goes into `questions`.
    """
    live = pairs.live
    texts = sorted(
        i
        for story_id in story_ids
        for i in live.stories[story_id].item_ids
        if live.members[i].reprint_of not in live.members
    )[:REGION_TEXTS]
    questions.see(texts)
    if len(texts) < 2:  # noqa: PLR2004 - one text is one story
        return []
    profiles = [live.members[i].profile for i in texts]
    stories = np.array([live.members[i].story_id for i in texts])
    heard = verdicts.heard(pairs.supported(_matrix(pairs, profiles), profiles), texts)
    together = attached(heard, stories[:, None] == stories[None, :])
    doubts: list[Doubt] | None = [] if questions else None
    groups = grouped(together, group_evidences, doubts)
    if doubts is not None:
        questions.ask(together, profiles, doubts, verdicts)
    return _lead_to(pairs, [[texts[row] for row in group] for group in groups], new_id)


def _matrix(pairs: Pairs, profiles: list[Profile]) -> NDArray[np.float64]:
    together = np.ones((len(profiles), len(profiles)))
    for row in range(1, len(profiles)):
        together[row, :row] = pairs.probabilities(profiles[row], profiles[:row])
        together[:row, row] = together[row, :row]
    return together


def _lead_to(pairs: Pairs, groups: list[list[int]], new_id: Callable[[], int]) -> list[Repair]:
    """Carry out what makes each of `groups` one story; a story stays where most of its items are."""
    whole = [_with_reprints(pairs, group) for group in groups]
    target = _targets(pairs, whole)
    repairs: list[Repair] = []
    for number, group in enumerate(whole):
        if number not in target:
            target[number] = new_id()
            repairs.append(_split_off(pairs, group, target[number]))
    for number, group in enumerate(whole):
        repairs += _bring_in(pairs, group, target[number], set(target.values()))
    return repairs


def _targets(pairs: Pairs, groups: list[list[int]]) -> dict[int, int]:
    """{number of a group: the story that it stays}: most shared items first, then the oldest story; none for some."""
    shared = Counter((pairs.live.members[i].story_id, number) for number, group in enumerate(groups) for i in group)
    target: dict[int, int] = {}
    for (story_id, number), _ in sorted(shared.items(), key=lambda entry: (-entry[1], entry[0])):
        if number not in target and story_id not in target.values():
            target[number] = story_id
    return target


def _split_off(pairs: Pairs, group: list[int], new_id: int) -> Split:
    """Found a story with those of `group` that come from the story where most of it is."""
    members = pairs.live.members
    shared = Counter(members[i].story_id for i in group)
    source = min(shared, key=lambda story_id: (-shared[story_id], story_id))
    leaving = tuple(i for i in group if members[i].story_id == source)
    for item_id in leaving:
        pairs.live.move(item_id, new_id)
    return Split(source, new_id, leaving, "its items fell apart")


def _bring_in(pairs: Pairs, group: list[int], into: int, staying: set[int]) -> list[Repair]:
    """Bring the rest of `group` into its story: whole stories that end with it as merges, others item by item."""
    live = pairs.live
    repairs: list[Repair] = []
    for story_id in sorted({live.members[i].story_id for i in group} - {into}):
        leaving = [i for i in group if live.members[i].story_id == story_id]
        whole = len(leaving) == len(live.stories[story_id].item_ids) and story_id not in staying
        for item_id in leaving:
            live.move(item_id, into)
        if whole:
            repairs.append(Merge(story_id, into, "they tell the same event"))
            continue
        for item_id in leaving:
            fit = pairs.fit(live.members[item_id].profile, into)
            sure = round(likelihood(fit.evidence), 4) if fit else 1.0
            repairs.append(Move(item_id, story_id, into, sure, "it fits better there"))
    return repairs


def _with_reprints(pairs: Pairs, group: list[int]) -> list[int]:
    """The texts of `group` and the live items that repeat them."""
    live = pairs.live
    found = set(group)
    for item_id in group:
        story = live.stories[live.members[item_id].story_id]
        found.update(i for i in story.item_ids if live.members[i].reprint_of == item_id)
    return sorted(found)
