"""JSON over HTTP to the one address that the operator configured: no redirects, no cookies, no proxy of the environment.

The only user of httpx in this stage. An endpoint is the operator's own choice, often on this machine, so the guard against
private addresses does not apply; but nothing that an article or an answer says can make a request go anywhere else.
"""

import asyncio
import json
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from aggregator.cleaning import plain_line
from aggregator.enrich.base import NotMade, Trouble
from aggregator.errors import ConfigError

__all__ = ["Endpoint", "read_key"]

_CONNECT_S: Final = 10.0
_MAX_ANSWER: Final = 4_000_000  # bytes
_LONGEST_WAIT_S: Final = 86_400.0
_DETAIL: Final = 300  # characters
_SET_UP: Final = frozenset({401, 402, 403, 404, 405, 413, 415, 422})


class Endpoint:
    """One server, by its base URL. Safe to use from many tasks of one event loop at once.

    `table` is where the configuration names it. Raises ConfigError when `url` is no http(s) URL.
    """

    def __init__(self, url: str, *, table: str, timeout_s: float, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f'[{table}] url: {url!r} is no http(s) URL; such as "http://127.0.0.1:11434/v1"')
        self._base = url.rstrip("/")
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", "User-Agent": "aggregator", **(headers or {})},
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @property
    def host(self) -> str:
        """Host and port, for messages and model names."""
        return urlsplit(self._base).netloc.rpartition("@")[2]

    async def post(self, path: str, body: Any) -> Any | NotMade:
        """The JSON that `path` answers to `body`, or why there is none. Raises nothing but CancelledError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._client.stream("POST", self._base + path, json=body) as response:
                    raw = bytearray()
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > _MAX_ANSWER:
                            return NotMade(Trouble.ANSWER, f"{self.host}: an answer of more than {_MAX_ANSWER} bytes")
                    return self._meant(response, bytes(raw))
        except TimeoutError:
            return NotMade(Trouble.DOWN, f"{self.host}: no complete answer within {self._timeout_s:g} s")
        except httpx.TimeoutException:
            return NotMade(Trouble.DOWN, f"{self.host}: no connection within {_CONNECT_S:g} s, or silence")
        except (httpx.HTTPError, OSError) as error:
            return NotMade(
                Trouble.DOWN,
                plain_line(f"{self.host}: {error or type(error).__name__}; is the server running?")[:_DETAIL],
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            return NotMade(Trouble.SET_UP, plain_line(f"{self.host}: {error}")[:_DETAIL])

    def _meant(self, response: httpx.Response, raw: bytes) -> Any | NotMade:
        code = response.status_code
        if code == 200:  # noqa: PLR2004 - a status is clearest as its number
            try:
                return json.loads(raw)
            except ValueError:
                return NotMade(Trouble.ANSWER, f"{self.host}: HTTP 200 without JSON")
        detail = plain_line(f"{self.host}: HTTP {code}: {raw[:1000].decode('utf-8', 'replace')}")[:_DETAIL]
        if code in _SET_UP or 300 <= code < 400:  # noqa: PLR2004 - the same
            return NotMade(Trouble.SET_UP, detail)
        if code == 429 or code >= 500:  # noqa: PLR2004 - the same
            return NotMade(Trouble.DOWN, detail, _wait(response))
        return NotMade(Trouble.ANSWER, detail)


def _wait(response: httpx.Response) -> float | None:
    """Seconds that Retry-After asks for, an HTTP-date read against the answer's own Date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_WAIT_S)
    try:
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return min(max(0.0, until.timestamp() - now.timestamp()), _LONGEST_WAIT_S)


def read_key(path: str, table: str) -> str:
    """The key in a file that `table` of the configuration names, "" when it names none. Raises ConfigError."""
    if not path:
        return ""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[{table}] api_key_file: {path}: {error}") from None
