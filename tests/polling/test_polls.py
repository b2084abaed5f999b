"""The rules of the schedule, each with a real server, a real fetch and a real parse; only the clock is ours."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.polling.fetch import Fetcher

NOW = datetime(2026, 2, 25, 6, 23, tzinfo=UTC)  # a Wednesday
DAY = 86_400


@asynccontextmanager
async def reading(kit, target="/feed", **options):
    """A server, and a reader of one of its feeds."""
    async with kit.Site() as site, Fetcher(kit.settings(), version="1") as fetcher:
        yield site, kit.Reader(fetcher, site.url(target), NOW, **options)


def conditional(asked):
    """Whether a request carried a validator."""
    return bool(asked.values("if-none-match") or asked.values("if-modified-since"))


def test_rule_01_validators_are_replaced_by_every_answer(kit):
    """Rule 1: a 200 replaces both, even over the same body; a 304 renews what it names; one that a 200 lacks is dropped."""

    async def go():
        async with reading(kit) as (site, reader):
            body = kit.feed("One")
            site.answers["/feed"] = kit.answer(body=body, etag='W/"1-gzip"', last_modified="then")
            await reader.poll()
            assert (reader.state.etag, reader.state.last_modified) == ('W/"1-gzip"', "then")
            site.answers["/feed"] = kit.answer(body=body, etag="2")
            await reader.poll()
            assert (reader.state.etag, reader.state.last_modified) == ("2", None)
            site.answers["/feed"] = kit.answer(304, last_modified="now")
            await reader.poll()
            assert (reader.state.etag, reader.state.last_modified) == ("2", "now")
            for failure in (kit.answer(500), kit.answer(404), kit.answer(429)):
                site.answers["/feed"] = failure
                await reader.poll()
            assert (reader.state.etag, reader.state.last_modified) == ("2", "now")
            site.answers["/feed"] = kit.answer(body=kit.feed("Two"))
            await reader.poll()
            assert (reader.state.etag, reader.state.last_modified) == (None, None)

    asyncio.run(go())


def test_rule_01_the_validators_of_what_is_no_feed_are_not_kept(kit):
    """Rule 1: a page that stands in for the feed must not become "not modified", which would be a success."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), etag='"feed"')
            await reader.poll()
            site.answers["/feed"] = kit.answer(
                body=b"<!DOCTYPE html><html><body>Back soon</body></html>", etag='"page"'
            )
            await reader.poll()
            assert reader.state.failures == 1
            await reader.poll()
            assert not conditional(site.asked[-1])
            assert reader.state.failures == 2

    asyncio.run(go())


@pytest.mark.parametrize(
    ("fields", "head", "seconds", "named"),
    [
        ({"cache_control": "max-age=7200"}, "", 7200, "Cache-Control"),
        ({"expires": "Wed, 25 Feb 2026 10:23:00 GMT", "date": "Wed, 25 Feb 2026 06:23:00 GMT"}, "", 14_400, "Expires"),
        ({}, "<ttl>180</ttl>", 10_800, "ttl"),
        ({}, "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>6</sy:updateFrequency>", 14_400, "sy:"),
        ({"cache_control": "max-age=7200"}, "<ttl>180</ttl>", 10_800, "ttl"),
        ({"cache_control": "max-age=99999999"}, "", DAY, "Cache-Control"),
        ({}, "<ttl>99999</ttl>", DAY, "ttl"),
        ({"cache_control": "max-age=5"}, "<ttl>1</ttl>", 1800, "after the first poll"),
    ],
)
def test_rule_04_the_latest_hint_decides(kit, fields, head, seconds, named):
    """Rule 4: max-age, Expires, ttl, sy: the latest counts, at most 24 h, from 304s and unchanged bodies too, and is named."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One", head=head), etag='"1"', **fields)
            await reader.poll()
            assert reader.wait_s == seconds
            assert named in reader.state.why
            hinted = seconds > 1800
            await reader.poll()  # the same body
            assert reader.wait_s == seconds or not hinted
            site.answers["/feed"] = kit.answer(304, **fields)
            await reader.poll()
            assert reader.wait_s == seconds or not hinted

    asyncio.run(go())


def test_rule_04_skip_hours_and_days_are_honoured(kit):
    """Rule 4: a poll that would fall into excluded hours or days comes after them; all of time cannot be excluded."""

    async def go():
        async with reading(kit) as (site, reader):
            hours = "".join(f"<hour>{hour}</hour>" for hour in (6, 7, 8))
            site.answers["/feed"] = kit.answer(body=kit.feed("One", head=f"<skipHours>{hours}</skipHours>"), etag="1")
            await reader.poll()
            assert reader.state.next_poll_at == NOW.replace(hour=9, minute=0)
            assert "skipHours" in reader.state.why
            site.answers["/feed"] = kit.answer(304)
            reader.now = NOW
            await reader.poll(days=1)
            assert reader.state.next_poll_at == NOW.replace(day=26, hour=9, minute=0)
            days = "<day>Wednesday</day><day>Thursday</day>"
            site.answers["/feed"] = kit.answer(body=kit.feed("One", "Two", head=f"<skipDays>{days}</skipDays>"))
            reader.now = NOW
            await reader.poll(seconds=1)
            assert reader.state.next_poll_at == datetime(2026, 2, 27, tzinfo=UTC)
            every = "".join(f"<hour>{hour}</hour>" for hour in range(24))
            site.answers["/feed"] = kit.answer(body=kit.feed("One", "Three", head=f"<skipHours>{every}</skipHours>"))
            await reader.poll()
            assert reader.wait_s <= DAY

    asyncio.run(go())


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"retry_after": "7200"}, 7200),
        ({"retry_after": "Tue, 24 Feb 2026 20:00:00 GMT", "date": "Tue, 24 Feb 2026 18:00:00 GMT"}, 7200),
        ({"retry_after": "99999999"}, 7 * DAY),
    ],
)
def test_rule_05_retry_after_holds_the_whole_host(kit, status, fields, seconds):
    """Rule 5: Retry-After of a 429 or 503 sets the feed's next poll, and a hold for the host that answered."""

    async def go():
        async with reading(kit, jitter=-1.0) as (site, reader):
            site.answers["/feed"] = kit.answer(status, **fields)
            await reader.poll()
            hold = reader.decision.hold
            assert (hold.host, hold.until) == ("127.0.0.1", NOW + timedelta(seconds=seconds))
            assert reader.state.next_poll_at >= hold.until
            assert reader.state.state == "blocked"

    asyncio.run(go())


def test_rule_05_the_hold_is_for_the_host_that_answered(kit):
    """Rule 5: after a redirect it is the target's host that wants the pause."""

    async def go():
        async with reading(kit) as (site, reader), kit.Site(address="127.0.0.2") as target:
            site.answers["/feed"] = kit.answer(302, location=target.url())
            target.answers["/feed"] = kit.answer(429, retry_after="60")
            await reader.poll()
            assert reader.decision.hold.host == "127.0.0.2"

    asyncio.run(go())


def test_rule_05_a_429_without_a_time_is_an_hour_and_doubles(kit):
    """Rule 5: 1 h, 2 h, 4 h … up to a day, also for the host."""

    async def go():
        async with reading(kit, jitter=-1.0) as (site, reader):
            site.answers["/feed"] = kit.answer(429)
            waits = []
            for _ in range(7):
                await reader.poll()
                waits.append(reader.wait_s)
                assert reader.decision.hold.until <= reader.state.next_poll_at
            assert all(wait >= 3600 * 2**n for n, wait in enumerate(waits[:5]))
            assert max(waits) <= 1.1 * DAY

    asyncio.run(go())


@pytest.mark.parametrize("time", ["Wed, 01 Jan 2020 00:00:00 GMT", "0", "-5"])
def test_rule_05_a_429_that_says_at_once_is_one_without_a_time(kit, time):
    """Rule 5: a Retry-After that is over already does not undo the hour that a 429 means."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(429, retry_after=time, date="Wed, 25 Feb 2026 06:23:00 GMT")
            await reader.poll()
            assert reader.wait_s >= 3600
            assert reader.decision.hold

    asyncio.run(go())


def test_rule_10_an_address_with_a_login_stays_the_users(kit):
    """Rule 10: a lasting redirect never replaces an address that holds a login: its target has none."""

    async def go():
        async with kit.Site() as site, Fetcher(kit.settings(), version="1") as fetcher:
            url = site.url("/feed").replace("://", "://reader:secret@")
            reader = kit.Reader(fetcher, url, NOW)
            site.answers["/feed"] = kit.answer(301, location="/new")
            site.answers["/new"] = kit.answer(body=kit.feed("One"))
            for _ in range(3):
                await reader.poll(days=5)
            assert reader.state.url == url
            assert site.asked[-1].values("authorization")

    asyncio.run(go())


def test_rule_06_jitter_is_a_tenth(kit):
    """Rule 6: jitter moves the next poll by up to ±10 % of the interval, and never before what the publisher asks for."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"))
            for jitter, wait in ((-1.0, 1620), (0.0, 1800), (1.0, 1980)):
                fresh = kit.Reader(reader.fetcher, reader.state.url, NOW, jitter=jitter)
                await fresh.poll()
                assert fresh.wait_s == wait
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), cache_control="max-age=6000")
            for jitter, wait in ((-1.0, 6600), (0.0, 6000), (1.0, 6600)):
                fresh = kit.Reader(reader.fetcher, reader.state.url, NOW, jitter=jitter)
                await fresh.poll()
                assert fresh.wait_s == wait

    asyncio.run(go())


def test_rule_07_polls_follow_the_feed(kit):
    """Rule 7: nothing new slows the polls down to the ceiling, much that is new speeds them up to the floor."""

    async def go():
        async with reading(kit) as (site, reader):
            titles = [f"Item {n}" for n in range(400)]
            site.answers["/feed"] = kit.answer(body=kit.feed(*titles[:20]))
            waits = []
            for _ in range(150):
                await reader.poll()
                waits.append(reader.wait_s)
            assert waits[1:] == sorted(waits[1:])
            assert waits[-1] == DAY
            assert "nothing new" in reader.state.why
            for n in range(40):
                site.answers["/feed"] = kit.answer(body=kit.feed(*titles[5 + n * 5 : 25 + n * 5]))
                await reader.poll()
            assert reader.wait_s == 600
            assert reader.state.lossy_count == 0

    asyncio.run(go())


def test_rule_07_missed_items_are_counted_and_shorten_the_interval(kit):
    """Rule 7: a poll that shares no entry with the one before is lossy; one that shares an edited entry is not."""

    async def go():
        async with reading(kit) as (site, reader):
            for first in (0, 3):
                site.answers["/feed"] = kit.answer(body=kit.feed(*(f"Item {n}" for n in range(first, first + 5))))
                await reader.poll(hours=6)
            before = reader.state.interval_s
            site.answers["/feed"] = kit.answer(body=kit.feed(*(f"Item {n}" for n in range(50, 55))))
            await reader.poll(hours=6)
            assert reader.decision.lossy
            assert reader.state.lossy_count == 1
            assert reader.state.interval_s <= before / 2 or reader.state.interval_s == 600
            assert "missed" in reader.state.why
            edited = kit.feed(*(f"Item {n}" for n in range(50, 55))).replace(b"About", b"Now about")
            site.answers["/feed"] = kit.answer(body=edited)
            await reader.poll(hours=6)
            assert not reader.decision.lossy
            site.answers["/feed"] = kit.answer(body=kit.feed())
            await reader.poll(hours=6)
            assert not reader.decision.lossy  # an empty list has lost nothing
            assert reader.state.window

    asyncio.run(go())


def test_rule_08_one_request_in_seven_days_is_unconditional(kit):
    """Rule 8: validators go out, but not in the first poll after seven days without a full answer."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), etag='"1"')
            await reader.poll()
            site.answers["/feed"] = kit.answer(304)
            for _ in range(6):
                await reader.poll(days=1)
                assert conditional(site.asked[-1])
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), etag='"1"')
            await reader.poll(days=1)
            assert not conditional(site.asked[-1])
            assert reader.state.validators_trusted  # the body was the same
            await reader.poll(hours=1)
            assert conditional(site.asked[-1])

    asyncio.run(go())


def test_rule_08_validators_that_lie_are_used_no_more(kit):
    """Rule 8: a server that said "not modified" over a changed body is asked without validators from then on."""

    async def go(etag):
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), etag='"1"')
            await reader.poll()
            site.answers["/feed"] = kit.answer(304)
            for _ in range(6):
                await reader.poll(days=1)
            old = kit.feed("Two", "Three", "Four", date="Fri, 27 Feb 2026 06:23:00 GMT")
            site.answers["/feed"] = kit.answer(body=old, etag=etag)
            await reader.poll(days=1)
            assert reader.new == ["Two", "Three", "Four"]
            assert not reader.state.validators_trusted
            assert "not modified" in reader.state.why
            await reader.poll(hours=1)
            assert not conditional(site.asked[-1])

    asyncio.run(go('"1"'))  # the same validator over another body
    asyncio.run(go('"2"'))  # another one, but what is new was there for days while it said 304


def test_rule_08_news_of_the_last_hours_is_no_lie(kit):
    """Rule 8: a body that changed since the last 304 speaks for nobody's lying."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"), etag='"1"')
            await reader.poll()
            site.answers["/feed"] = kit.answer(304)
            await reader.poll(days=6)
            fresh = kit.feed("Two", "Three", "Four", date="Wed, 04 Mar 2026 06:00:00 GMT")
            site.answers["/feed"] = kit.answer(body=fresh, etag='"2"')
            await reader.poll(days=1)
            assert reader.state.validators_trusted

    asyncio.run(go())


def test_rule_10_a_permanent_redirect_is_believed_after_seven_days(kit):
    """Rule 10: followed at once, stored when it has lasted for seven days and leads to a feed."""

    async def go():
        async with reading(kit) as (site, reader):
            start = reader.state.url
            site.answers |= {"/feed": kit.answer(301, location="/new"), "/new": kit.answer(body=kit.feed("One"))}
            await reader.poll()
            assert (reader.state.url, reader.state.redirect_url) == (start, site.url("/new"))
            assert reader.new == ["One"]
            await reader.poll(days=6, hours=23)
            assert reader.state.url == start
            site.answers["/new"] = kit.answer(body=b"<html>no feed</html>")
            await reader.poll(hours=2)
            assert reader.state.url == start
            site.answers["/new"] = kit.answer(body=kit.feed("One"))
            await reader.poll(hours=2)
            assert (reader.state.url, reader.state.host, reader.state.redirect_url) == (
                site.url("/new"),
                "127.0.0.1",
                None,
            )
            await reader.poll(hours=2)
            assert site.asked[-1].target == "/new"

    asyncio.run(go())


def test_rule_10_a_redirect_that_ends_or_changes_begins_anew(kit):
    """Rule 10: seven days are counted for one target without a break; a failure without an answer is no break."""

    async def go():
        async with reading(kit) as (site, reader):
            for target in ("/new", "/other"):
                site.answers[target] = kit.answer(body=kit.feed("One"))
            moved = kit.answer(308, location="/new")
            for answer, since in (
                (moved, True),
                (kit.answer(308, location="/other"), True),
                (kit.answer(body=kit.feed("One")), False),
                (moved, True),
            ):
                site.answers["/feed"] = answer
                await reader.poll(days=6)
                assert reader.state.redirect_since == (reader.now if since else None)

            async def hang_up(asked, writer):
                return "close"

            began = reader.now
            site.answers["/feed"] = hang_up
            await reader.poll(days=3)
            assert reader.state.redirect_since == began
            site.answers["/feed"] = moved
            await reader.poll(days=5)
            assert reader.state.url == site.url("/new")

    asyncio.run(go())


@pytest.mark.parametrize("status", [302, 303, 307])
def test_rule_10_temporary_redirects_are_never_stored(kit, status):
    """Rule 10: 302, 303 and 307 are followed each time, and so is what a permanent one behind them says."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers |= {
                "/feed": kit.answer(status, location="/a"),
                "/a": kit.answer(301, location="/b"),
                "/b": kit.answer(body=kit.feed("One")),
            }
            for _ in range(3):
                await reader.poll(days=8)
            assert reader.state.url == site.url("/feed")
            assert reader.state.redirect_url is None

    asyncio.run(go())


def test_rule_06_politeness_counts_by_the_host_that_answers(kit):
    """Rule 6: many outlets may redirect to one host: their feeds then wait for that host's turn, and back when it ends."""

    async def go():
        async with reading(kit) as (site, reader), kit.Site(address="127.0.0.2") as target:
            site.answers["/feed"] = kit.answer(302, location=target.url())
            target.answers["/feed"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            assert (reader.state.url, reader.state.host) == (site.url(), "127.0.0.2")
            target.answers["/feed"] = kit.answer(500)
            await reader.poll()
            assert reader.state.host == "127.0.0.2"
            site.answers["/feed"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            assert reader.state.host == "127.0.0.1"

    asyncio.run(go())


def test_rule_10_no_more_than_five_hops(kit):
    """Rule 10: five redirects are followed, the sixth is a failure; a loop ends there too."""

    async def go():
        async with reading(kit, target="/0") as (site, reader):
            for n in range(5):
                site.answers[f"/{n}"] = kit.answer(302, location=f"{n + 1}")
            site.answers["/5"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            assert reader.state.state == "ok"
            site.answers["/5"] = kit.answer(302, location="/6")
            site.answers["/6"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            assert "more than 5 redirects" in reader.state.last_error
            asked = len(site.asked)
            site.answers["/0"] = kit.answer(301, location="/0")
            await reader.poll()
            assert len(site.asked) - asked == 6

    asyncio.run(go())


def test_rule_11_gone_is_believed_the_second_time(kit):
    """Rule 11: one 410 is a failure, the second marks the feed gone; it is looked at once in a while, and may come back."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(410)
            await reader.poll()
            assert reader.state.state != "gone"
            await reader.poll()
            assert reader.state.state == "gone"
            assert reader.wait_s == 30 * DAY
            site.answers["/feed"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            assert (reader.state.state, reader.state.gone_count, reader.state.failures) == ("ok", 0, 0)
            site.answers["/feed"] = kit.answer(410)
            await reader.poll()
            site.answers["/feed"] = kit.answer(404)
            await reader.poll()
            site.answers["/feed"] = kit.answer(410)
            await reader.poll()
            assert reader.state.state != "gone"  # not twice in a row

    asyncio.run(go())


@pytest.mark.parametrize("kind", ["404", "403", "html", "challenge", "500", "dns"])
def test_rule_11_failures_back_off_and_never_end(kit, kind):
    """Rule 11: failures wait longer each time, up to 7 days (1 day where they pass by themselves); a feed may come back."""

    async def go():
        async with reading(kit) as (site, reader):
            site.answers["/feed"] = kit.answer(body=kit.feed("One"))
            await reader.poll()
            answers = {
                "404": kit.answer(404),
                "403": kit.answer(403),
                "html": kit.answer(body=b"<!doctype html><html><title>Welcome</title></html>"),
                "challenge": kit.answer(403, cf_mitigated="challenge"),
                "500": kit.answer(500),
                "dns": None,
            }
            site.answers["/feed"] = answers[kind]
            if kind == "dns":
                reader.state = type(reader.state)(1, "http://paper.invalid/", "paper.invalid", NOW, last_success_at=NOW)
            waits, words = [], set()
            for _ in range(14):
                await reader.poll()
                waits.append(reader.wait_s)
                words.add(reader.state.state)
            assert waits == sorted(waits)
            assert waits[0] <= 2 * 3600
            assert waits[-1] == (DAY if kind == "500" else 7 * DAY)
            assert reader.state.failures == 14
            assert "14 failures" in reader.state.why
            assert "blocked" in words if kind in ("403", "challenge") else "failing" in words
            if kind == "challenge":
                assert "Cloudflare" in reader.state.last_error
            reader.state = type(reader.state)(
                **{n: getattr(reader.state, n) for n in reader.state.__slots__} | {"url": site.url()}
            )
            site.answers["/feed"] = kit.answer(body=kit.feed("One", "Two"))
            await reader.poll()
            assert (reader.state.state, reader.state.failures) == ("ok", 0)
            assert reader.wait_s < DAY

    asyncio.run(go())
