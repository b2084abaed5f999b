"""What a server's answer means, and what an exception of the libraries below means: reasons and words. Pure."""

import ssl
from typing import Final

import httpx

from aggregator.config import Fetching
from aggregator.models import FailureReason
from aggregator.polling.refused import Refused

__all__ = ["REDIRECTS", "Headers", "explained", "failure", "headers_of", "is_challenge", "is_cut_short"]

Headers = dict[str, str]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CUT: Final = ("without sending complete message body", "InvalidBodyLengthError", "StreamReset", "Expected body length")


def headers_of(response: httpx.Response, most: int) -> Headers:
    """The header as a mapping, each byte one character, so that validators go back byte for byte.

    Of a field that comes twice the first counts, but Cache-Control is a list and is joined. Raises Refused for more than
    `most` bytes.
    """
    size = 0
    fields: Headers = {}
    for raw_name, raw_value in response.headers.raw:
        size += len(raw_name) + len(raw_value) + 4
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in fields:
            fields[name] = value
        elif name in ("cache-control", "content-encoding"):
            fields[name] += ", " + value
    if size > most:
        raise Refused(FailureReason.TOO_LARGE, f"{size} bytes of headers")
    return fields


def is_challenge(headers: Headers) -> bool:
    """Whether an anti-bot page is what came, whatever the status says."""
    return headers.get("cf-mitigated", "").strip().lower() == "challenge"


def failure(code: int, headers: Headers) -> tuple[FailureReason, str]:
    """Why a status is no feed."""
    if is_challenge(headers):
        return FailureReason.CHALLENGE, f"HTTP {code}: an anti-bot challenge (Cloudflare) instead of the feed"
    if code == 429 or (code == 503 and "retry-after" in headers):  # noqa: PLR2004 - a status is clearest as its number
        wait = headers.get("retry-after")
        return FailureReason.RATE_LIMITED, f"HTTP {code}: too many requests" + (
            f", Retry-After: {wait}" if wait else ""
        )
    if code == 410:  # noqa: PLR2004 - the same
        return FailureReason.GONE, "HTTP 410: gone"
    if code == 304:  # noqa: PLR2004 - the same
        return FailureReason.PROTOCOL, "HTTP 304 to a request without validators"
    if code in REDIRECTS:
        return FailureReason.REDIRECTS, f"HTTP {code}: a redirect to nowhere"
    return FailureReason.HTTP, f"HTTP {code}"


def is_cut_short(body: bytes, response: httpx.Response, headers: Headers) -> bool:
    """Whether a body that only the end of its connection ended stops in the middle: then nothing but the body tells."""
    framed = "content-length" in headers or "transfer-encoding" in headers
    if framed or not bytes(response.extensions.get("http_version", b"")).startswith(b"HTTP/1"):
        return False
    tail = body[-64:].replace(b"\0", b"").rstrip()
    return bool(tail) and not tail.endswith((b">", b"}", b"]"))


def explained(error: Exception, settings: Fetching) -> tuple[FailureReason, str]:
    """Why an exchange failed, from the exception that ended it."""
    text = str(error) or type(error).__name__
    match error:
        case Refused():
            return error.reason, error.detail
        case httpx.ConnectTimeout():
            return FailureReason.TIMEOUT, f"no connection within {settings.connect_timeout_s:g} s"
        case TimeoutError() | httpx.TimeoutException():
            return FailureReason.TIMEOUT, f"no complete answer within {settings.total_timeout_s:g} s"
        case ssl.SSLError() | httpx.ConnectError() if _tls(error):
            return FailureReason.TLS, text
        case httpx.ConnectError() | httpx.ProxyError() | OSError():
            return FailureReason.CONNECT, text
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return FailureReason.BAD_URL, text
        case _ if any(sign in f"{type(error).__name__} {text}" for sign in _CUT):
            return FailureReason.TRUNCATED, text
        case httpx.TransportError():
            return FailureReason.PROTOCOL, text
        case _ if type(error).__module__.split(".")[0] in ("h2", "hpack", "hyperframe", "h11"):
            return FailureReason.PROTOCOL, text  # httpcore lets a few of these through
        case _:
            return FailureReason.INTERNAL, f"{type(error).__name__}: {text}"


def _tls(error: BaseException | None) -> bool:
    """Whether TLS is what failed: httpx wraps what httpcore wrapped."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
