"""One host at a time: how many requests it gets at once, how far apart, and when it asked for a pause."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

__all__ = ["HostGate", "host_of"]

_HOLDS_BEFORE_A_SWEEP = 1024


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

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """A turn at `host`: waits until there is one. First come, first served."""
        self._forget()
        clock = asyncio.get_running_loop().time
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host(self._per_host, self._resting.pop(host, 0.0))
        state.users += 1
        try:
            async with state.places:
                while (wait := state.free_at - clock()) > 0:  # noqa: ASYNC110 - it is the time that is waited for
                    await asyncio.sleep(wait)
                state.free_at = clock() + self._spacing_s
                try:
                    yield
                finally:
                    state.free_at = clock() + self._spacing_s
        finally:
            state.users -= 1
            if not state.users:
                del self._hosts[host]
                self._resting[host] = state.free_at
                self._resting.move_to_end(host)

    def hold(self, host: str, until: datetime) -> None:
        """No request to `host` before `until`. A later end replaces an earlier one, never the other way round."""
        self._holds[host] = max(until, self._holds.get(host, until))

    def held(self, host: str, now: datetime) -> bool:
        """Whether `host` is on hold at `now`: ask after the gate has let you through, as others may have learnt it since."""
        if len(self._holds) > self._sweep_at:
            self._holds = {name: until for name, until in self._holds.items() if until > now}
            self._sweep_at = max(_HOLDS_BEFORE_A_SWEEP, 2 * len(self._holds))
        until = self._holds.get(host)
        if until is not None and until <= now:
            del self._holds[host]
            return False
        return until is not None

    def _forget(self) -> None:
        """Drop the hosts whose rest is over."""
        now = asyncio.get_running_loop().time()
        while self._resting and next(iter(self._resting.values())) <= now:
            self._resting.popitem(last=False)
