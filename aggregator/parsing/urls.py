"""One form for the many addresses of one article.

Normalising follows RFC 3986 section 6; what goes beyond it (tracking parameters, AMP, mobile hosts, proxies of feeds) is
listed here and in `tracking.py`. A canonical URL is for comparison: it need not answer when it is fetched.
"""

import base64
import binascii
import hashlib
import re
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urljoin, urlsplit

from aggregator.parsing.tracking import is_tracking

__all__ = ["absolute", "canonical", "is_site_root"]

_MAX: Final = 4096  # characters; what is longer is cut off before anything looks at it
_AGAIN: Final = 8  # passes at most; made-up addresses took three
_ABSOLUTE: Final = re.compile(r"https?://[A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?(?:[/?#][!#-;=?-Z_a-z~\[\]]*)?\Z")
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?\Z")
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROLS: Final = re.compile("[\x00-\x20\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MOBILE: Final = re.compile(r"^(?:www\.|m\.|mobile\.|mobil\.|amp\.|wap\.|touch\.|www\d?\.)+(?=[^.]+\.)")
_AMP_PATH: Final = re.compile(r"(?:/amp(?:\.html?)?|\.amp(?:\.html?)?|/amp/index\.html)/?$", re.IGNORECASE)
_AMP_FRONT: Final = re.compile(r"^/amp/(?=[^/]+)", re.IGNORECASE)
_AMP_CACHE: Final = re.compile(r"^/(?:amp/)?(?:c|v|i)/(s/)?(.+)$")
_INDEX: Final = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$", re.IGNORECASE)
_SESSION: Final = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?]*", re.IGNORECASE)
# Redirectors whose target stands in a parameter of their own address.
_TARGETS: Final = {
    "news.google.com": ("url",),
    "www.google.com": ("url", "q"),
    "l.facebook.com": ("u",),
    "lm.facebook.com": ("u",),
    "www.bing.com": ("url",),
    "go.skimresources.com": ("url",),
    "feedproxy.google.com": ("url",),
    "rss.feedsportal.com": ("url",),
    "out.reddit.com": ("url",),
    "redirect.viglink.com": ("u",),
    "t.umblr.com": ("z",),
    "vk.com": ("to",),
    "away.vk.com": ("to",),
    "r.search.yahoo.com": ("RU",),
}
_PROXIES: Final = frozenset(
    {"feedproxy.google.com", "feeds.feedburner.com", "rss.feedsportal.com", "feedsportal.com", "news.google.com"}
    | {"feeds.bbci.co.uk", "rss.cnn.com", "redirect.feedburner.com", "feedads.g.doubleclick.net"}
)


def absolute(url: str, base: str) -> str:
    """`url` resolved against `base`, free of white space and controls; "" unless the result is http or https."""
    url = url[:_MAX]
    if _ABSOLUTE.match(url):
        return url
    url = _CONTROLS.sub("", url).strip("<>\"'")
    if not url:
        return ""
    if url.startswith("www.") and "/" not in url.partition(".")[0]:
        url = "http://" + url
    try:
        joined = urljoin(base, url) if base else url
        parts = urlsplit(joined)
        host = parts.hostname
    except ValueError:
        return ""
    return joined if parts.scheme in ("http", "https") and host else ""


def is_site_root(url: str) -> bool:
    """Whether a canonical URL names a site rather than an article: such links identify nothing."""
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


@lru_cache(maxsize=8192)
def canonical(url: str, original: str = "") -> str:
    """The form that all addresses of one article share; "" for what is no http(s) URL. Idempotent.

    Host and scheme lower case, https for http, no `www.`, `m.`, `amp.`, no default port, fragment, credentials or
    tracking parameter, the others sorted, one form of percent-encoding, no AMP path, no trailing slash. `original` is
    what the entry itself names as its first address (feedburner:origLink, source): used when `url` is a proxy's.
    """
    found = _canonical(url, original)
    for _ in range(_AGAIN):  # what normalising has laid bare may be a redirector's address, or normalised further
        again = _canonical(found, "") if found else ""
        if again == found:
            break
        found = again
    return found


def _canonical(url: str, original: str) -> str:
    url = absolute(url, "")
    for _ in range(3):
        if not url:
            return ""
        parts = urlsplit(url)
        if original and parts.hostname in _PROXIES:
            url, original = absolute(original, "") or url, ""
            continue
        target = _unwrapped(url, parts)
        if target == url:
            return _normal(parts)
        url = target
    return _normal(urlsplit(url))


def _unwrapped(url: str, parts: SplitResult) -> str:
    """The target that a redirector's or an AMP cache's address carries, or `url` itself."""
    host = (parts.hostname or "").lower()
    if host in _TARGETS:
        for name, value in parse_qsl(parts.query):
            if name in _TARGETS[host] and _SCHEME.match(value) and absolute(value, ""):
                return absolute(value, "")
    if host == "news.google.com" and "/articles/" in parts.path:
        return _google_news(parts.path) or url
    if host.endswith((".cdn.ampproject.org", ".bing-amp.com")) or (
        host in ("www.google.com", "google.com") and parts.path.startswith("/amp/")
    ):
        path = parts.path.removeprefix("/amp") if host.endswith("google.com") else parts.path
        found = _AMP_CACHE.match(path) or re.match(r"^/(s/)?(.+)$", path)
        if found:
            rest = found[2] + (f"?{parts.query}" if parts.query else "")
            return absolute(("https://" if found[1] else "http://") + rest, "") or url
    return url


def _google_news(path: str) -> str:
    """The article's address inside an old-style Google News id (base64 of a small protobuf); "" in the new style."""
    token = path.rpartition("/articles/")[2].partition("/")[0][:1000]
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return ""
    found = re.search(rb"https?://[\x21-\x7e]{4,}", raw)
    if not found:
        return ""
    text = found[0].decode("ascii")
    return absolute(re.split("[\xd2\x01\x00\"'<>]", text)[0], "")


def _percent(text: str, safe: str) -> str:
    """One spelling: unreserved characters bare, every other escape upper case, anything beyond ASCII escaped as UTF-8."""

    def one(found: re.Match[str]) -> str:
        char = chr(int(found[0][1:], 16))
        return char if char in _UNRESERVED else found[0].upper()

    # A "%" that begins no escape is data.
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(_PERCENT.sub(one, text), safe="%" + safe)


def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            name = quote(name).lower()  # no host, but the same one every time
        name = "".join(name.split()).rstrip(
            "."
        )  # IDNA makes a space of a no-break space, and a dot of an ideographic one
    return _MOBILE.sub("", name) if not name.startswith("www.gov.") else name


def _normal(parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError:
        return ""
    host = _host(parts.hostname or "")
    if not host or "[" in host or "]" in host:
        return ""
    if ":" in host:
        if not re.fullmatch(r"[0-9a-f:.]+", host):  # with a zone, or none at all
            return ""
        host = f"[{host}]"
    if port not in (None, 80, 443):
        host += f":{port}"
    path = _path(parts.path)
    query = _query(parts.query)
    if (
        len(parts.fragment) > 1 and parts.fragment.startswith("!") and not query and path in ("", "/")
    ):  # the article is named in the fragment (old AJAX sites)
        query = _query("_escaped_fragment_=" + _percent(parts.fragment[1:], "/=&"))
    rest = path + (f"?{query}" if query else "")
    if len(rest) > _MAX // 2:  # no article's; percent-encoding made it grow
        rest = f"/{hashlib.blake2b(rest.encode(), digest_size=16).hexdigest()}"
    return f"https://{host}{rest}"


def _path(path: str) -> str:
    path = path if _PLAIN_PATH.match(path) else _clean_path(path)
    for pattern in (_AMP_PATH, _INDEX):
        shorter = pattern.sub("", path)
        path = shorter if len(shorter) > 1 or pattern is _INDEX else path
    path = _AMP_FRONT.sub("/", path)
    return path.rstrip("/")


def _clean_path(path: str) -> str:
    """Without session ids, empty and dot segments, percent-encoded in one way."""
    path = re.sub("/{2,}", "/", _SESSION.sub("", path))
    kept: list[str] = []
    for part in _percent(path, "/:@!$&'()*+,;=~").split("/"):
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


def _query(query: str) -> str:
    if not query:
        return ""
    pairs: list[str] = []
    for part in re.split("[&]|;(?=[A-Za-z_]+=)", query.replace("&amp;", "&")):
        name, equals, value = part.partition("=")
        bare = unquote_to_bytes(name).decode("utf-8", "replace").lower()
        if not bare or is_tracking(bare, value):
            continue
        text = _percent(name.replace("+", "%20"), "!$'()*,:@/[]~")
        if equals and value:
            text += "=" + _percent(value.replace("+", "%20"), "!$'()*,:@/[]~=;?")
        pairs.append(text)
    return "&".join(sorted(set(pairs)))
