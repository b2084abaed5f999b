"""The clock, read here and handed on as an argument; and what tells when it jumped."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "JumpWatch", "utcnow"]

Clock = Callable[[], datetime]

_JUMP = timedelta(seconds=60)  # NTP slews by less between two looks; daylight saving does not move UTC


def utcnow() -> datetime:
    """Now, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class JumpWatch:
    """Tells when the wall clock moved otherwise than time passed.

    A suspended machine's monotonic clock stands still (CLOCK_MONOTONIC), so waking up looks like a jump forward: nothing
    has to be done then, what is due is due.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._wall, self._ticks = clock(), monotonic()

    def went_back(self) -> timedelta | None:
        """By how much the clock was set back since the last call, or None."""
        wall, ticks = self._clock(), self._monotonic()
        jump = (wall - self._wall) - timedelta(seconds=ticks - self._ticks)
        self._wall, self._ticks = wall, ticks
        return -jump if jump < -_JUMP else None
