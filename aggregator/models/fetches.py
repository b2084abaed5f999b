"""A fetch: what is asked, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Failed", "FailureReason", "FetchRequest", "FetchResult", "Fetched", "NotModified", "Redirect"]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One conditional GET. `etag` and `last_modified` go out byte for byte; None sends no such header."""

    url: str
    etag: str | None = None
    last_modified: str | None = None


class FailureReason(StrEnum):
    """Why a fetch brought nothing; stored in `polls.reason`."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"  # content-encoding unknown or broken
    FORBIDDEN_ADDRESS = "forbidden_address"
    BAD_URL = "bad_url"
    REDIRECTS = "redirects"  # too many, or to nowhere
    HTTP = "http"  # any status that is not 200 or 304; see Failed.status
    RATE_LIMITED = "rate_limited"  # 429, and 503 with Retry-After
    RESTING = "resting"  # not asked: its host had no turn for it in time, or asked for a pause; never stored
    GONE = "gone"  # 410
    CHALLENGE = "challenge"  # an anti-bot page
    NOT_A_FEED = "not_a_feed"
    PARSE = "parse"  # the parser refused it, crashed or ran out of its limits
    NO_TEXT = "no_text"  # an article's page without the article: paywall, consent, log-in
    INTERNAL = "internal"  # an error of ours


@dataclass(frozen=True, slots=True)
class Redirect:
    """One hop that was followed."""

    status: int
    url: str  # the target, absolute


@dataclass(frozen=True, slots=True)
class Fetched:
    """A 200 with its body, decompressed. Header names are lower case."""

    url: str  # after redirects
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    status: int = 200
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NotModified:
    """A 304; its headers may renew the validators and the freshness hints."""

    url: str
    headers: Mapping[str, str]
    status: int = 304
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """An expected failure. `detail` is one line for a person, free of control characters."""

    url: str
    reason: FailureReason
    detail: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    redirects: tuple[Redirect, ...] = ()
    elapsed_s: float = 0.0
    wire_bytes: int = 0


FetchResult = Fetched | NotModified | Failed
