"""An outage of this machine's network is told from the failures of publishers."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.models import DueFeed, Failed, FailureReason, FeedSpec, FeedState, Fetched, NotModified
from aggregator.service.network import NetworkWatch, excused

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


def feed(number, host=None):
    """A feed of a host of its own, or of this one."""
    name = host or f"h{number}.example"
    url = f"https://{name}/{number}"
    state = FeedState(feed_id=number, url=url, host=name, next_poll_at=NOW, why="as before")
    return DueFeed(FeedSpec(url, f"Outlet {number}"), state, number)


def test_eight_silent_hosts_in_a_row_are_an_outage():
    """The eighth host in a row that gives no answer begins it; the ninth is no second beginning."""
    watch = NetworkWatch()
    assert [watch.silent(feed(n), 100) for n in range(9)] == [False] * 7 + [True, False]
    assert watch.offline


def test_one_host_that_answers_ends_the_row():
    """Seven silent hosts, one that answers, seven silent ones: no outage."""
    watch = NetworkWatch()
    for n in range(7):
        watch.silent(feed(n), 100)
    assert not watch.answered("other.example")
    assert not any(watch.silent(feed(n), 100) for n in range(7))
    assert not watch.offline


def test_many_feeds_of_one_silent_host_are_no_outage():
    """A host with twenty feeds that is down is that host's trouble."""
    watch = NetworkWatch()
    assert not any(watch.silent(feed(n, "down.example"), 100) for n in range(20))
    assert not watch.offline


@pytest.mark.parametrize(("hosts", "needed"), [(1, 2), (2, 2), (3, 3), (8, 8), (500, 8)])
def test_a_small_catalogue_needs_all_its_hosts_but_two_at_least(hosts, needed):
    """With fewer than eight hosts all of them must be silent; one host alone never is an outage."""
    watch = NetworkWatch()
    assert [watch.silent(feed(n), hosts) for n in range(needed)] == [False] * (needed - 1) + [True]


def test_an_answer_ends_an_outage_once():
    """The first answer is the end of it; the victims of before are forgotten."""
    watch = NetworkWatch()
    for n in range(8):
        watch.silent(feed(n), 100)
    assert set(watch.victims()) == set(range(8))
    assert watch.answered("other.example")
    assert not watch.answered("other.example")
    assert not watch.offline
    assert watch.victims() == {}


def test_hosts_that_stay_silent_when_another_answers_are_dead_themselves():
    """They begin no second outage, so that their failures count; one of them that answers counts as a host again."""
    watch = NetworkWatch()
    for n in range(9):
        watch.silent(feed(n), 100)
    assert watch.answered("other.example")
    assert not any(watch.silent(feed(n), 100) for n in range(9))
    assert not watch.offline
    assert watch.victims() == {}
    watch.answered("h0.example")
    assert [watch.silent(feed(n), 100) for n in (*range(9), *range(20, 27))] == [False] * 15 + [True]
    assert set(watch.victims()) == {0, *range(20, 27)}


def test_the_excused_state_is_the_one_from_before():
    """No failure is counted, and the feed is tried again within minutes, for a reason that a person understands."""
    before = feed(3).state
    after = excused(before, NOW)
    assert after.failures == before.failures
    assert after.state == before.state
    assert timedelta(0) < after.next_poll_at - NOW <= timedelta(minutes=5)
    assert "no network" in after.why


@pytest.mark.parametrize(
    ("result", "silent"),
    [
        (Failed("u", FailureReason.DNS, "no address"), True),
        (Failed("u", FailureReason.CONNECT, "refused"), True),
        (Failed("u", FailureReason.TIMEOUT, "30 s"), True),
        (Failed("u", FailureReason.TIMEOUT, "slow body", status=200), False),
        (Failed("u", FailureReason.HTTP, "500", status=500), False),
        (Failed("u", FailureReason.TLS, "expired"), False),
        (Failed("u", FailureReason.INTERNAL, "ours"), False),
        (Fetched("u", b"", {}), False),
        (NotModified("u", {}), False),
    ],
)
def test_what_counts_as_no_answer(result, silent):
    """Only what ended without a word of the server: a status, or a certificate, is an answer."""
    assert NetworkWatch.no_answer(result) is silent
