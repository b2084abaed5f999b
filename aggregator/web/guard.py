"""Around the whole site: reading only, answers only to names it knows, headers on every answer. Plain ASGI."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any

__all__ = ["PAGE_POLICY", "Guard", "host_name"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# Our pages: no script at all, style and pictures from here only, nothing from anywhere else.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",  # outlets need not know who reads what they are linked from
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_FOREVER = b"public, max-age=31536000, immutable"  # for addresses that hold a digest of what is there


class Guard:
    """The site as a browser may use it.

    A page from elsewhere can give its own name the address 127.0.0.1 and then read what a server on loopback answers (DNS
    rebinding), so requests for a name that is not ours are refused; addresses cannot be rebound and are always taken.
    """

    def __init__(self, app: AsgiApp, *, names: Iterable[str], policy: str) -> None:
        """`names` besides localhost are hosts to answer for; `policy` is for answers that bring none of their own."""
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}
        self._policy = policy.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the events of the server's own life."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._headers(scope, message)
            await send(message)

        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(sending, 405, "These pages are for reading: only GET and HEAD are answered.\n")
        elif not self._known(scope):
            await _refuse(sending, 421, "This host name is not served here: use localhost or the address itself.\n")
        else:
            await self._app({**scope, "method": "GET"}, receive, sending)  # the server leaves out the body for HEAD

    def _known(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        name = host_name(hosts[0])
        return name in self._names or _is_address(name)

    def _headers(self, scope: Scope, message: Message) -> list[tuple[bytes, bytes]]:
        headers = [(name.lower(), value) for name, value in message.get("headers", [])]
        if message["status"] == 200 and scope["path"].startswith("/assets/") and scope["query_string"]:  # noqa: PLR2004 - HTTP's OK
            headers = [pair for pair in headers if pair[0] != b"cache-control"] + [(b"cache-control", _FOREVER)]
        given = {name for name, _ in headers}
        wanted = {**_HEADERS, b"content-security-policy": self._policy}
        return headers + [(name, value) for name, value in wanted.items() if name not in given]


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in small letters."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"allow", b"GET, HEAD")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
