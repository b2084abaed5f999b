"""Rounds of making texts: sentences for new items, digests for stories, bodies from pages, translations; and of judging pairs.

Off the way of storing and clustering: short transactions, work in a thread or process of its own. What is to be done
stands in the database, and goes from there in the transaction that stores what came of it: a kill at any point loses and
repeats at most what was under way.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import plain_line
from aggregator.config import Config, primary_tag
from aggregator.embedding import Embedder
from aggregator.enrich.base import Maker
from aggregator.enrich.digest import Member, digest, heads
from aggregator.enrich.judge import ChatJudge
from aggregator.enrich.limits import retry_in_s
from aggregator.enrich.summary import one_sentence
from aggregator.errors import EmbedderError
from aggregator.polling.hosts import host_of
from aggregator.service.clock import Clock
from aggregator.service.judging import Judging
from aggregator.service.lanes import Lane, Piece
from aggregator.service.pages import PageFailed, Pages
from aggregator.service.serial import Serial
from aggregator.service.translating import Translating
from aggregator.store.enrichment import Call, MadeTexts
from aggregator.store.following import Wanted
from aggregator.store.texts import StoredText, StoryTexts
from aggregator.store.writer import Writer

__all__ = ["Enrichment", "EnrichmentCounts"]

_AT_ONCE = 200  # changes looked at between two looks at whether to stop: a tenth of a second
_STORIES_AT_ONCE = 20
_ROUND_S = 60.0  # the longest that a round goes on; the next one follows
_MEASURED = "multilingual-e5-small"  # the model whose cosines were measured
_PAGES_LOOKED_AT = 60  # of the line: from these, one of each host
_FORGET_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class EnrichmentCounts:
    """What a round did. `refused` counts texts that did not pass the checks; `failed` pages and calls that brought nothing."""

    sentences: int = 0
    stories: int = 0
    pages: int = 0
    translations: int = 0
    reused: int = 0
    judged: int = 0
    refused: int = 0
    failed: int = 0
    elapsed_s: float = 0.0

    @property
    def any(self) -> bool:
        """Whether it did anything worth a line in the log."""
        return any(getattr(self, name) for name, _ in _NAMES if name != "sentences")

    def __str__(self) -> str:
        """One line for people."""
        parts = [f"{getattr(self, name)} {what}" for name, what in _NAMES if getattr(self, name)]
        return ", ".join(parts) or "nothing to do"


_NAMES = (
    ("sentences", "sentences chosen"),
    ("stories", "stories summed up"),
    ("pages", "pages read"),
    ("translations", "items translated"),
    ("reused", "translations used again"),
    ("judged", "pairs judged"),
    ("refused", "texts refused by the checks"),
    ("failed", "failed"),
)


class Enrichment:
    """Makes what is lacking. `last_progress` is the monotonic time of the last step.

    `store` is the writer's thread, `thread` the one in which sentences are chosen and answers checked. `maker` may be
    exchanged between two rounds; None: nothing is translated; so may `judge`. `pages` None: no pages are read. `embedder`, used in the
    thread `mind`, also judges translations.
    """

    def __init__(
        self,
        config: Config,
        *,
        store: Serial,
        thread: Serial,
        writer: Writer,
        clock: Clock,
        pages: Pages | None = None,
        maker: Maker | None = None,
        judge: ChatJudge | None = None,
        embedder: Embedder | None = None,
        mind: Serial | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),
    ) -> None:
        self.config = config
        self.pages = pages
        self.maker = maker
        self.judge = judge
        self.last_progress = time.monotonic()
        self.draining = False
        self._store = store
        self._thread = thread
        self._writer = writer
        self._clock = clock
        self._jitter = jitter
        self._embedder = embedder
        self._mind = mind
        self._translating = Translating(
            config, store=store, thread=thread, writer=writer, clock=clock, jitter=jitter, count=self._count,
            embed=self._embed if embedder is not None and _MEASURED in embedder.name and mind is not None else None,
        )  # fmt: skip
        self._judging = Judging(config.judge, store=store, writer=writer, clock=clock, jitter=jitter, count=self._count)
        self._counts = EnrichmentCounts()
        self._forget_at = 0.0
        self._at_work = asyncio.Lock()

    async def _embed(self, texts: list[str]) -> NDArray[np.float32] | None:
        """Vectors of texts, made where the stories' are; None when the embedder fails."""
        if self._embedder is None or self._mind is None:
            return None
        try:
            return await self._mind(self._embedder.embed, texts)
        except EmbedderError:
            return None

    async def aclose(self) -> None:
        """Close pages, translator and judge."""
        for closing in (self.pages, self.maker, self.judge):
            if closing is not None:
                await closing.aclose()

    async def settled(self) -> None:
        """Return when no round uses what pages, translator and judge were before."""
        async with self._at_work:
            pass

    async def round(self) -> EnrichmentCounts:
        """Make what is lacking, for a minute at most. Raises StoreError when the database cannot take it."""
        async with self._at_work:
            return await self._made()

    async def _made(self) -> EnrichmentCounts:
        began = time.monotonic()
        self._counts = EnrichmentCounts()
        until = began + _ROUND_S
        wanted = self._wanted()
        await self._store(self._writer.apply_wanted, wanted, now=self._clock())
        if began >= self._forget_at:
            self._forget_at = began + _FORGET_EVERY_S
            await self._store(self._writer.forget_lost, wanted, now=self._clock())
            await self._store(self._writer.forget_doubts, now=self._clock())
        await self._follow(wanted, until)
        await self._stories(wanted, until)
        lanes = [self._pages(until), self._translations(until), self._verdicts(until)]
        results = await asyncio.gather(*lanes, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return replace(self._counts, elapsed_s=time.monotonic() - began)

    def _wanted(self) -> Wanted:
        settings = self.config.translation
        tags = (settings.languages or (self.config.reader.language,)) if self.maker else ()
        languages = tuple(dict.fromkeys(map(primary_tag, tags)))
        pages = self.pages is not None and self.config.enrich.pages_at_once > 0
        age = timedelta(hours=settings.max_age_hours)
        return Wanted(languages, settings.min_outlets, settings.countries, age, pages)

    def _count(self, name: str, more: int = 1) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + more})
        self.last_progress = time.monotonic()

    def _goes_on(self, until: float) -> bool:
        self.last_progress = time.monotonic()
        return not self.draining and self.last_progress < until

    # --- sentences and digests ------------------------------------------------------------------------------------

    async def _follow(self, wanted: Wanted, until: float) -> None:
        """Choose a sentence for each new or edited item; put pages, stories and translations in the line."""
        more = True
        while more and self._goes_on(until):
            followed = await self._store(self._writer.follow, _AT_ONCE)
            sentences = await self._thread(_sentences, followed.items)
            await self._store(self._writer.seen, followed, sentences, wanted, now=self._clock())
            self._count("sentences", sum(made is not None for made in sentences.values()))
            more = followed.more

    async def _stories(self, wanted: Wanted, until: float) -> None:
        """Sum up the stories that changed."""
        more = True
        while more and self._goes_on(until):
            waiting = await self._store(self._writer.waiting, "story", _STORIES_AT_ONCE, now=self._clock())
            for story in waiting:
                if self.draining:
                    break
                own, made = await self._store(self._writer.story_members, story.subject_id)
                texts = await self._thread(
                    _story, own, made, primary_tag(self.config.reader.language), wanted.languages
                )
                await self._store(self._writer.save_story, story.subject_id, texts, now=self._clock())
                self._count("stories")
            more = len(waiting) == _STORIES_AT_ONCE

    # --- pages and translations ---------------------------------------------------------------------------------

    async def _pages(self, until: float) -> None:
        pages = self.pages
        if pages is not None and self.config.enrich.pages_at_once:
            lane = Lane(
                partial(self._take_pages, pages), goes_on=lambda: self._goes_on(until), stops=lambda: self.draining
            )
            await lane.run(self.config.enrich.pages_at_once)

    async def _take_pages(self, pages: Pages, busy: set[str], room: int) -> list[Piece[str]]:
        """One page of each host, so that none waits at the gate in another's place."""
        found = await self._store(self._writer.pages_wanted, _PAGES_LOOKED_AT, now=self._clock())
        taken: dict[str, StoredText] = {}
        for item in found:
            host = host_of(item.url)
            if host not in busy and len(taken) < room:
                taken.setdefault(host, item)
        return [(host, partial(self._page, pages, item)) for host, item in taken.items()]

    async def _page(self, pages: Pages, item: StoredText) -> None:
        began = time.monotonic()
        result = await pages.read(item)
        call = Call("page", item.item_id, elapsed_ms=round(1000 * (time.monotonic() - began)))
        if isinstance(result, PageFailed):
            if result.hold:
                await self._store(self._writer.hold_host, result.hold)
            if result.gone:
                await self._store(self._writer.retract, [item.item_id], now=self._clock())
            wait = retry_in_s(item.attempts + 1, self._jitter()) if result.again else None
            retry = None if wait is None else self._clock() + timedelta(seconds=wait)
            call = replace(call, outcome="failed", detail=result.detail, retry_at=retry)
            await self._store(self._writer.record_call, call, now=self._clock())
            self._count("failed")
        else:
            call = replace(call, model=result.model)
            await self._store(self._writer.record_call, call, page=result, now=self._clock())
            self._count("pages")

    async def _translations(self, until: float) -> None:
        maker = self.maker
        if maker is None:
            return
        self._translating.config = self.config

        async def take(busy: set[tuple[int, str]], _: int) -> list[Piece[tuple[int, str]]]:
            return await self._translating.take(maker, busy)

        lane = Lane(take, goes_on=lambda: self._goes_on(until), stops=lambda: self.draining)
        await lane.run(self.config.translation.concurrency)

    async def _verdicts(self, until: float) -> None:
        judge = self.judge
        if judge is None:
            return
        self._judging.settings = self.config.judge

        async def take(busy: set[tuple[int, int]], _: int) -> list[Piece[tuple[int, int]]]:
            return await self._judging.take(judge, busy)

        lane = Lane(take, goes_on=lambda: self._goes_on(until), stops=lambda: self.draining)
        await lane.run(self.config.judge.concurrency)


def _sentences(items: tuple[StoredText, ...]) -> dict[int, MadeTexts | None]:
    """For each item one sentence of its own, None where its summary is that already or there is nothing to choose from."""
    found: dict[int, MadeTexts | None] = {}
    for item in items:
        sentence = one_sentence(item.title, item.summary, item.body, item.language)
        own = sentence is None or sentence.text == plain_line(item.summary)
        found[item.item_id] = (
            None if own or sentence is None else MadeTexts(item.language, "", sentence.text, "extractive")
        )
    return found


def _story(
    own: list[StoredText], made: list[tuple[int, MadeTexts]], reader_language: str, languages: tuple[str, ...]
) -> list[StoryTexts]:
    """A story's head in each of its languages, and in each what its outlets add; machine texts only in the reader's languages."""
    members = [
        Member(t.item_id, t.outlet_id, t.language, t.title, t.summary, t.body, t.at, reprint=t.reprint, vector=t.vector)
        for t in own
    ]
    by_id = {t.item_id: t for t in own}
    found = heads(members, {t.item_id for t in own if t.lead})
    result = []
    for language in {**dict.fromkeys(found), **dict.fromkeys((reader_language, *languages))}:
        told = [m for m in members if m.language == language]
        told += [
            Member(item_id, by_id[item_id].outlet_id, language, texts.title, texts.summary, texts.body, by_id[item_id].at,
                   reprint=by_id[item_id].reprint, machine=True)
            for item_id, texts in made if texts.language == language and item_id in by_id
        ]  # fmt: skip
        head = found.get(language)
        machine = {m.item_id for m in told if m.machine}
        added = tuple(
            (s.item_id, s.text, "machine" if s.item_id in machine else "extractive") for s in digest(told, head)
        )
        if head or added:
            result.append(
                StoryTexts(
                    language,
                    head.title if head else "",
                    head.summary if head else "",
                    (head.item_id,) if head else (),
                    added,
                )
            )
    return result
