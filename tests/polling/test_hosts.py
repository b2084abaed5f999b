import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.models import FailureReason, FetchRequest
from aggregator.polling.fetch import Fetcher
from aggregator.polling.hosts import HostGate, host_of
from aggregator.polling.refused import Refused

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)


@pytest.mark.parametrize("per_host", [1, 2])
def test_rule_06_requests_to_a_host_are_few_and_spaced(kit, per_host):
    """Rule 6: no more than per_host requests to one host at once, and each later than the one before by the spacing."""
    running, most, begun = 0, 0, []

    async def slow(asked, writer):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.8)
        running -= 1
        writer.write(kit.answer(body=b"<rss/>"))

    async def go():
        gate = HostGate(per_host, 0.3)
        async with kit.Site({"/feed": slow}) as site, Fetcher(kit.settings(), version="1") as fetcher:

            async def poll():
                async with gate.slot("127.0.0.1"):
                    begun.append(time.monotonic())  # here: on its way to the server a busy machine may delay it
                    await fetcher.fetch(FetchRequest(site.url()))

            await asyncio.gather(*(poll() for _ in range(4)))

    asyncio.run(go())
    gaps = [after - before for before, after in itertools.pairwise(begun)]
    assert most == per_host
    assert min(gaps) > (0.9 if per_host == 1 else 0.15)  # 1.1 and 0.3, less what a busy machine may blur


def test_a_busy_host_keeps_nobody_else_waiting(kit):
    """One slow feed never delays others: 50 feeds of a host that stalls, and one place for fetches; the other host is asked."""

    async def stall(asked, writer):
        await asyncio.sleep(60)

    async def go():
        gate, places = HostGate(1, 0.1), asyncio.Semaphore(2)
        async with (
            kit.Site({"/feed": stall}) as slow,
            kit.Site({"/feed": kit.answer(body=b"<rss/>")}, address="127.0.0.2") as quick,
            Fetcher(kit.settings(total_timeout_s=20.0), version="1") as fetcher,
        ):

            async def poll(site):
                async with gate.slot(site.address), places:
                    return await fetcher.fetch(FetchRequest(site.url()))

            waiting = [asyncio.create_task(poll(slow)) for _ in range(50)]
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await poll(quick)
            took = time.monotonic() - began
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return took

    assert asyncio.run(go()) < 10  # half of what the first of the others takes


def test_rule_05_a_hold_is_for_the_host_until_its_end():
    """Rule 5: a host on hold is held for all that ask, until then; a shorter hold does not end a longer one."""
    gate = HostGate()
    gate.hold("paper.example", NOW + timedelta(hours=2))
    gate.hold("paper.example", NOW + timedelta(hours=1))
    assert gate.held("paper.example", NOW + timedelta(minutes=90))
    assert not gate.held("other.example", NOW)
    assert not gate.held("paper.example", NOW + timedelta(hours=2))


def test_memory_does_not_grow_with_the_hosts_ever_asked():
    """A year of new host names leaves nothing behind, in slots or in holds."""

    async def go():
        gate = HostGate(1, 0.0)
        for number in range(5000):
            async with gate.slot(f"h{number}.example"):
                pass
            gate.hold(f"h{number}.example", NOW + timedelta(seconds=number))
            assert not gate.held("x.example", NOW + timedelta(seconds=number))
        gate.busy("x.example")
        return len(gate)

    assert asyncio.run(go()) < 2000


def test_a_cancelled_wait_gives_its_place_to_the_next():
    """A task that is cancelled at the gate, or inside, does not block the host."""

    async def go():
        gate = HostGate(1, 0.05)

        async def hold():
            async with gate.slot("h"):
                await asyncio.sleep(60)

        tasks = [asyncio.create_task(hold()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert gate.busy("h")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(30):
            async with gate.slot("h"):
                return True

    assert asyncio.run(go())


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Paper.Example:8443/a", "paper.example"),
        ("http://[::1]:80/", "::1"),
        ("nonsense", ""),
        ("http://[x", ""),
    ],
)
def test_the_host_of_a_url(url, host):
    """Politeness counts by the host's name in lower case, without port; a broken URL has none."""
    assert host_of(url) == host


def test_a_wait_for_a_turn_ends_with_the_patience(kit):
    """Who has waited long enough gives up, nobody loses a place by it, and the host is free again at once."""

    async def go():
        gate = HostGate(1, 0.0)
        async with gate.slot("h"):
            began = time.monotonic()
            with pytest.raises(Refused) as refused:
                async with gate.slot("h", 0.2):
                    raise AssertionError
            assert time.monotonic() - began >= 0.2
            assert refused.value.reason is FailureReason.RESTING
        async with asyncio.timeout(30), gate.slot("h", 0.2):
            return True

    assert asyncio.run(go())


def test_a_hold_that_is_learnt_of_while_a_turn_is_waited_for_counts():
    """The one before was told to pause: who waited behind it does not ask; a clock set back leaves no hold over a week."""

    async def go():
        gate, entered = HostGate(1, 0.0), []

        async def second():
            async with gate.turn("h", lambda: NOW):
                entered.append(True)

        async with gate.slot("h"):
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.05)
            gate.hold("h", NOW + timedelta(days=365))
        with pytest.raises(Refused, match=r"until 2026-03-04T06:23:00Z"):
            await waiting
        return entered

    assert asyncio.run(go()) == []


def test_other_settings_keep_what_the_gate_knows():
    """A gate that goes on with other settings has forgotten no hold, and spaces by the new ones."""

    async def go():
        gate = HostGate(1, 60.0)
        gate.hold("held", NOW + timedelta(hours=1))
        gate.retune(2, 0.0)
        assert gate.held("held", NOW)
        async with asyncio.timeout(30):
            async with gate.slot("h"), gate.slot("h"):
                pass
            async with gate.slot("h"):
                return True

    assert asyncio.run(go())


def test_the_wait_for_a_turn_is_no_part_of_the_exchange(kit):
    """The deadline stands still at the gate: a redirect to a host that is busy for longer than the deadline brings its feed."""

    async def go():
        gate = HostGate(1, 0.0)
        async with kit.Site() as door, kit.Site({"/feed": kit.answer(body=b"<rss/>")}, address="127.0.0.2") as site:
            door.answers["/feed"] = kit.answer(302, location=site.url())
            async with Fetcher(kit.settings(total_timeout_s=1.0), version="1") as fetcher:
                async with gate.slot("127.0.0.2"):
                    task = asyncio.create_task(fetcher.fetch(FetchRequest(door.url()), gate.slot))
                    await asyncio.sleep(1.5)
                    assert not task.done()
                return await task

    result = asyncio.run(go())
    assert result.body == b"<rss/>"
    assert result.elapsed_s < 1.0


def test_the_deadline_goes_on_after_the_wait(kit):
    """A server that stalls after its turn was waited for is given up when the deadline has run out."""

    async def stall(asked, writer):
        await asyncio.sleep(60)

    async def go():
        gate = HostGate(1, 0.5)
        async with (
            kit.Site({"/feed": stall}) as site,
            Fetcher(kit.settings(total_timeout_s=0.5), version="1") as fetcher,
        ):
            async with gate.slot("127.0.0.1"):
                pass
            return await fetcher.fetch(FetchRequest(site.url()), gate.slot)

    began = time.monotonic()
    result = asyncio.run(go())
    assert result.reason is FailureReason.TIMEOUT
    assert 1.0 <= time.monotonic() - began < 20
    assert 0.4 < result.elapsed_s < time.monotonic() - began - 0.4
