"""Rounds of grouping: new items get vectors and stories, in order, each batch in one transaction."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from aggregator.config import Config
from aggregator.embedding import Embedder, item_vectors, vectors_name
from aggregator.errors import EmbedderError
from aggregator.models import Assignment, Doubts, Merge, Move, Repair, Split, StoryItem, Vector, Verdict
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.serial import Serial
from aggregator.service.suspects import Suspects
from aggregator.store.values import stored_form
from aggregator.store.writer import Writer
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.verdicts import Questions

__all__ = ["Grouping", "GroupingCounts"]

T = TypeVar("T")

log = logging.getLogger(__name__)

_STATE = "clusterer"
_AT_ONCE = 4  # items embedded between two looks at whether to stop: half a second
_BATCH = 16  # items of one transaction: about two seconds of embedding on one core
_QUESTIONS = 200  # of one repair pass, for a judge: three hours' worth by default
_EMBEDDER_WAIT_S = 300.0  # after the embedder failed; meanwhile stories are built from words alone


class Stopped(Exception):  # noqa: N818 - no error: the daemon is to stop
    """What was under way is given up; the database is as it was before."""


@dataclass(frozen=True, slots=True)
class GroupingCounts:
    """What a round of grouping did. `joined` counts items that joined a story; `changed` merges, splits and moves."""

    items: int = 0
    joined: int = 0
    changed: int = 0
    elapsed_s: float = 0.0


class Grouping:
    """Keeps the clusterer in step with the database; what the two disagree on is rebuilt from the database.

    `store` is the writer's thread, `mind` the one in which vectors and decisions are made; `last_progress` is the
    monotonic time of the last step.
    """

    def __init__(
        self, config: Config, *, embedder: Embedder | None, store: Serial, mind: Serial, writer: Writer, clock: Clock
    ) -> None:
        self.config = config
        self.embedder = embedder
        self._model = vectors_name(embedder) if embedder else None
        self.last_progress = time.monotonic()
        self.draining = False
        self._store = store
        self._mind = mind
        self._writer = writer
        self._clock = clock
        self._clusterer: Clusterer | None = None
        self._turn = asyncio.Lock()  # rounds and repairs change the same stories
        self._embedder_quiet_until = 0.0
        self._suspects: Suspects | None = None

    async def round(self) -> GroupingCounts:
        """Group all that waits; returns when nothing does. Raises StoreError when the database cannot take it."""
        began = time.monotonic()
        counts = GroupingCounts()
        try:
            while not self.draining:
                self.last_progress = time.monotonic()
                waiting = await self._store(self._writer.to_cluster, _BATCH, self._model)
                if not waiting:
                    waiting = await self._lacking_vectors()
                if not waiting:
                    break
                async with self._turn:
                    counts = await self._batch(waiting, counts)
        except Stopped:
            return counts
        except BaseException:
            self._clusterer = None  # it may be ahead of the database: rebuilt at the next round
            raise
        return replace(counts, elapsed_s=time.monotonic() - began)

    async def repair(self, *, everything: bool = False) -> GroupingCounts:
        """Look over the live stories: merge what grew together, split what fell apart. Raises StoreError.

        With `everything`, over some that did not change, too.
        """
        began = time.monotonic()
        try:
            async with self._turn:
                clusterer = await self._ready()
                since = Clusterer.live_since(self.config.stories, None, self._clock())
                verdicts = await self._store(self._writer.verdicts, since)
                done = await self._mind(self._repaired, clusterer, everything, verdicts)
                await self._store(
                    self._writer.apply_repairs, done.repairs, leads=done.leads, states=done.states, doubts=done.doubts,
                    now=self._clock(),
                )  # fmt: skip
        except Stopped:
            return GroupingCounts()
        except BaseException:
            self._clusterer = None
            raise
        self.last_progress = time.monotonic()
        return GroupingCounts(changed=len(done.repairs), elapsed_s=time.monotonic() - began)

    async def _lacking_vectors(self) -> list[StoryItem]:
        """Live items that were grouped by words alone because the embedder failed: they are looked at again."""
        if self._model is None or time.monotonic() < self._embedder_quiet_until:
            return []
        since = self._clock() - timedelta(hours=self.config.stories.window_hours)
        lacking = await self._store(self._writer.lacking_vectors, self._model, since, _BATCH)
        return [item for item in lacking if self._suspects is None or item.item_id not in self._suspects.refused]

    async def _ready(self) -> Clusterer:
        """The clusterer, rebuilt from the database when there is none."""
        if self._clusterer is None:
            state = await self._store(self._writer.load_state, _STATE)
            next_story_id = await self._store(self._writer.next_story_id)
            self._clusterer = await self._mind(self._restored, state, next_story_id)
        return self._clusterer

    async def _batch(self, waiting: list[StoryItem], counts: GroupingCounts) -> GroupingCounts:
        clusterer = await self._ready()
        pairs, items = await self._mind(self._embedded, waiting)
        if pairs and self._model:
            await self._store(self._writer.save_vectors, self._model, pairs)
        grouped = await self._store(self._writer.grouped, [item.item_id for item in items])
        decisions = await self._mind(self._decided, clusterer, items, grouped)
        await self._store(
            self._writer.apply_assignments,
            decisions.assignments,
            repairs=decisions.repairs,
            done=[item.item_id for item in items],
            leads=decisions.leads,
            states=decisions.states,
            now=self._clock(),
        )
        self.last_progress = time.monotonic()
        return replace(
            counts,
            items=counts.items + len(decisions.assignments),
            joined=counts.joined + sum(not a.is_new_story for a in decisions.assignments),
            changed=counts.changed + len(decisions.repairs),
        )

    # --- in the mind's thread -----------------------------------------------------------------------------------

    def _restored(self, state: bytes | None, next_story_id: int) -> Clusterer:
        """Reads by a connection of its own, so that polls are stored meanwhile. Raises Stopped."""
        since = Clusterer.live_since(self.config.stories, state, self._clock())
        clusterer = Clusterer(self.config.stories, next_story_id=next_story_id)
        clusterer.restore(self._stepping(self._writer.live_items(since, self._model)), state)
        return clusterer

    def _stepping(self, members: Iterable[T]) -> Iterator[T]:
        """The same, each a step of progress; ends with Stopped when the daemon is to stop."""
        for member in members:
            if self.draining:
                raise Stopped
            self.last_progress = time.monotonic()
            yield member

    def _embedded(self, items: list[StoryItem]) -> tuple[list[tuple[int, Vector]], list[StoryItem]]:
        """New (item_id, vector) pairs, and the items with them; those that a stop left over are left out.

        Without an embedder, or when it fails, the items are as they came.
        """
        if self.embedder is None or time.monotonic() < self._embedder_quiet_until:
            return [], items
        found: dict[int, Vector] = {}
        suspects = self._suspects = self._suspects or Suspects(self._writer)
        missing = [item for item in items if item.vector is None]
        for some in suspects.portions(missing, _AT_ONCE):
            if self.draining:
                break
            self.last_progress = time.monotonic()
            try:
                rows = item_vectors(self.embedder, [(item.title, item.summary, item.outlet) for item in some])
            except EmbedderError as error:
                self._embedder_quiet_until = time.monotonic() + _EMBEDDER_WAIT_S
                event(log, logging.ERROR, "embedder_failed", f"{error}; stories are built from words alone meanwhile")
                break
            found.update((item.item_id, stored_form(row)) for item, row in zip(some, rows, strict=True))
        if missing:
            suspects.over()
        kept = [replace(item, vector=found.get(item.item_id, item.vector)) for item in items]
        if self.draining:
            kept = [item for item in kept if item.vector is not None]
        return list(found.items()), kept

    def _decided(self, clusterer: Clusterer, items: list[StoryItem], grouped: set[int]) -> "_Decisions":
        """Put each item into a story, in order; one that is in a story already is looked at again."""
        assignments: list[Assignment] = []
        repairs: list[Repair] = []
        for item in items:
            if item.item_id not in grouped:
                assignments.append(clusterer.add(item))
            elif item.item_id in clusterer:  # else its story is past: it stays where it is
                repairs += clusterer.revise(item)
        return self._complete(clusterer, assignments, repairs)

    def _repaired(self, clusterer: Clusterer, everything: bool, verdicts: list[Verdict]) -> "_Decisions":
        questions = Questions(0 if self.config.judge.backend == "off" else _QUESTIONS)
        repairs = clusterer.repair(self._clock(), everything=everything, verdicts=verdicts, questions=questions)
        done = self._complete(clusterer, [], repairs)
        return replace(done, doubts=questions.found()) if questions else done

    def _complete(self, clusterer: Clusterer, assignments: list[Assignment], repairs: list[Repair]) -> "_Decisions":
        """The decisions with the lead items of the stories they change, and what the clusterer must remember."""
        touched = {assignment.story_id for assignment in assignments}
        for repair in repairs:
            match repair:
                case Merge(into=into):
                    touched.add(into)
                case Split(story_id=story_id, new_story_id=new_story_id):
                    touched |= {story_id, new_story_id}
                case Move(from_story=from_story, to_story=to_story):
                    touched |= {from_story, to_story}
        leads: dict[int, int] = {}
        for story_id in sorted(touched):
            with suppress(KeyError):  # it ended meanwhile
                leads[story_id] = clusterer.lead(story_id, self._writer.reader_language)
        return _Decisions(assignments, repairs, leads, {_STATE: clusterer.state()})


@dataclass(frozen=True, slots=True)
class _Decisions:
    """What goes into one transaction."""

    assignments: list[Assignment]
    repairs: list[Repair]
    leads: dict[int, int]
    states: dict[str, bytes]
    doubts: Doubts | None = None  # None: nobody is there to be asked
