"""How it stands with an endpoint that is asked: what the budget leaves, whether it is left alone, what was said of it in the log."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from aggregator.config import Judge, Translation
from aggregator.enrich.base import Made, NotMade, Trouble
from aggregator.enrich.judge import Ruling
from aggregator.enrich.limits import Breaker, Budget, Spent
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.serial import Serial
from aggregator.store.enrichment import Spent as Ledger

__all__ = ["Dealings", "cost_microusd"]

log = logging.getLogger(__name__)


Terms = Judge | Translation  # settings of an endpoint that costs


class Dealings:
    """With the endpoint that the log calls the `name`. `spent` tells what was spent since some moment; it runs in `store`."""

    def __init__(self, name: str, *, store: Serial, spent: Callable[[datetime], Ledger], clock: Clock) -> None:
        self._name = name
        self._store = store
        self._spent = spent
        self._clock = clock
        self._breaker = Breaker()
        self._told: Trouble | None = None  # the trouble that was logged last

    async def room(self, terms: Terms) -> int:
        """How many calls may be under way now."""
        budget = Budget(terms.calls_per_hour, terms.calls_per_day, terms.usd_per_day)
        now = self._clock()
        hour = await self._store(self._spent, now - timedelta(hours=1))
        day = await self._store(self._spent, now - timedelta(days=1))
        left = budget.room(Spent(hour.calls, hour.cost_microusd), Spent(day.calls, day.cost_microusd))
        return min(left, self._breaker.calls(time.monotonic(), terms.concurrency))

    def worked(self) -> None:
        """It answered, whatever it was."""
        if self._breaker.tripped:
            event(log, logging.WARNING, f"{self._name}_up", f"the {self._name} works again; what waited is made up for")
        self._breaker.worked()
        self._told = None

    def failed(self, answer: NotMade) -> float:
        """It is in trouble, which is logged once; the seconds until the next try."""
        wait = self._breaker.failed(time.monotonic(), answer.retry_after_s)
        if self._told is not answer.trouble:
            self._told = answer.trouble
            what = "is down" if answer.trouble is Trouble.DOWN else "refuses"
            message = f"the {self._name} {what}: {answer.detail}; next try in {wait:.0f} s"
            event(log, logging.ERROR, f"{self._name}_{answer.trouble}", message, retry_s=round(wait))
        return wait


def cost_microusd(terms: Terms, answer: Made | Ruling | NotMade) -> int:
    """Millionths of a US dollar. Dollars for a million tokens are millionths of a dollar for one."""
    return round(
        answer.tokens_in * terms.usd_per_million_tokens_in + answer.tokens_out * terms.usd_per_million_tokens_out
    )
