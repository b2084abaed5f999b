"""How well an item fits each story it might join: the average over the story's members, not the nearest of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.candidates import Candidates
from aggregator.stories.features import Profile
from aggregator.stories.frames import APART_H, Frames, same_frame
from aggregator.stories.joining import evidence
from aggregator.stories.live import Live
from aggregator.stories.model import PairModel
from aggregator.stories.statistics import Statistics

__all__ = ["Fit", "Pairs"]

WORTH_A_LOOK: Final = -2.0  # log-odds: a story none of whose candidates has more evidence than this is not looked at
STORIES_LOOKED_AT: Final = 8
FOLLOWS: Final = (
    0.9  # the least probability of two items of one outlet within a day whose titles differ in figures alone
)
MEMBERS_ASKED: Final = 24  # of a longer story, the members nearest in time speak for it


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an item fits a story: log-odds (join above 0), the mean of its members' probabilities, the best and whose that is.

    `features` are those of the pair with the nearest.
    """

    story_id: int
    evidence: float
    mean: float
    best: float
    nearest_item_id: int
    members: int
    features: NDArray[np.float64] = field(repr=False, compare=False)


class Pairs:
    """Live items with what is needed to compare any two: the model, the statistics, the index."""

    def __init__(self, model: PairModel, window_hours: float) -> None:
        self.live = Live()
        self.stats = Statistics()
        self.index = Candidates()
        self.frames = Frames()
        self._model = model
        self._window = window_hours

    def enter(self, profile: Profile) -> list[int]:
        """Count and index an item; the items that are known as templates since."""
        self.stats.add(profile)
        self.index.add(profile)
        return self.frames.add(profile.item_id, profile.hours, profile.frame)

    def leave(self, profile: Profile) -> None:
        """Undo `enter`."""
        self.stats.remove(profile)
        self.index.remove(profile)
        self.frames.remove(profile.item_id, profile.hours, profile.frame)

    def probabilities(self, profile: Profile, others: Sequence[Profile]) -> NDArray[np.float64]:
        """The probability for each of `others` that it tells the same event; 0 beyond the window of time."""
        return self._judged(profile, others)[0]

    def _judged(self, profile: Profile, others: Sequence[Profile]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        chances, features = self._model.judged(profile, others, self.stats)
        apart = np.array([abs(other.hours - profile.hours) for other in others])
        return self._framed(profile, others, np.where(apart <= self._window, chances, 0.0)), features

    def is_template(self, profile: Profile) -> bool:
        """Whether an item is one of many with its title's frame, see frames.py."""
        return self.frames.is_template(profile.frame)

    def _framed(self, profile: Profile, others: Sequence[Profile], chances: NDArray[np.float64]) -> NDArray[np.float64]:
        """`chances` with what the frames of titles say.

        A template tells no other item's event. Titles of one outlet that differ in figures alone, within a day, tell one event
        as long as they are no template's.
        """
        if self.is_template(profile):
            return np.zeros(len(others))
        for row, other in enumerate(others):
            if not other.frame:
                continue
            if self.is_template(other):
                chances[row] = 0.0
            elif same_frame(profile.frame, other.frame) and abs(other.hours - profile.hours) < APART_H:
                chances[row] = max(chances[row], FOLLOWS)
        return chances

    def supported(self, together: NDArray[np.float64], members: Sequence[Profile]) -> NDArray[np.float64]:
        """The probabilities of a region's pairs once third items have been heard, see support.py; 0 beyond the window still."""
        hours = np.array([member.hours for member in members])
        near = np.abs(hours[:, None] - hours[None, :]) <= self._window
        return np.where(near, self._model.supported(together), 0.0)

    def neighbours(self, profile: Profile) -> list[tuple[float, int]]:
        """Live items that may tell the same event: (probability, item id), the likeliest first."""
        return [(chance, item_id) for chance, item_id, _ in self._near(profile)]

    def _near(self, profile: Profile) -> list[tuple[float, int, NDArray[np.float64]]]:
        if self.is_template(profile):
            return []
        ids = self.index.find(profile)
        chances, features = self._judged(profile, [self.live.members[i].profile for i in ids])
        found = zip(chances.tolist(), ids, features, strict=True)
        return sorted(found, key=lambda entry: (-entry[0], entry[1]))

    def fits(self, profile: Profile) -> list[Fit]:
        """The stories that `profile` might join, the best fit first; its own story without itself."""
        near = self._near(profile)
        known = {item_id: chance for chance, item_id, _ in near}
        best: dict[int, tuple[float, int, NDArray[np.float64]]] = {}
        for chance, item_id, features in near:  # the likeliest first
            if len(best) == STORIES_LOOKED_AT or evidence(chance, 1, len(self.live.members)) < WORTH_A_LOOK:
                break
            best.setdefault(self.live.members[item_id].story_id, (chance, item_id, features))
        voices = {story_id: self._voices(story_id, profile) for story_id in best}
        unknown = [m for members in voices.values() for m in members if m.item_id not in known]
        chances = self.probabilities(profile, unknown).tolist()
        known.update(zip((m.item_id for m in unknown), chances, strict=True))
        found = []
        for story_id, (chance, nearest, features) in best.items():
            members = voices[story_id]
            mean = sum(known[m.item_id] for m in members) / len(members)
            sure = evidence(mean, len(members), len(self.live.members))
            found.append(Fit(story_id, sure, mean, chance, nearest, len(members), features))
        return sorted(found, key=lambda fit: (-fit.evidence, fit.story_id))

    def fit(self, profile: Profile, story_id: int) -> Fit | None:
        """How well an item fits one story, itself left out; None when the story has no other member."""
        members = self._voices(story_id, profile)
        if not members:
            return None
        chances, features = self._judged(profile, members)
        best, mean = int(chances.argmax()), float(chances.mean())
        sure = evidence(mean, len(members), len(self.live.members))
        return Fit(story_id, sure, mean, float(chances[best]), members[best].item_id, len(members), features[best])

    def _voices(self, story_id: int, profile: Profile) -> list[Profile]:
        ids = self.live.stories[story_id].item_ids - {profile.item_id}
        members = self.live.texts(ids)
        if len(members) > MEMBERS_ASKED:
            members.sort(key=lambda m: (abs(m.hours - profile.hours), m.item_id))
        return members[:MEMBERS_ASKED]
