"""One item into one language: asked of the translator within its budget, checked, stored with its provenance and cost."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import plain_line
from aggregator.config import Config, primary_tag
from aggregator.embedding import item_text
from aggregator.enrich.base import Article, Maker, NotMade, Texts, Trouble, source_hash
from aggregator.enrich.faithful import problems
from aggregator.enrich.limits import retry_in_s
from aggregator.parsing.language import detect
from aggregator.service.clock import Clock
from aggregator.service.dealings import Dealings, cost_microusd
from aggregator.service.lanes import Piece
from aggregator.service.serial import Serial
from aggregator.store.enrichment import Call, MadeTexts
from aggregator.store.texts import StoredText
from aggregator.store.writer import Writer

__all__ = ["Translating"]

Outcome = Literal["translations", "reused", "refused", "failed"]
Embed = Callable[[list[str]], Awaitable[NDArray[np.float32] | None]]

# Cosine below which multilingual-e5-small finds two texts to mean different things: for whole items and for titles alone.
# Of translations by professionals under 1 % are below, of texts about something else over 98 % (benchmarks/enrich/likeness.py).
_ALIKE, _ALIKE_TITLES = 0.84, 0.80
_PATIENCE = 8  # failures of the endpoint with one article after which that one is to blame


class Translating:
    """`count` hears of every outcome; `thread` is the one in which answers are checked."""

    def __init__(
        self, config: Config, *, store: Serial, thread: Serial, writer: Writer, clock: Clock, jitter: Callable[[], float],
        count: Callable[[Outcome], None], embed: Embed | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self._store = store
        self._thread = thread
        self._writer = writer
        self._clock = clock
        self._jitter = jitter
        self._count = count
        self._embed = embed
        self._dealings = Dealings("translator", store=store, spent=writer.spent, clock=clock)

    async def take(self, maker: Maker, busy: set[tuple[int, str]]) -> list[Piece[tuple[int, str]]]:
        """The next items, as far as budget and endpoint allow with those of `busy` under way."""
        room = await self._dealings.room(self.config.translation) - len(busy)
        if room <= 0:
            return []
        busy_ids = {item_id for item_id, _ in busy}
        found = await self._store(self._writer.items_wanted, room, busy=busy_ids, now=self._clock())
        return [((item.item_id, item.wanted), partial(self._translate, maker, item)) for item in found]

    async def _translate(self, maker: Maker, item: StoredText) -> None:
        article = Article(item.title, plain_line(item.summary), item.body, item.language)
        hashed = source_hash(article)
        known = await self._store(self._writer.made_of, hashed, item.wanted)
        if known is not None:
            await self._store(self._writer.save_item_texts, item.item_id, known, now=self._clock())
            self._count("reused")
            return
        began = time.monotonic()
        answer = await maker.make(article, self._asked(item.wanted), item.attempts)
        call = Call("item", item.item_id, item.wanted, maker.name, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out,
                    cost_microusd=cost_microusd(self.config.translation, answer), elapsed_ms=round(1000 * (time.monotonic() - began)))  # fmt: skip
        if isinstance(answer, NotMade):
            self._count("failed")
            call = self._failed(item, answer, call)
            await self._store(self._writer.record_call, call, now=self._clock())
            return
        self._dealings.worked()
        wrong = await self._thread(problems, article, answer.texts, item.wanted, detect)
        if not wrong and await self._unlike(article, answer.texts):
            wrong = ["means something else than the article"]
        if wrong:
            self._count("refused")
            # Made anew once. What is refused again is left alone.
            retry = self._retry(1) if item.attempts == 0 else None
            call = replace(call, outcome="rejected", detail="; ".join(wrong)[:500], retry_at=retry)
            await self._store(self._writer.record_call, call, now=self._clock())
            return
        made = answer.texts
        texts = MadeTexts(item.wanted, made.title, made.summary, "machine", made.body, answer.model, hashed)
        await self._store(self._writer.record_call, replace(call, model=answer.model), texts=texts, now=self._clock())
        self._count("translations")

    def _asked(self, language: str) -> str:
        """The tag as configured: a translator is asked for pt-BR, the text is kept as pt."""
        tags = (*self.config.translation.languages, self.config.reader.language)
        return next((tag for tag in tags if primary_tag(tag) == language), language)

    async def _unlike(self, article: Article, made: Texts) -> bool:
        """Whether the embedder finds that the two texts mean different things; False without one."""
        if self._embed is None:
            return False
        rows = await self._embed(
            [
                item_text(article.title, article.summary or article.body),
                item_text(made.title, made.summary or made.body),
            ]
        )
        whole = article.has_text and (made.summary or made.body)
        return rows is not None and float(rows[0] @ rows[1]) < (_ALIKE if whole else _ALIKE_TITLES)

    def _retry(self, attempts: int) -> datetime | None:
        wait = retry_in_s(attempts, self._jitter())
        return None if wait is None else self._clock() + timedelta(seconds=wait)

    def _failed(self, item: StoredText, answer: NotMade, call: Call) -> Call:
        if answer.trouble is Trouble.ANSWER:
            self._dealings.worked()
            return replace(call, outcome="failed", detail=answer.detail, retry_at=self._retry(item.attempts + 1))
        wait = self._dealings.failed(answer)
        # Hardly this item's fault: another one is tried first after the pause, and this one again much later too.
        again = item.attempts + 1 < _PATIENCE
        retry = self._clock() + timedelta(seconds=max(wait, 60.0)) if again else None
        return replace(call, outcome="failed", detail=answer.detail, retry_at=retry)
