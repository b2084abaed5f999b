"""Which addresses may be asked for a feed: the public internet, and the networks that the configuration opens. Pure.

The ranges are those of the IANA special-purpose address registries (RFC 6890) that are not meant for public hosts.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["Network", "parse_networks", "refusal"]

Network = IPv4Network | IPv6Network

_V4: Final = tuple(
    (IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6: Final = tuple(
    (IPv6Network(network), name)
    for network, name in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")  # all that IANA has given out for public hosts
_NAT64: Final = IPv6Network("64:ff9b::/96")


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR form, or single addresses. Raises ValueError that names the one that is neither."""
    return tuple(ip_network(text.strip()) for text in texts)


def refusal(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why `address`, a literal, must not be connected to; None when it may.

    An address that carries another one inside (v4-mapped, 6to4, NAT64) is judged by both: a network that is allowed
    does not open what it leads to.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address[:80]!r} is no address"
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    kind = _kind(ip)
    if kind is None:
        return None
    if not any(ip in network for network in allowed):
        return f"{ip} is not a public address ({kind})"
    inner = _embedded(ip)
    return refusal(str(inner), allowed) if inner is not None else None


def _kind(ip: IPv4Address | IPv6Address) -> str | None:
    """What sort of special address it is; None for a public one."""
    if isinstance(ip, IPv4Address):
        return next((name for network, name in _V4 if ip in network), None)
    name = next((name for network, name in _V6 if ip in network), None)
    return name or (None if ip in _PUBLIC_V6 else "reserved")


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to `ip` end at (RFC 3056, RFC 4380, RFC 6052)."""
    if isinstance(ip, IPv4Address):
        return None
    if ip.sixtofour:
        return ip.sixtofour
    if ip.teredo:
        return ip.teredo[1]
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
