"""One pair in doubt: asked of the judge within its budget, stored with what it cost; a repair pass hears of it."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Literal

from aggregator.cleaning import plain_line
from aggregator.config import Judge
from aggregator.enrich.base import NotMade, Trouble
from aggregator.enrich.judge import ChatJudge, Telling, text_hash
from aggregator.enrich.limits import retry_in_s
from aggregator.models import StoryItem
from aggregator.service.clock import Clock
from aggregator.service.dealings import Dealings, cost_microusd
from aggregator.service.lanes import Piece
from aggregator.service.serial import Serial
from aggregator.store.judgements import Judgement, PairInDoubt
from aggregator.store.writer import Writer

__all__ = ["Judging"]

Outcome = Literal["judged", "failed"]
Pair = tuple[int, int]

_PATIENCE = 8  # failures of the endpoint with one pair after which that one is to blame
_GIVEN_UP_S = 7 * 86_400.0  # by then the pair is no longer in the line


class Judging:
    """`count` hears of every outcome."""

    def __init__(
        self,
        settings: Judge,
        *,
        store: Serial,
        writer: Writer,
        clock: Clock,
        jitter: Callable[[], float],
        count: Callable[[Outcome], None],
    ) -> None:
        self.settings = settings
        self._store = store
        self._writer = writer
        self._clock = clock
        self._jitter = jitter
        self._count = count
        self._dealings = Dealings("judge", store=store, spent=writer.judging_spent, clock=clock)

    async def take(self, judge: ChatJudge, busy: set[Pair]) -> list[Piece[Pair]]:
        """The next pairs, as far as budget and endpoint allow with those of `busy` under way."""
        room = await self._dealings.room(self.settings) - len(busy)
        if room <= 0:
            return []
        found = await self._store(self._writer.pairs_in_doubt, room, busy=busy, now=self._clock())
        return [((pair.item.item_id, pair.other.item_id), partial(self._judge, judge, pair)) for pair in found]

    async def _judge(self, judge: ChatJudge, pair: PairInDoubt) -> None:
        one, other = _telling(pair.item), _telling(pair.other)
        hashes = text_hash(one), text_hash(other)
        known = await self._store(self._writer.said_before, *hashes)
        if known is not None:
            same, model = known
            await self._save(pair, Judgement(*hashes, same, model, known=True))
            return
        began = time.monotonic()
        answer = await judge.same_event(one, other)
        said = Judgement(
            *hashes, None, judge.name, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out,
            cost_microusd=cost_microusd(self.settings, answer), elapsed_ms=round(1000 * (time.monotonic() - began)),
        )  # fmt: skip
        if isinstance(answer, NotMade):
            retry = self._clock() + timedelta(seconds=self._retry_in_s(answer, pair.attempts + 1))
            await self._save(pair, replace(said, detail=answer.detail, retry_at=retry))
        else:
            self._dealings.worked()
            await self._save(pair, replace(said, same=answer.same, model=answer.model))

    async def _save(self, pair: PairInDoubt, said: Judgement) -> None:
        await self._store(self._writer.save_judgement, pair, said, now=self._clock())
        self._count("failed" if said.same is None else "judged")

    def _retry_in_s(self, answer: NotMade, attempts: int) -> float:
        if answer.trouble is Trouble.ANSWER:
            self._dealings.worked()
            return retry_in_s(attempts, self._jitter()) or _GIVEN_UP_S
        # Hardly this pair's fault: another one is tried first after the pause.
        wait = max(self._dealings.failed(answer), 60.0)
        return wait if attempts < _PATIENCE else _GIVEN_UP_S


def _telling(item: StoryItem) -> Telling:
    return Telling(plain_line(item.title), plain_line(item.summary), item.language, item.country, item.at)
