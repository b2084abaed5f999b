"""The live window: items with their stories, as long as a story may still change."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from aggregator.stories.features import Profile

__all__ = ["Live", "Member", "Story"]


@dataclass(slots=True)
class Member:
    """A live item in its story. `reprint_of` names the item whose text it repeats."""

    profile: Profile
    story_id: int
    reprint_of: int | None = None


@dataclass(slots=True)
class Story:
    """A live story: ids of its items, and when the first and the last of them were published, in hours since the epoch."""

    story_id: int
    item_ids: set[int] = field(default_factory=set)
    first: float = inf
    last: float = -inf


class Live:
    """Members by item id and stories by story id; the two always agree."""

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.stories: dict[int, Story] = {}

    def put(self, member: Member) -> None:
        """Put an item into its story; a story that is new begins with it."""
        self.members[member.profile.item_id] = member
        story = self.stories.setdefault(member.story_id, Story(member.story_id))
        story.item_ids.add(member.profile.item_id)
        hours = member.profile.hours
        story.first, story.last = min(story.first, hours), max(story.last, hours)

    def take(self, item_id: int) -> Member:
        """Take an item out; a story without items is no more."""
        member = self.members.pop(item_id)
        story = self.stories[member.story_id]
        story.item_ids.remove(item_id)
        if not story.item_ids:
            del self.stories[member.story_id]
        elif member.profile.hours in {story.first, story.last}:
            hours = [self.members[i].profile.hours for i in story.item_ids]
            story.first, story.last = min(hours), max(hours)
        return member

    def move(self, item_id: int, story_id: int) -> None:
        """Put an item into another story."""
        member = self.take(item_id)
        member.story_id = story_id
        self.put(member)

    def texts(self, item_ids: Iterable[int]) -> list[Profile]:
        """Profiles of those with a text of their own, by item id; of all, when none has."""
        ids = sorted(item_ids)
        own = [self.members[i].profile for i in ids if self.members[i].reprint_of is None]
        return own or [self.members[i].profile for i in ids]
