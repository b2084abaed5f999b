"""Names of time zones as feeds write them, and the zone of a country. Data: the IANA database, CLDR's zones of territories."""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import get_global

__all__ = ["named_offset", "zone_of"]

# Where the press of a country with several zones sits.
_CAPITAL: Final = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto",
    "CD": "Africa/Kinshasa", "CL": "America/Santiago", "CN": "Asia/Shanghai", "CY": "Asia/Nicosia", "EC": "America/Guayaquil",
    "ES": "Europe/Madrid", "FM": "Pacific/Pohnpei", "GL": "America/Nuuk", "ID": "Asia/Jakarta", "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty", "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City", "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland", "PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby", "PS": "Asia/Hebron", "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow", "UA": "Europe/Kyiv", "UM": "Pacific/Wake", "US": "America/New_York", "UZ": "Asia/Tashkent",
    "FR": "Europe/Paris", "DE": "Europe/Berlin", "XK": "Europe/Belgrade", "GB": "Europe/London", "VN": "Asia/Ho_Chi_Minh",
}  # fmt: skip
# Offsets in minutes of the names that no country of the feed explains; where several zones share a name, the one whose
# press writes it most. RFC 822 section 5 for the American and the first European ones.
_NAMED: Final = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120,
    "mest": 120, "met": 60, "eet": 120, "oez": 120, "eest": 180, "oesz": 180, "msk": 180, "msd": 240, "trt": 180, "fet": 180,
    "samt": 240, "yekt": 300, "yekst": 360, "omst": 360, "novt": 420, "krat": 420, "krast": 480, "irkt": 480, "irkst": 540,
    "yakt": 540, "vlat": 600, "magt": 660, "pett": 720, "gst": 240, "azt": 240, "amt": 240, "get": 240, "irst": 210,
    "irdt": 270, "aft": 270, "pkt": 300, "uzt": 300, "tmt": 300, "tjt": 300, "kgt": 360, "almt": 300, "ist": 330, "npt": 345,
    "bdt": 360, "btt": 360, "mmt": 390, "ict": 420, "wib": 420, "wita": 480, "wit": 540, "myt": 480, "sgt": 480, "hkt": 480,
    "pht": 480, "pst8": 480, "awst": 480, "ulat": 480, "jst": 540, "kst": 540, "acst": 570, "acdt": 630, "aest": 600,
    "aedt": 660, "chst": 600, "nzst": 720, "nzdt": 780, "fjt": 720, "tot": 780, "cat": 120, "eat": 180, "wat": 60, "sast": 120,
    "ast": -240, "adt": -180, "nst": -210, "ndt": -150, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420,
    "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600, "hast": -600, "sst": -660, "brt": -180,
    "brst": -120, "art": -180, "clt": -240, "clst": -180, "cot": -300, "pet": -300, "ect": -300, "vet": -240, "bot": -240,
    "pyt": -180, "uyt": -180, "gft": -180, "gyt": -240, "srt": -180, "мск": 180,
}  # fmt: skip


@lru_cache(maxsize=1)
def _territories() -> dict[str, list[str]]:
    zones: dict[str, list[str]] = {}
    for zone, territory in get_global("zone_territories").items():
        zones.setdefault(territory, []).append(zone)
    return zones


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError only by an accident of history
        return None
    except KeyError:
        return None


@lru_cache(maxsize=512)
def zone_of(timezone_name: str, country: str) -> tzinfo | None:
    """The outlet's zone: its own, else the only or the main one of its country, else None."""
    if timezone_name and (zone := _zone(timezone_name)):
        return zone
    if country in _CAPITAL:
        return _zone(_CAPITAL[country])
    names = sorted(_territories().get(country, []))
    return _zone(names[0]) if names else None


@lru_cache(maxsize=512)
def _of_country(abbreviation: str, country: str) -> int | None:
    """Minutes east of Greenwich that a country's own clocks mean by an abbreviation, whichever season it is."""
    for name in [_CAPITAL[country]] if country in _CAPITAL else sorted(_territories().get(country, [])):
        zone = _zone(name)
        for month in (1, 7):
            at = datetime(2026, month, 1, tzinfo=zone)
            offset = at.utcoffset()
            if zone and (at.tzname() or "").lower() == abbreviation and offset is not None:
                return int(offset.total_seconds()) // 60
    return None


_OFFSET: Final = re.compile(r"^(?:(?:utc|gmt|z)\s*)?([+-])(\d{1,2}):?(\d{2})?$")


@lru_cache(maxsize=2048)
def named_offset(name: str, country: str) -> tzinfo | None:
    """`+0200`, `GMT+3`, `Z`, `EEST`, `IST` (by country), `Europe/Riga` → a zone; None for what is no zone."""
    text = name.strip().strip("()").lower()
    if found := _OFFSET.match(text.replace("\u2212", "-")):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        sign = -1 if found[1] == "-" else 1
        return timezone(timedelta(minutes=sign * minutes)) if minutes <= 14 * 60 else None
    if country:
        minutes_of = _of_country(text, country)
        if minutes_of is not None:
            return timezone(timedelta(minutes=minutes_of))
    if text in _NAMED:
        return timezone(timedelta(minutes=_NAMED[text]))
    return _zone(name.strip()) if re.match(r"^[A-Z][A-Za-z_]+/[A-Za-z_/+-]+$", name.strip()[:60]) else None
