"""One item into one language: asked of the translator within its budget, checked, stored with its provenance and cost."""

import logging
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
from aggregator.enrich.base import Article, Made, Maker, NotMade, Texts, Trouble, source_hash
from aggregator.enrich.faithful import problems
from aggregator.enrich.limits import Breaker, Budget, Spent, retry_in_s
from aggregator.parsing.language import detect
from aggregator.service.clock import Clock
from aggregator.service.lanes import Piece
from aggregator.service.logs import event
from aggregator.service.serial import Serial
from aggregator.store.enrichment import Call, MadeTexts
from aggregator.store.texts import StoredText
from aggregator.store.writer import Writer

__all__ = ["Translating"]

log = logging.getLogger(__name__)

Outcome = Literal["translations", "reused", "refused", "failed"]
Embed = Callable[[list[str]], Awaitable[NDArray[np.float32] | None]]

# Cosine below which multilingual-e5-small finds two texts to mean different things: for whole items and for titles alone.
# Of translations by professionals under 1 % are below, of texts about something else over 98 % (benchmarks/enrich/likeness.py).
_ALIKE, _ALIKE_TITLES = 0.84, 0.80
_PATIENCE = 8  # failures of the endpoint with one article after which that one is to blame


class Translating:
    """Knows how the endpoint is. `count` hears of every outcome; `thread` is the one in which answers are checked."""

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
        self._breaker = Breaker()
        self._told: Trouble | None = None  # the trouble that was logged last

    async def take(self, maker: Maker, busy: set[tuple[int, str]]) -> list[Piece[tuple[int, str]]]:
        """The next items, as far as budget and endpoint allow with those of `busy` under way."""
        room = await self._room() - len(busy)
        if room <= 0:
            return []
        busy_ids = {item_id for item_id, _ in busy}
        found = await self._store(self._writer.items_wanted, room, busy=busy_ids, now=self._clock())
        return [((item.item_id, item.wanted), partial(self._translate, maker, item)) for item in found]

    async def _room(self) -> int:
        settings = self.config.translation
        budget = Budget(settings.calls_per_hour, settings.calls_per_day, settings.usd_per_day)
        now = self._clock()
        hour = await self._store(self._writer.spent, now - timedelta(hours=1))
        day = await self._store(self._writer.spent, now - timedelta(days=1))
        left = budget.room(Spent(hour.calls, hour.cost_microusd), Spent(day.calls, day.cost_microusd))
        return min(left, self._breaker.calls(time.monotonic(), settings.concurrency))

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
                    cost_microusd=self._cost(answer), elapsed_ms=round(1000 * (time.monotonic() - began)))  # fmt: skip
        if isinstance(answer, NotMade):
            self._count("failed")
            call = self._failed(item, answer, call)
            await self._store(self._writer.record_call, call, now=self._clock())
            return
        self._heard()
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

    def _cost(self, answer: Made | NotMade) -> int:
        """Dollars for a million tokens are millionths of a dollar for one."""
        prices = self.config.translation
        return round(
            answer.tokens_in * prices.usd_per_million_tokens_in + answer.tokens_out * prices.usd_per_million_tokens_out
        )

    def _retry(self, attempts: int) -> datetime | None:
        wait = retry_in_s(attempts, self._jitter())
        return None if wait is None else self._clock() + timedelta(seconds=wait)

    def _heard(self) -> None:
        if self._breaker.tripped:
            event(log, logging.WARNING, "translator_up", "the translator works again; what waited is made up for")
        self._breaker.worked()
        self._told = None

    def _failed(self, item: StoredText, answer: NotMade, call: Call) -> Call:
        if answer.trouble is Trouble.ANSWER:
            self._heard()
            return replace(call, outcome="failed", detail=answer.detail, retry_at=self._retry(item.attempts + 1))
        wait = self._breaker.failed(time.monotonic(), answer.retry_after_s)
        if self._told is not answer.trouble:
            self._told = answer.trouble
            what = "is down" if answer.trouble is Trouble.DOWN else "refuses"
            message = f"the translator {what}: {answer.detail}; next try in {wait:.0f} s"
            event(log, logging.ERROR, f"translator_{answer.trouble}", message, retry_s=round(wait))
        # Hardly this item's fault: another one is tried first after the pause, and this one again much later too.
        again = item.attempts + 1 < _PATIENCE
        retry = self._clock() + timedelta(seconds=max(wait, 60.0)) if again else None
        return replace(call, outcome="failed", detail=answer.detail, retry_at=retry)
