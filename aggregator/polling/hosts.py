"""One host at a time: how many requests it gets at once, how far apart, and when it asked for a pause."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from aggregator.models import FailureReason, iso
from aggregator.polling.hints import RETRY_CAP_S
from aggregator.polling.refused import Refused

__all__ = ["HostGate", "host_of"]

_HOLDS_BEFORE_A_SWEEP: Final = 1024
_LONGEST_HOLD: Final = timedelta(seconds=RETRY_CAP_S)


def host_of(url: str) -> str:
    """The host that politeness counts by, in lower case; "" when the URL names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class _Host:
    """The state of one host while somebody uses it or waits for it."""

    __slots__ = ("free_at", "places", "users")

    def __init__(self, places: int, free_at: float) -> None:
        self.places = asyncio.Semaphore(places)
        self.free_at = free_at  # on the loop's clock
        self.users = 0


class HostGate:
    """Lets `per_host` requests through to a host at once, the next one `spacing_s` seconds after the last.

    Waiting at the gate costs nothing but the waiting task: pass the gate first, and only then take a place among the
    fetches under way, so that the feeds of a busy host keep nobody else waiting. Memory holds the hosts in use and those
    used within the last `spacing_s` seconds, and the holds that have not run out.
    """

    def __init__(self, per_host: int = 1, spacing_s: float = 1.0) -> None:
        self._per_host = per_host
        self._spacing_s = spacing_s
        self._hosts: dict[str, _Host] = {}
        self._resting: OrderedDict[str, float] = OrderedDict()  # hosts without users: when they may be asked again
        self._holds: dict[str, datetime] = {}
        self._sweep_at = _HOLDS_BEFORE_A_SWEEP

    def __len__(self) -> int:
        """How many hosts and holds it remembers."""
        return len(self._hosts) + len(self._resting) + len(self._holds)

    def busy(self, host: str) -> bool:
        """Whether a request to `host` would have to wait now."""
        self._forget()
        return host in self._resting or (host in self._hosts and self._hosts[host].places.locked())

    def retune(self, per_host: int, spacing_s: float) -> None:
        """Go on with other settings; hosts that are in use keep their number of places until they are not."""
        self._per_host, self._spacing_s = per_host, spacing_s

    @asynccontextmanager
    async def turn(
        self, host: str, clock: Callable[[], datetime], patience_s: float | None = None
    ) -> AsyncIterator[None]:
        """`slot`, unless `host` is on hold by `clock`, or becomes so while it is waited for. Raises Refused (RESTING)."""
        self._refuse_held(host, clock())
        async with self.slot(host, patience_s):
            self._refuse_held(host, clock())
            yield

    @asynccontextmanager
    async def slot(self, host: str, patience_s: float | None = None) -> AsyncIterator[None]:
        """A turn at `host`: waits until there is one. First come, first served.

        Raises Refused (RESTING) after `patience_s` seconds of waiting; None waits for as long as it takes.
        """
        self._forget()
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host(self._per_host, self._resting.pop(host, 0.0))
        state.users += 1
        try:
            try:
                async with asyncio.timeout(patience_s):
                    await self._enter(state)
            except TimeoutError:
                raise Refused(FailureReason.RESTING, f"{host} has other requests before it") from None
            try:
                yield
            finally:
                state.free_at = asyncio.get_running_loop().time() + self._spacing_s
                state.places.release()
        finally:
            state.users -= 1
            if not state.users:
                del self._hosts[host]
                self._resting[host] = state.free_at
                self._resting.move_to_end(host)

    async def _enter(self, state: _Host) -> None:
        """Take a place, and wait until it may be used."""
        clock = asyncio.get_running_loop().time
        await state.places.acquire()
        try:
            while (wait := state.free_at - clock()) > 0:  # noqa: ASYNC110 - it is the time that is waited for
                await asyncio.sleep(wait)
        except BaseException:  # a cancellation: the place is for the next one
            state.places.release()
            raise
        state.free_at = clock() + self._spacing_s

    def hold(self, host: str, until: datetime) -> None:
        """No request to `host` before `until`. A later end replaces an earlier one, never the other way round."""
        self._holds[host] = max(until, self._holds.get(host, until))

    def held(self, host: str, now: datetime) -> datetime | None:
        """Until when `host` is on hold at `now`, None when it is not: others may learn of one while you wait for your turn.

        No hold is longer than seven days: one that is has lost its meaning when the clock was set back.
        """
        if len(self._holds) > self._sweep_at:
            self._holds = {name: until for name, until in self._holds.items() if until > now}
            self._sweep_at = max(_HOLDS_BEFORE_A_SWEEP, 2 * len(self._holds))
        until = self._holds.get(host)
        if until is None:
            return None
        if until <= now:
            del self._holds[host]
            return None
        until = self._holds[host] = min(until, now + _LONGEST_HOLD)
        return until

    def _refuse_held(self, host: str, now: datetime) -> None:
        if until := self.held(host, now):
            raise Refused(FailureReason.RESTING, f"{host} asked for a pause until {iso(until)}")

    def _forget(self) -> None:
        """Drop the hosts whose rest is over."""
        now = asyncio.get_running_loop().time()
        while self._resting and next(iter(self._resting.values())) <= now:
            self._resting.popitem(last=False)
