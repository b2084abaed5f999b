"""How well an item fits each story it might join: the average over the story's members, not the nearest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.candidates import Candidates
from aggregator.stories.features import Profile
from aggregator.stories.joining import evidence
from aggregator.stories.live import Live
from aggregator.stories.model import PairModel
from aggregator.stories.statistics import Statistics

__all__ = ["Fit", "Pairs"]

WORTH_A_LOOK: Final = -2.0  # log-odds: a story none of whose candidates has more evidence than this is not looked at
STORIES_LOOKED_AT: Final = 8
MEMBERS_ASKED: Final = 24  # of a longer story, the members nearest in time speak for it


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an item fits a story: log-odds (join above 0), the mean of its members' probabilities, the best and whose that is."""

    story_id: int
    evidence: float
    mean: float
    best: float
    nearest_item_id: int
    members: int


class Pairs:
    """Live items with what is needed to compare any two: the model, the statistics, the index."""

    def __init__(self, model: PairModel, window_hours: float) -> None:
        self.live = Live()
        self.stats = Statistics()
        self.index = Candidates()
        self._model = model
        self._window = window_hours

    def enter(self, profile: Profile) -> None:
        """Count and index an item."""
        self.stats.add(profile)
        self.index.add(profile)

    def leave(self, profile: Profile) -> None:
        """Undo `enter`."""
        self.stats.remove(profile)
        self.index.remove(profile)

    def probabilities(self, profile: Profile, others: Sequence[Profile]) -> NDArray[np.float64]:
        """The probability for each of `others` that it tells the same event; 0 beyond the window of time."""
        chances = self._model.probabilities(profile, others, self.stats)
        apart = np.array([abs(other.hours - profile.hours) for other in others])
        return np.where(apart <= self._window, chances, 0.0)

    def supported(self, together: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probabilities of a region's pairs once third items have been heard, see support.py."""
        return self._model.supported(together)

    def explain(self, profile: Profile, other: Profile) -> dict[str, float | int | str]:
        """What spoke for or against the pair."""
        return self._model.explain(profile, other, self.stats)

    def neighbours(self, profile: Profile) -> list[tuple[float, int]]:
        """Live items that may tell the same event: (probability, item id), the likeliest first."""
        ids = self.index.find(profile)
        chances = self.probabilities(profile, [self.live.members[i].profile for i in ids])
        return sorted(
            ((float(p), i) for p, i in zip(chances, ids, strict=True)), key=lambda entry: (-entry[0], entry[1])
        )

    def fits(self, profile: Profile) -> list[Fit]:
        """The stories that `profile` might join, the best fit first; its own story without itself."""
        near = self.neighbours(profile)
        known = {item_id: chance for chance, item_id in near}
        best: dict[int, tuple[float, int]] = {}
        for chance, item_id in near:  # the likeliest first
            if len(best) == STORIES_LOOKED_AT or evidence(chance, 1, len(self.live.members)) < WORTH_A_LOOK:
                break
            best.setdefault(self.live.members[item_id].story_id, (chance, item_id))
        voices = {story_id: self._voices(story_id, profile) for story_id in best}
        unknown = [m for members in voices.values() for m in members if m.item_id not in known]
        chances = self.probabilities(profile, unknown).tolist()
        known.update(zip((m.item_id for m in unknown), chances, strict=True))
        found = []
        for story_id, (chance, nearest) in best.items():
            members = voices[story_id]
            mean = sum(known[m.item_id] for m in members) / len(members)
            found.append(self._fit(story_id, mean, chance, nearest, len(members)))
        return sorted(found, key=lambda fit: (-fit.evidence, fit.story_id))

    def fit(self, profile: Profile, story_id: int) -> Fit | None:
        """How well an item fits one story, itself left out; None when the story has no other member."""
        members = self._voices(story_id, profile)
        if not members:
            return None
        chances = self.probabilities(profile, members)
        best = int(chances.argmax())
        return self._fit(story_id, float(chances.mean()), float(chances[best]), members[best].item_id, len(members))

    def _fit(self, story_id: int, mean: float, best: float, nearest: int, members: int) -> Fit:
        return Fit(story_id, evidence(mean, members, len(self.live.members)), mean, best, nearest, members)

    def _voices(self, story_id: int, profile: Profile) -> list[Profile]:
        ids = self.live.stories[story_id].item_ids - {profile.item_id}
        members = self.live.texts(ids)
        if len(members) > MEMBERS_ASKED:
            members.sort(key=lambda m: (abs(m.hours - profile.hours), m.item_id))
        return members[:MEMBERS_ASKED]
