"""Tells an outage of this machine's own network from the failures of publishers' servers. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from aggregator.models import DueFeed, Failed, FailureReason, FeedState, FetchResult

__all__ = ["NO_NETWORK", "NetworkWatch", "excused"]

NO_NETWORK = "no network on this machine; the feed is not to blame"  # why a feed is polled again then

_NO_ANSWER = frozenset({FailureReason.DNS, FailureReason.CONNECT, FailureReason.TIMEOUT})
_RETRY = timedelta(seconds=20)  # probes are spaced by whoever asks `offline`


def excused(state: FeedState, now: datetime) -> FeedState:
    """`state` as it was before a poll that failed for want of a network: no failure counted, tried again soon."""
    return replace(state, next_poll_at=now + _RETRY, why=NO_NETWORK)


class NetworkWatch:
    """`offline` while many hosts in a row, and no other between them, gave no answer at all.

    A host that was silent in an outage, and still is when another has answered since, is dead itself: it begins no new one. Else a
    catalogue with many dead hosts would be offline again and again, and these would be asked all the time.

    Args:
        hosts: how many hosts in a row; with fewer in the catalogue, all of them, but no fewer than two.
    """

    def __init__(self, hosts: int = 8) -> None:
        self.enough = hosts
        self._silent: dict[str, dict[int, FeedState]] = {}  # by host: its feeds' states from before their failed polls
        self._doubtful: set[str] = set()  # hosts that were silent in an outage, and have not answered since
        self.offline = False

    def answered(self, host: str) -> bool:
        """A host answered, whatever it said. True when this ends an outage."""
        was, self.offline = self.offline, False
        if was:
            self._doubtful.update(self._silent)
        self._doubtful.discard(host)
        self._silent.clear()
        return was

    def silent(self, feed: DueFeed, hosts_in_all: int) -> bool:
        """A host gave no answer to the poll of `feed`. True when with this one an outage begins.

        `hosts_in_all` are those of the catalogue; it need not be counted further than `enough`.
        """
        if feed.state.host in self._doubtful and not self.offline:
            return False
        self._silent.setdefault(feed.state.host, {})[feed.state.feed_id] = feed.state
        if self.offline or len(self._silent) < max(2, min(self.enough, hosts_in_all)):
            return False
        self.offline = True
        return True

    def victims(self) -> Mapping[int, FeedState]:
        """Feeds whose failures were counted before the outage was recognised, as they were before."""
        return {feed_id: state for feeds in self._silent.values() for feed_id, state in feeds.items()}

    @staticmethod
    def no_answer(result: FetchResult) -> bool:
        """Whether a poll ended without a word from the server."""
        return isinstance(result, Failed) and result.status is None and result.reason in _NO_ANSWER
