"""How much may be asked: budgets of an hour and a day, and when to leave an endpoint alone. Pure but for its counters."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Breaker", "Budget", "Spent", "retry_in_s"]

_FIRST_PAUSE_S: Final = 15.0
_LONGEST_PAUSE_S: Final = 900.0
_RETRIES_S: Final = (60.0, 900.0, 7200.0)  # after the first, second, third failure of one article


@dataclass(frozen=True, slots=True)
class Spent:
    """What was asked within some time. Cost in millionths of a US dollar."""

    calls: int = 0
    cost_microusd: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be asked; 0 means no bound."""

    calls_per_hour: int = 0
    calls_per_day: int = 0
    usd_per_day: float = 0.0

    def room(self, hour: Spent, day: Spent) -> int:
        """How many more calls may be made now; a large number when nothing bounds them."""
        room = 1_000_000
        if self.calls_per_hour:
            room = min(room, self.calls_per_hour - hour.calls)
        if self.calls_per_day:
            room = min(room, self.calls_per_day - day.calls)
        if self.usd_per_day and day.cost_microusd >= self.usd_per_day * 1e6:
            return 0
        return max(0, room)


class Breaker:
    """Leaves an endpoint alone while it is in trouble: pauses that double, and one call to try it at the end of each.

    Times are seconds of a monotonic clock, given by the caller.
    """

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0

    @property
    def tripped(self) -> bool:
        """Whether the last that was heard of the endpoint was trouble."""
        return self._pause_s > 0

    def calls(self, now: float, most: int) -> int:
        """How many calls may be under way at `now`: none during a pause, one after it, `most` when all is well."""
        if not self.tripped:
            return most
        return 1 if now >= self._until else 0

    def failed(self, now: float, retry_after_s: float | None = None) -> float:
        """The endpoint is in trouble; the seconds until the next try."""
        if now < self._until and retry_after_s is None:
            return self._until - now  # another call of the same trouble
        self._pause_s = min(max(_FIRST_PAUSE_S, 2 * self._pause_s), _LONGEST_PAUSE_S)
        self._until = now + max(self._pause_s, retry_after_s or 0.0)
        return self._until - now

    def worked(self) -> None:
        """The endpoint answered."""
        self._pause_s = self._until = 0.0


def retry_in_s(attempts: int, jitter: float = 0.0) -> float | None:
    """Seconds until an article that failed `attempts` times is tried again, None: never. `jitter` in -1 to 1 moves it by 10 %."""
    if attempts > len(_RETRIES_S):
        return None
    return _RETRIES_S[attempts - 1] * (1 + 0.1 * jitter)
