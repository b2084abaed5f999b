import asyncio

import pytest

from aggregator.models import FailureReason, Fetched
from aggregator.polling.address import parse_networks, refusal

FORBIDDEN = """
127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1
2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1
4000::1 8000::1 e000::1 not-an-address 1.2.3 0x7f.1
""".split()  # noqa: SIM905 - a table reads better than ninety quotes
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0
191.255.255.255 192.0.1.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2000::1 2606:4700::1111 2a00:1450:4001::1
2001:200::1 2003::1 ::ffff:8.8.8.8
""".split()  # noqa: SIM905 - the same


@pytest.mark.parametrize("address", FORBIDDEN)
def test_rule_19_an_address_that_is_not_public_is_refused(address):
    """Rule 19: every special-purpose range is refused, also inside mapped, 6to4, Teredo and NAT64 addresses."""
    assert refusal(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_rule_19_public_addresses_are_not_refused(address):
    """Rule 19: the neighbours of the special ranges are public, and stay reachable."""
    assert refusal(address) is None


def test_rule_19_allowed_networks_open_what_they_name_and_no_more():
    """Rule 19: the configuration opens a network; what lies beside it, or inside an address of it, stays closed."""
    allowed = parse_networks(["10.1.0.0/16", "64:ff9b::/96", "2002::/16", "::1"])
    assert refusal("10.1.2.3", allowed) is None
    assert refusal("::ffff:10.1.2.3", allowed) is None
    assert refusal("::1", allowed) is None
    assert refusal("10.2.0.1", allowed)
    assert refusal("64:ff9b::8.8.8.8", allowed) is None
    assert refusal("64:ff9b::127.0.0.1", allowed)
    assert refusal("64:ff9b::10.1.0.1", allowed) is None
    assert refusal("2002:7f00:1::", allowed)


def test_networks_that_are_none_are_named():
    """A wrong entry of allow_networks is an error that names it."""
    with pytest.raises(ValueError, match=r"10\.0\.0\.300"):
        parse_networks(["10.0.0.0/8", "10.0.0.300"])
    with pytest.raises(ValueError, match="host bits"):
        parse_networks(["10.0.0.1/8"])


LOCAL_SPELLINGS = """
127.0.0.1 127.1 0177.0.0.1 0x7f.0.0.1 0x7f000001 2130706433 017700000001 localhost [::1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[0:0:0:0:0:0:0:1] 0 0.0.0.0 [::] １２７.０.０.１ 127。0。0。1 ①②⑦.0.0.1 ⅼocalhost LOCALHOST localhost. 127.0.0.1.
169.254.169.254 0xa9fea9fe [fe80::1%25lo]
""".split()  # noqa: SIM905 - the same


@pytest.mark.parametrize("host", LOCAL_SPELLINGS)
def test_rule_19_no_spelling_of_this_machine_is_asked(kit, host):
    """Rule 19: decimal, octal, hexadecimal, short, full-width and mapped spellings never reach a server on this machine."""

    async def go():
        async with kit.Site({"/feed": kit.answer(body=b"<rss/>")}, address="0.0.0.0") as site:  # noqa: S104 - all spellings lead here
            result = await kit.fetch(f"http://{host}:{site.port}/feed", allow_networks=())
            return result, site

    result, site = asyncio.run(go())
    assert site.connections == 0
    assert result.reason in (FailureReason.FORBIDDEN_ADDRESS, FailureReason.BAD_URL, FailureReason.DNS), result


def test_rule_19_the_check_is_made_at_every_hop(kit):
    """Rule 19: a redirect from an allowed address to a forbidden one, or to another scheme, is not followed."""

    async def go(location):
        async with kit.Site() as inner, kit.Site(address="127.0.0.9") as site:
            site.answers["/feed"] = kit.answer(302, location=location.replace("PORT", str(inner.port)))
            result = await kit.fetch(site.url(), allow_networks=("127.0.0.9/32",))
            return result, inner.connections

    for location, reason in (
        ("http://127.0.0.1:PORT/feed", FailureReason.FORBIDDEN_ADDRESS),
        ("//2130706433:PORT/feed", FailureReason.FORBIDDEN_ADDRESS),
        ("http://[::ffff:127.0.0.1]:PORT/", FailureReason.FORBIDDEN_ADDRESS),
        ("file:///etc/passwd", FailureReason.BAD_URL),
        ("ftp://paper.example/", FailureReason.BAD_URL),
        ("gopher://127.0.0.1:PORT/_x", FailureReason.BAD_URL),
    ):
        result, connections = asyncio.run(go(location))
        assert (result.reason, connections) == (reason, 0), location


def test_rule_19_a_name_that_changes_its_address_gains_nothing(kit):
    """Rule 19: a name is looked up once for each connection, and what was checked is what is dialled (DNS rebinding)."""
    looked_up = []

    async def rebinding(host, port):
        looked_up.append(host)
        return ["127.0.0.9"] if len(looked_up) == 1 else ["127.0.0.1"]

    async def go():
        answer = kit.answer(302, location="/next", connection="close")
        secret = {"/next": kit.answer(body=b"secret")}
        async with (
            kit.Site({"/feed": answer}, address="127.0.0.9") as first,
            kit.Site(secret, port=first.port) as inner,
        ):
            url = first.url(host="rebind.feeds.test")
            result = await kit.fetch(url, resolver=rebinding, allow_networks=("127.0.0.9/32",))
            return result, first.connections, inner.connections

    result, first, inner = asyncio.run(go())
    assert (first, inner) == (1, 0)
    assert result.reason is FailureReason.FORBIDDEN_ADDRESS
    assert len(looked_up) == 2


def test_rule_19_one_forbidden_address_among_several_refuses_the_name(kit):
    """Rule 19: a name with a public and a private address is not asked at all: the choice would be the attacker's."""

    async def both(host, port):
        return ["127.0.0.9", "127.0.0.1"]

    async def go():
        async with kit.Site({"/feed": kit.answer(body=b"<rss/>")}, address="127.0.0.9") as site:
            url = site.url(host="paper.feeds.test")
            return await kit.fetch(url, resolver=both, allow_networks=("127.0.0.9/32",)), site.connections

    result, connections = asyncio.run(go())
    assert (result.reason, connections) == (FailureReason.FORBIDDEN_ADDRESS, 0)


def test_the_next_address_is_tried_when_one_does_not_answer(kit):
    """A name whose first address refuses, or swallows packets, is reached by its second one."""

    async def go(first):
        async def resolver(host, port):
            return [first, "127.0.0.9"]

        async with kit.Site({"/feed": kit.answer(body=b"<rss/>")}, address="127.0.0.9") as site:
            url = site.url(host="paper.feeds.test")
            return await kit.fetch(
                url, resolver=resolver, connect_timeout_s=1.0, allow_networks=("127.0.0.0/8", "240.0.0.0/4")
            )

    assert isinstance(asyncio.run(go("127.0.0.8")), Fetched)
    assert isinstance(asyncio.run(go("240.0.0.1")), Fetched)


def test_a_slow_name_server_is_a_failure_of_that_feed_alone(kit):
    """A look-up that does not end counts towards the time to connect, and its reason is "dns"."""

    async def never(host, port):
        await asyncio.sleep(60)

    result = asyncio.run(kit.fetch("http://paper.feeds.test/", resolver=never, connect_timeout_s=0.3))
    assert result.reason is FailureReason.DNS
    assert result.elapsed_s < 20  # of 60
