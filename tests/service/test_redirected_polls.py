"""Polls that lead from host to host: real servers on addresses of their own, the real database; only the clock is ours."""

import asyncio
import itertools
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from toldsite import Site, answer_of, feed_of

from aggregator.config import Config, Fetching, Polling
from aggregator.models import FeedSpec
from aggregator.service import poller
from aggregator.service.runtime import Runtime
from aggregator.store.writer import open_writer

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)
SPACING_S = 0.3


def config(spacing_s=0.0, **fetching):
    """Settings with which the servers of the tests may be asked."""
    return Config(
        fetching=Fetching(allow_networks=("127.0.0.0/8",), host_spacing_s=spacing_s, **fetching),
        polling=Polling(first_interval_s=600, floor_s=600, jitter=0.0),
    )


class World:
    """Sites, and a program that polls feeds of theirs by the clock `now`."""

    def __init__(self, stack, path):
        self._stack, self._path = stack, path
        self.now = NOW
        self.runtime = None

    async def site(self, address, **answers):
        """A server at this address; its targets are the names of `answers`."""
        told = {f"/{name}": answer for name, answer in answers.items()}
        return await self._stack.enter_async_context(Site(told, address=address))

    async def begin(self, settings, *urls):
        """Start the program with these feeds; the one before it ends."""
        await self.end()
        self.writer = open_writer(self._path, now=self.now)
        specs = [FeedSpec(url, f"Outlet {number}", "LV", "en") for number, url in enumerate(urls)]
        self.writer.sync_feeds(specs, now=self.now)
        self.writer.make_due(now=self.now)
        self.runtime = Runtime(settings, writer=self.writer, embedder=None, clock=lambda: self.now)
        await self.runtime.__aenter__()

    async def end(self):
        """Stop the program."""
        if self.runtime:
            await self.runtime.__aexit__(None, None, None)
        self.runtime = None

    async def poll(self, **later):
        """What is due, so much later."""
        self.now += timedelta(**later)
        return await self.runtime.rounds.run_all_due()

    async def poll_next(self):
        """The next poll of the only feed."""
        self.now = max(self.now, datetime.fromisoformat(self.state("next_poll_at")[0]))
        return await self.poll()

    def state(self, column):
        """This column of `feed_state`, feed by feed."""
        return [row[0] for row in self.writer.rows(f"SELECT {column} FROM feed_state ORDER BY feed_id")]  # noqa: S608


@asynccontextmanager
async def world(tmp_path):
    """A World, that ends."""
    async with AsyncExitStack() as stack:
        made = World(stack, tmp_path / "a.db")
        try:
            yield made
        finally:
            await made.end()


def noting(began, body, lasts_s=0.05):
    """An answer that takes its time, and notes when the request came."""

    async def answer(_asked, writer):
        began.append(time.monotonic())
        await asyncio.sleep(lasts_s)
        writer.write(answer_of(body=body))

    return answer


def gaps(began):
    """Seconds between one request and the next."""
    return [after - before for before, after in itertools.pairwise(began)]


@pytest.mark.parametrize("patience_s", [60.0, 0.35])
def test_rule_06_many_hosts_that_redirect_to_one_do_not_burst_it(tmp_path, monkeypatch, patience_s):
    """Rule 6: ten hosts never asked before redirect to one: it is asked one at a time, spaced, however short the patience is."""
    monkeypatch.setattr(poller, "_PATIENCE_S", patience_s)

    async def go():
        began = []
        async with world(tmp_path) as here:
            proxy = await here.site("127.0.2.1", **{f"f{n}": noting(began, feed_of(f"News {n}")) for n in range(10)})
            doors = [
                await here.site(f"127.0.1.{n + 1}", feed=answer_of(302, location=proxy.url(f"/f{n}")))
                for n in range(10)
            ]
            await here.begin(config(SPACING_S), *(door.url() for door in doors))
            counts = await here.poll()
            assert (counts.polled, counts.new, counts.failed) == (10, 10, 0)
            assert here.state("host") == ["127.0.2.1"] * 10
            assert here.state("failures") == [0] * 10
            assert here.writer.value("SELECT count(*) FROM polls") == 10
            assert (counts.resting > 0) == (patience_s < 1)  # those come again, and to that host one after the other
            assert max(len(door.asked) for door in doors) <= 4
        assert len(began) == 10
        assert min(gaps(began)) > SPACING_S  # from the end of one, which took 0.05 s, less what a busy machine may blur

    asyncio.run(go())


def test_rule_06_one_host_that_redirects_to_many_is_not_burst_either(tmp_path):
    """Rule 6: feeds of one shortener that lead to hosts of their own: the shortener is asked one at a time, spaced, at every poll."""

    async def go():
        began = []

        def door(target):
            async def answer(_asked, writer):
                began.append(time.monotonic())
                writer.write(answer_of(302, location=target))

            return answer

        async with world(tmp_path) as here:
            papers = [await here.site(f"127.0.3.{n + 1}", feed=answer_of(body=feed_of(f"News {n}"))) for n in range(5)]
            shortener = await here.site("127.0.2.2", **{f"s{n}": door(paper.url()) for n, paper in enumerate(papers)})
            await here.begin(config(SPACING_S), *(shortener.url(f"/s{n}") for n in range(5)))
            for _ in range(2):
                began.clear()
                counts = await here.poll(days=1)
                assert (counts.polled, counts.failed) == (5, 0)
                assert here.state("host") == [paper.address for paper in papers]
                assert min(gaps(began)) > 0.9 * SPACING_S

    asyncio.run(go())


def test_hosts_that_redirect_to_each_other_do_not_wait_for_each_other(tmp_path):
    """No turn is held while another is waited for: A leads to B and B to A, one place each, and both feeds come."""

    async def go():
        async with world(tmp_path) as here:
            a = await here.site("127.0.4.1", rest=answer_of(body=feed_of("One")))
            b = await here.site("127.0.4.2", rest=answer_of(body=feed_of("Two")))
            together = asyncio.Event()

            def to(other):
                async def answer(_asked, writer):
                    if len(a.asked) and len(b.asked):
                        together.set()  # both turns are taken now
                    await together.wait()
                    writer.write(answer_of(302, location=other.url("/rest")))

                return answer

            a.answers["/feed"], b.answers["/feed"] = to(b), to(a)
            await here.begin(config(), a.url(), b.url())
            async with asyncio.timeout(30):
                counts = await here.poll()
            assert (counts.polled, counts.new, counts.failed) == (2, 2, 0)

    asyncio.run(go())


def test_rule_05_a_host_that_is_met_by_redirect_has_its_pause(tmp_path):
    """Rule 5: a host on hold is not asked by those that are redirected to it, also after a restart; no feed is blamed."""

    async def go():
        async with world(tmp_path) as here:
            proxy = await here.site("127.0.5.1", a=answer_of(429, retry_after="7200"), b=answer_of(body=feed_of("One")))
            doors = [
                await here.site("127.0.5.2", feed=answer_of(302, location=proxy.url("/a"))),
                await here.site("127.0.5.3", feed=answer_of(302, location=proxy.url("/b"))),
            ]
            settings = config()
            await here.begin(settings, doors[0].url())
            await here.poll()
            await here.begin(settings, *(door.url() for door in doors))  # the pause is known from the database
            await here.runtime.reconfigure(
                msgspec.structs.replace(settings, fetching=Fetching(allow_networks=("127.0.0.0/8",), per_host=2))
            )
            counts = await here.poll(minutes=5)
            assert (counts.polled, counts.resting) == (0, 1)
            assert [asked.target for asked in proxy.asked] == ["/a"]
            assert here.state("failures") == [1, 0]
            assert here.state("state")[1] == "new"
            assert here.state("next_poll_at")[1] == "2026-02-25T08:23:00Z"  # the end of the pause
            assert "127.0.5.1 asked for a pause until 2026-02-25T08:23:00Z" in here.state("why")[1]
            assert "no failure" in here.state("why")[1]
            proxy.answers["/a"] = answer_of(body=feed_of("Two"))
            counts = await here.poll(hours=2)
            assert (counts.polled, counts.new, counts.failed) == (2, 2, 0)
            assert here.state("failures") == [0, 0]

    asyncio.run(go())


# --- moves that die ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def moved(tmp_path):
    """A feed that has moved from `old` to `new` a week ago."""
    async with world(tmp_path) as here:
        old, new = await here.site("127.0.6.1"), await here.site("127.0.6.2", feed=answer_of(body=feed_of("One")))
        old.answers["/feed"] = answer_of(301, location=new.url())
        await here.begin(config(), old.url())
        for _ in range(3):
            await here.poll(days=4)
        assert here.state("url") == [new.url()]
        old.asked.clear()
        yield here, old, new


@pytest.mark.parametrize("kind", ["gone", "404", "page", "silence"])
def test_rule_10_the_catalogues_address_is_asked_when_the_one_moved_to_is_dead(tmp_path, kind):
    """Rule 10: 410 twice, or no feed for seven days: the configured address is asked in the same poll, and taken when it is a feed."""

    async def silence(_asked, _writer):
        return "close"

    async def go():
        async with moved(tmp_path) as (here, old, new):
            old.answers["/feed"] = answer_of(body=feed_of("One", "Two"), etag='"old"')
            new.answers["/feed"] = {
                "gone": answer_of(410),
                "404": answer_of(404),
                "page": answer_of(body=b"<html>for sale</html>"),
                "silence": silence,
            }[kind]
            died, polls = here.now, 0
            while not old.asked:
                assert here.state("url") == [new.url()]
                await here.poll_next()
                polls += 1
            assert polls == 2 if kind == "gone" else here.now - died >= timedelta(days=7)
            assert here.now - died <= timedelta(days=15)
            assert here.state("url") == [old.url()]
            assert (here.state("state"), here.state("failures")) == (["ok"], [0])
            why = here.writer.value("SELECT why FROM feed_health")
            assert why.endswith(f"; back at the catalogue's address, as {new.url()}, where it had moved to, is dead")
            assert here.writer.value("SELECT count(*) FROM items") == 2
            assert len(old.asked) == 1
            assert not old.asked[0].values("if-none-match")  # what another server said is not sent to this one
            asked = len(new.asked)
            await here.poll_next()
            assert len(new.asked) == asked
            assert old.asked[-1].value("if-none-match") == b'"old"'

    asyncio.run(go())


def test_rule_10_of_two_dead_addresses_neither_is_forgotten(tmp_path):
    """Both dead: one more request a poll, of which there are few, and no change of address; the one moved to may come back."""

    async def go():
        async with moved(tmp_path) as (here, old, new):
            old.answers["/feed"] = answer_of(404)
            new.answers["/feed"] = answer_of(410)
            new.asked.clear()
            began = here.now
            for _ in range(5):
                await here.poll_next()
            assert (len(new.asked), len(old.asked)) == (5, 4)  # asked from the second 410 on
            assert here.now - began > timedelta(days=80)
            assert here.state("url") == [new.url()]
            assert here.state("state") == ["gone"]
            why = here.writer.value("SELECT why FROM feed_health")
            assert why.startswith("HTTP 410: gone; the catalogue's address fails too: HTTP 404; 5 failures in a row")
            new.answers["/feed"] = answer_of(body=feed_of("One", "Three"))
            await here.poll_next()
            assert (here.state("url"), here.state("state")) == ([new.url()], ["ok"])
            assert len(old.asked) == 4

    asyncio.run(go())


def test_rule_10_a_redirect_to_what_is_dead_is_no_way_back_and_forth(tmp_path):
    """The configured address still redirects to the dead one: no address changes; once it is a feed it stays so until a move lasts again."""

    async def go():
        async with moved(tmp_path) as (here, old, new):
            new.answers["/feed"] = answer_of(410)
            for _ in range(4):
                await here.poll_next()
            assert here.state("url") == [new.url()]
            old.answers["/feed"] = answer_of(body=feed_of("One", "Two"))
            await here.poll_next()
            assert here.state("url") == [old.url()]
            old.answers["/feed"] = answer_of(301, location=new.url())
            new.answers["/feed"] = answer_of(body=feed_of("One", "Two"))
            since = here.now
            while here.state("url") == [old.url()]:
                await here.poll_next()
            assert timedelta(days=7) <= here.now - since <= timedelta(days=9)

    asyncio.run(go())


@pytest.mark.parametrize("answer", [answer_of(429, retry_after="60"), answer_of(500)], ids=["429", "500"])
def test_rule_10_a_move_is_not_dead_for_a_day(tmp_path, answer):
    """A host that wants less of us, and an outage of some days, send nobody back to the address that was left."""

    async def go():
        async with moved(tmp_path) as (here, old, new):
            new.answers["/feed"] = answer
            began = here.now
            while here.now - began < timedelta(days=5):
                await here.poll_next()
            assert len(new.asked) > 5
            assert not old.asked
            assert here.state("url") == [new.url()]

    asyncio.run(go())
