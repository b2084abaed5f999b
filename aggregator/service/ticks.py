"""The jobs that come again and again. The only user of APScheduler."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

__all__ = ["Ticks"]


class _Every(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """So many seconds after the last time, or after now when that is long past.

    APScheduler's own interval trigger is asked for every time that was missed: after a machine without a clock learns
    what year it is, that is a loop of hours.
    """

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Never in the past."""
        return max(previous or now, now) + self._interval


class Ticks:
    """Runs coroutines at intervals, each one at a time: what is still at work when its turn comes again misses that turn."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        )

    def every(
        self,
        seconds: float,
        name: str,
        call: Callable[..., Awaitable[None]],
        *args: object,
        first_s: float | None = None,
    ) -> None:
        """Run `call` every so many seconds, the first time after `first_s`.

        A job of this name that exists gets the new interval and keeps its turn, unless the new interval brings it earlier:
        a reload every few minutes must not put off for ever what comes every ten.
        """
        due = datetime.now(UTC) + timedelta(seconds=seconds if first_s is None else min(first_s, seconds))
        known = self._scheduler.get_job(name)
        if known is not None:
            known.modify(trigger=_Every(seconds), next_run_time=min(known.next_run_time, due))
            return
        self._scheduler.add_job(call, _Every(seconds), args=args, id=name, next_run_time=due)

    def start(self) -> None:
        """Begin; nothing when it has."""
        if not self._scheduler.running:
            self._scheduler.start()

    def all_at_once(self, now: datetime) -> None:
        """Make all jobs due: after the clock was set back, they would wait until it is again where it was."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def pause(self) -> None:
        """Begin no job any more."""
        self._scheduler.pause()

    def end(self) -> None:
        """Cancel what is still at work."""
        self._scheduler.shutdown(wait=False)
