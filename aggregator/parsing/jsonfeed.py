"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1). No library reads more of it than msgspec's few lines here."""

import html
from typing import Any, Final

import msgspec

from aggregator.parsing.raw import RawEntry, RawFeed

__all__ = ["read"]

_VERSION: Final = "jsonfeed.org/version/"


def _str(value: Any) -> str:
    """Ids may be numbers by mistake (section "Items" asks readers to put up with that)."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def read(text: str, most: int) -> RawFeed | None:
    """The feed that the JSON text is, with its first `most` items; None when it is something else.

    Raises RecursionError on too deep nesting.
    """
    try:
        data = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, UnicodeError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        return None
    if _VERSION not in _str(data.get("version")) and not _dicts(data["items"]):
        return None
    hubs = [_str(hub.get("url")) for hub in _dicts(data.get("hubs")) if _str(hub.get("type")).lower() == "websub"]
    return RawFeed(
        title=html.escape(_str(data.get("title")), quote=False),
        homepage=_str(data.get("home_page_url")),
        language=_str(data.get("language")),
        hub=hubs[0] if hubs else "",
        entries=tuple(_entry(item, _authors(data)) for item in _dicts(data["items"][:most])),
    )


def _authors(data: dict[str, Any]) -> str:
    people = _dicts(data.get("authors")) or _dicts([data.get("author")])
    return ", ".join(name for name in (_str(person.get("name")).strip() for person in people[:10]) if name)


def _entry(item: dict[str, Any], author: str) -> RawEntry:
    plain = html.escape(_str(item.get("content_text")), quote=False).replace("\n", "<br>\n")
    tags = item.get("tags")
    attached = [
        _str(one.get("url"))
        for one in _dicts(item.get("attachments"))
        if _str(one.get("mime_type")).startswith("image/")
    ]
    images = (_str(item.get("image")), _str(item.get("banner_image")), *attached)
    guid = _str(item.get("id"))
    return RawEntry(
        guid=guid,
        link=_str(item.get("url"))
        or _str(item.get("external_url"))
        or (guid if guid.startswith(("http://", "https://")) else ""),
        title=html.escape(_str(item.get("title")), quote=False),
        summary=html.escape(_str(item.get("summary")), quote=False),
        body=_str(item.get("content_html")) or plain,
        dates=tuple(date for date in (_str(item.get("date_published")), _str(item.get("date_modified"))) if date),
        author=_authors(item) or author,
        tags=tuple(_str(tag) for tag in tags[:40]) if isinstance(tags, list) else (),
        images=tuple(image for image in images if image),
        language=_str(item.get("language")),
    )
