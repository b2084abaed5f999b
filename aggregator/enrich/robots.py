"""robots.txt (RFC 9309): may this program fetch that page? Pure; the only user of protego."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from protego import Protego

from aggregator.models import Failed, FailureReason, Fetched, FetchResult

__all__ = ["AGENT", "Rules", "robots_url", "rules_of"]

AGENT: Final = "aggregator"
_KEPT: Final = timedelta(hours=24)  # RFC 9309, 2.4: no longer
_AFTER_FAILURE: Final = timedelta(hours=1)
_READ: Final = 512_000  # bytes: RFC 9309, 2.5 asks for 500 KiB at least
_SLOWEST_S: Final = 30.0  # a Crawl-delay beyond is taken as this


@dataclass(frozen=True, slots=True)
class Rules:
    """What one host allows until `until`. `all_or_none` is set where there is no file to ask: True allows everything."""

    until: datetime
    all_or_none: bool | None = None
    delay_s: float = 0.0
    file: Any = field(default=None, repr=False, compare=False)

    def allows(self, url: str) -> bool:
        """Whether `url` of this host may be fetched."""
        return bool(self.file.can_fetch(url, AGENT)) if self.all_or_none is None else self.all_or_none


def robots_url(url: str) -> str:
    """Where the rules for `url` are."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/robots.txt"


def rules_of(result: FetchResult, now: datetime) -> Rules:
    """The rules that an answer to a request for robots.txt means.

    RFC 9309, 2.3.1: 4xx (and what is no text file) allows everything; a server that fails or cannot be reached allows
    nothing for the time being; 429 counts as failing.
    """
    match result:
        case Fetched(body=body, headers=headers):
            text = body[:_READ].decode("utf-8", "replace")
            if "html" in headers.get("content-type", "") or text.lstrip()[:1] == "<":
                return Rules(now + _KEPT, all_or_none=True)
            file = Protego.parse(text)
            return Rules(now + _KEPT, delay_s=min(float(file.crawl_delay(AGENT) or 0.0), _SLOWEST_S), file=file)
        case (
            Failed(reason=FailureReason.GONE)
            | Failed(reason=FailureReason.HTTP, status=400 | 401 | 402 | 403 | 404 | 405 | 406 | 451)
        ):
            return Rules(now + _KEPT, all_or_none=True)
        case Failed(reason=FailureReason.REDIRECTS):
            return Rules(now + _KEPT, all_or_none=True)  # more than five: as if there were none
        case _:
            return Rules(now + _AFTER_FAILURE, all_or_none=False)
