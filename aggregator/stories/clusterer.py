"""Items, one after the other → stories. Pure: the clock is an argument, the database is rebuilt from, not read.

All that decisions depend on is a function of the live items and their stories, so the same items in the same order give
the same stories, also after a restart at any point.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import numpy as np

from aggregator.config import Stories
from aggregator.models import Assignment, Merge, Move, Repair, Split, StoryItem, Verdict
from aggregator.stories.features import Profile, profile
from aggregator.stories.joining import likelihood
from aggregator.stories.lead import most_central
from aggregator.stories.live import Member
from aggregator.stories.model import PairModel, explained
from aggregator.stories.repair import regions, regroup
from aggregator.stories.reprints import Reprints
from aggregator.stories.scoring import Fit, Pairs
from aggregator.stories.verdicts import Questions, Verdicts

__all__ = ["Clusterer", "RestoredMember"]

JOIN_AT_ONCE: Final = 0.5  # log-odds from which a new item joins before a repair pass has looked at its neighbourhood
CERTAINLY_NOT: Final = (
    -1.0
)  # log-odds below which a story is no place for an item: an edited one leaves it for a story of its own
KEEP_ITEMS: Final = (
    20_000  # so many stay live beyond the window: late items, a first poll that brings a fortnight at once
)
KEEP_WINDOWS: Final = 8  # but none for longer than so many windows
LOOKED_AT: Final = 5_000  # items looked at in one repair pass, at most
UNCHANGED_LOOKED_AT: Final = 1_000  # of them unchanged ones: about ten seconds
_FORMAT: Final = 2


class RestoredMember(Protocol):
    """An item in its story as the database holds it."""

    @property
    def item(self) -> StoryItem:
        """The item, with its vector."""

    @property
    def story_id(self) -> int:
        """Its story."""

    @property
    def reprint_of(self) -> int | None:
        """The item whose text it repeats."""


class Clusterer:
    """Groups a stream of items into stories.

    `settings.window_hours` is the most that two items of a story may lie apart from their neighbours in it; new stories
    count up from `next_story_id`. Not thread-safe.
    """

    def __init__(
        self,
        settings: Stories,
        *,
        next_story_id: int = 1,
        model: PairModel | None = None,
    ) -> None:
        self._window = float(settings.window_hours)
        self._pairs = Pairs(model or PairModel.load(), self._window)
        self._live = self._pairs.live
        self._reprints = Reprints()
        self._next = next_story_id
        self._cutoff = float("-inf")  # hours since the epoch: stories that ended before are no longer live
        self._dirty: set[int] = set()  # items that came or changed since they were last looked at by a repair
        self._turn = 0  # the last of the unchanged items that a pass looked at
        self._heard = 0  # the last verdict that a pass took in
        self._revised: set[int] = set()  # items whose text changed: they are no one's original any more

    def __len__(self) -> int:
        return len(self._live.members)

    def __contains__(self, item_id: object) -> bool:
        """Whether the item is live."""
        return item_id in self._live.members

    # --- decisions ------------------------------------------------------------------------------------------------

    def add(self, item: StoryItem) -> Assignment:
        """Decide which story `item` belongs to. An item that is in one already stays there: see `revise`."""
        known = self._live.members.get(item.item_id)
        if known is not None:
            return Assignment(item.item_id, known.story_id, is_new_story=False, similarity=1.0, reasons={"known": 1})
        new = profile(item)
        original = self._remember(item)
        if original is not None:
            return self._join_original(new, original)
        fits = self._pairs.fits(new)
        best = fits[0] if fits else None
        joins = best is not None and best.evidence >= JOIN_AT_ONCE
        story_id = best.story_id if best is not None and joins else self._new_id()
        assignment = Assignment(
            item.item_id,
            story_id,
            is_new_story=not joins,
            similarity=round(likelihood(best.evidence), 4) if best is not None and joins else 1.0,
            nearest_item_id=best.nearest_item_id if best is not None and joins else None,
            reasons={**_reasons(best), **({"template": 1} if self._pairs.is_template(new) else {})},
        )
        self._dirty.update(self._enter(Member(new, story_id)))
        self._dirty.add(item.item_id)
        return assignment

    def revise(self, item: StoryItem) -> list[Repair]:
        """Take in the new text or vector of a live item, and what follows from it; nothing for one that is not live."""
        member = self._live.members.get(item.item_id)
        if member is None:
            return []
        self._live.take(item.item_id)
        self._pairs.leave(member.profile)
        new = profile(item)
        self._dirty.update(self._enter(Member(new, member.story_id, member.reprint_of)))
        self._dirty.add(item.item_id)
        edited = not _same_text(member.profile, new)
        if edited:
            self._reprints.drop(item.item_id)
            self._revised.add(item.item_id)
        if member.reprint_of in self._live.members:
            return []
        return self._resettle(new, member.story_id, "was edited" if edited else "has a new vector")

    def repair(
        self,
        now: datetime,
        *,
        everything: bool = False,
        verdicts: Iterable[Verdict] = (),
        questions: Questions | None = None,
    ) -> list[Repair]:
        """Look at what changed since the last pass; merges, splits and moves in the order in which they were made.

        With `everything`, at what did not change too: worth an hourly pass, and one at the end of a stream. At most
        LOOKED_AT items are looked at, UNCHANGED_LOOKED_AT of them unchanged; changed ones beyond wait for the next pass, the
        others take turns.

        `verdicts` are all that stand; those that are new since the last pass count as a change of their items. What is in doubt
        goes into `questions`.
        """
        self.expire(now)
        standing = Verdicts(self._hear(verdicts))
        looked_at = sorted(self._dirty)[:LOOKED_AT]
        self._dirty.difference_update(looked_at)
        if everything and len(looked_at) < LOOKED_AT:
            others = sorted(self._live.members.keys() - set(looked_at))
            at = bisect_right(others, self._turn)
            turn = (others[at:] + others[:at])[: min(UNCHANGED_LOOKED_AT, LOOKED_AT - len(looked_at))]
            self._turn = turn[-1] if turn else self._turn
            looked_at = sorted(looked_at + turn)
        repairs: list[Repair] = []
        for story_ids in regions(self._pairs, looked_at, standing):
            repairs += regroup(self._pairs, story_ids, self._new_id, standing, questions or Questions(0))
        return repairs

    def expire(self, now: datetime) -> None:
        """Forget stories whose last item is older than the window; of the youngest of them, KEEP_ITEMS less what is newer stay."""
        hours = now.timestamp() / 3600
        cutoff = hours - self._window * KEEP_WINDOWS
        surplus = len(self._live.members) - KEEP_ITEMS
        if surplus > 0:
            ended = sorted(
                (s.last, len(s.item_ids)) for s in self._live.stories.values() if s.last < hours - self._window
            )
            for last, size in ended:
                if surplus <= 0:
                    cutoff = max(cutoff, last)
                    break
                surplus -= size
            else:
                cutoff = hours - self._window
        self._cutoff = max(self._cutoff, cutoff)
        self._forget()

    def lead(self, story_id: int, language: str) -> int:
        """The item that stands for a live story: the most central, of `language` when it has one. Raises KeyError."""
        texts = self._live.texts(self._live.stories[story_id].item_ids)
        return most_central(texts, language, self._pairs.stats)

    # --- restarts -------------------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """What a restart needs beside the live items and their stories; small."""
        state = {
            "format": _FORMAT,
            "next_story_id": self._next,
            "cutoff_h": None if self._cutoff == float("-inf") else self._cutoff,
            "dirty": sorted(self._dirty),
            "turn": self._turn,
            "heard": self._heard,
            "revised": sorted(self._revised),
        }
        return json.dumps(state, separators=(",", ":")).encode()

    @staticmethod
    def live_since(settings: Stories, state: bytes | None, now: datetime) -> datetime:
        """From when on `restore` wants the stories: those whose last item was published then or later."""
        saved = json.loads(state) if state else {}
        if saved.get("format") == _FORMAT and saved["cutoff_h"] is not None:
            return datetime.fromtimestamp(int(saved["cutoff_h"] * 3600), UTC)
        return now - timedelta(hours=settings.window_hours * KEEP_WINDOWS)

    def restore(self, members: Iterable[RestoredMember], state: bytes | None) -> None:
        """Rebuild from what the database holds; `members` in the order of clustering, `state` as saved with the last."""
        saved = json.loads(state) if state else {}
        if saved.get("format") == _FORMAT:
            self._next = max(self._next, saved["next_story_id"])
            self._cutoff = float("-inf") if saved["cutoff_h"] is None else saved["cutoff_h"]
            self._dirty, self._revised = set(saved["dirty"]), set(saved["revised"])
            self._turn, self._heard = saved["turn"], saved.get("heard", 0)
        for stored in members:
            if stored.item.item_id not in self._revised:
                self._remember(stored.item)
            self._enter(Member(profile(stored.item), stored.story_id, stored.reprint_of))
        self._dirty &= self._live.members.keys()
        self._revised &= self._live.members.keys()
        self._forget()

    # --- steps ----------------------------------------------------------------------------------------------------

    def _new_id(self) -> int:
        self._next += 1
        return self._next - 1

    def _hear(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Those on live items."""
        live = self._live.members
        known = [one for one in verdicts if one.item_id in live and one.other_id in live]
        for one in known:
            if one.verdict_id > self._heard:
                self._dirty |= {one.item_id, one.other_id}
        self._heard = max([self._heard, *(one.verdict_id for one in known)])
        return known

    def _enter(self, member: Member) -> list[int]:
        """Take an item in; those that are known as templates since have to be looked at again."""
        self._live.put(member)
        return self._pairs.enter(member.profile)

    def _forget(self) -> None:
        for story in [s for s in self._live.stories.values() if s.last < self._cutoff]:
            for item_id in sorted(story.item_ids):
                self._pairs.leave(self._live.take(item_id).profile)
                self._dirty.discard(item_id)
                self._revised.discard(item_id)
        if self._cutoff > float("-inf"):
            self._reprints.forget(datetime.fromtimestamp(int(self._cutoff * 3600), UTC))

    def _remember(self, item: StoryItem) -> int | None:
        """Keep the text; the live item that it repeats."""
        original = self._reprints.add(
            item.item_id, item.outlet_id, item.at, item.title, item.summary, item.language, item.outlet
        )
        return original if original in self._live.members else None

    def _join_original(self, new: Profile, original: int) -> Assignment:
        """Put a reprint where its original is."""
        story_id = self._live.members[original].story_id
        self._dirty.update(self._enter(Member(new, story_id, original)))
        return Assignment(
            new.item_id,
            story_id,
            is_new_story=False,
            similarity=1.0,
            nearest_item_id=original,
            reprint_of=original,
            reasons={"reprint": 1},
        )

    def _resettle(self, new: Profile, story_id: int, why: str) -> list[Repair]:
        """Where an item goes whose text or vector changed."""
        own = self._pairs.fit(new, story_id)
        other = next((fit for fit in self._pairs.fits(new) if fit.story_id != story_id), None)
        if other is not None and other.evidence >= max(0.0, own.evidence if own else 0.0):
            self._live.move(new.item_id, other.story_id)
            if own is None:
                return [Merge(story_id, other.story_id, f"its only item {why}")]
            sure = round(likelihood(other.evidence), 4)
            return [Move(new.item_id, story_id, other.story_id, sure, f"it {why}")]
        if own is not None and own.evidence < CERTAINLY_NOT:
            alone = self._new_id()
            self._live.move(new.item_id, alone)
            return [Split(story_id, alone, (new.item_id,), f"it {why}")]
        return []


def _same_text(one: Profile, other: Profile) -> bool:
    """Whether the two differ in their vectors at most."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("gram_ids", "name_ids", "number_ids")
    )


def _reasons(best: Fit | None) -> Mapping[str, float | int | str]:
    if best is None:
        return {"candidates": 0}
    told = {"mean": round(best.mean, 3), "best": round(best.best, 3), "members": best.members}
    return told if best.evidence < CERTAINLY_NOT else {**told, **explained(best.features)}
