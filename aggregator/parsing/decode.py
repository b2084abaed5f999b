"""Bytes of a feed → text, by what the bytes are before what anybody says they are.

The order is: byte order mark, UTF-16/32 by their zero bytes, valid UTF-8, charset of the HTTP header, XML declaration,
nearly valid UTF-8, the encoding usual for the feed's language. Labels mean what the WHATWG Encoding Standard says
(`iso-8859-1` is windows-1252, `gb2312` is GB 18030), since that is what publishers' browsers read.
"""

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["Decoded", "decode"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, without byte order mark and control characters, how it was read, and what was wrong."""

    text: str
    encoding: str
    warning: str = ""


_BOMS: Final = (  # the longer first: a UTF-32 mark begins like a UTF-16 one
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Only what Python's codecs lack or what the WHATWG standard reads differently.
_LABELS: Final = {
    "ansi_x3.4-1968": "cp1252",
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "cn-big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-11": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-9": "cp1254",
    "iso8859-1": "cp1252",
    "koi8": "koi8-r",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "latin5": "cp1254",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "tis-620": "cp874",
    "unicode": "utf-16",
    "us-ascii": "cp1252",
    "utf8": "utf-8",
    "win-1251": "cp1251",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
}
_USUAL: Final = {
    "ar": "cp1256",
    "be": "cp1251",
    "bg": "cp1251",
    "bs": "cp1250",
    "cs": "cp1250",
    "el": "cp1253",
    "et": "cp1257",
    "fa": "cp1256",
    "he": "cp1255",
    "hr": "cp1250",
    "hu": "cp1250",
    "ja": "cp932",
    "kk": "cp1251",
    "ko": "cp949",
    "lt": "cp1257",
    "lv": "cp1257",
    "mk": "cp1251",
    "pl": "cp1250",
    "ro": "cp1250",
    "ru": "cp1251",
    "sk": "cp1250",
    "sl": "cp1250",
    "sr": "cp1251",
    "th": "cp874",
    "tr": "cp1254",
    "uk": "cp1251",
    "ur": "cp1256",
    "vi": "cp1258",
    "zh": "gb18030",
}
# Codecs of Python's that are no character sets, or that would let 7-bit bytes grow into something else.
_NO_CHARSETS: Final = frozenset(
    {"base64", "bz2", "hex", "idna", "mbcs", "oem", "palmos", "punycode", "quopri", "raw-unicode-escape", "rot-13"}
    | {"undefined", "unicode-escape", "utf-7", "uu", "zlib"}
)
_HEADER_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{2,40})", re.IGNORECASE)
_XML_CHARSET: Final = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']\s*([A-Za-z0-9._:-]{2,40})""")
_HEAD: Final = 1024  # bytes in which an XML declaration must stand
_NEARLY: Final = 0.02  # share of undecodable characters up to which a text still counts as UTF-8
# What XML 1.0 cannot hold, written as bytes or as a lone surrogate, plus the replacement of a cut-off mark.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@lru_cache(maxsize=256)
def _codec(label: str) -> str:
    """Python's name of a charset label, or "" when there is no such character set."""
    label = label.strip().lower()
    name = _LABELS.get(label, label)
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    return "" if info.name.replace("_", "-") in _NO_CHARSETS or not info._is_text_encoding else info.name  # noqa: SLF001 - the only place where Python says so


def _utf16_or_32(head: bytes) -> str:
    """The kind of UTF-16/32 that `head` (without a mark) is in: "<" stands before or behind its zero bytes."""
    if head.lstrip(b"\x00 \t\r\n")[:1] != b"<":
        return ""
    at = head.index(b"<")
    if head[at - at % 4 : at] == b"\x00\x00\x00":
        return "utf-32-be"
    if at % 2:
        return "utf-16-be" if head[at - 1] == 0 else ""
    if head[at + 1 : at + 4] == b"\x00\x00\x00":
        return "utf-32-le"
    return "utf-16-le" if head[at + 1 : at + 2] == b"\x00" else ""


def _nearly_utf8(body: bytes) -> str:
    """`body` as UTF-8 with replacements when there are few of them among many letters beyond ASCII, else ""."""
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    beyond = len(body) - sum(map(len, re.findall(rb"[\x00-\x7f]+", body)))
    return text if bad * 2 <= beyond * _NEARLY or (bad <= 1 and beyond >= 10) else ""  # noqa: PLR2004 - one bad byte in a short feed


def _hardly_utf8(body: bytes) -> bool:
    """Whether hardly any letter beyond ASCII makes sense as UTF-8."""
    letters = [char for char in body.decode("utf-8", "replace") if char > "\x7f"]
    return letters.count("\ufffd") * 10 >= len(letters) * 9


def decode(body: bytes, content_type: str = "", language: str = "") -> Decoded:
    """Read `body` as text. Never raises.

    `content_type` is the HTTP header's value, `language` (BCP 47) decides only when nothing else does.
    """
    text, encoding, warning = _decode(body, content_type, language)
    text = text.lstrip("\ufeff")
    return Decoded(_ILLEGAL.sub("", text), encoding, warning)


def _decode(body: bytes, content_type: str, language: str) -> tuple[str, str, str]:
    for bom, name in _BOMS:
        if body.startswith(bom):
            text = body[len(bom) :].decode(name, "replace")
            return text, name, "bytes that its byte order mark does not explain" if "\ufffd" in text else ""
    if name := _utf16_or_32(body[:64]):
        return body.decode(name, "replace"), name, ""
    header = _HEADER_CHARSET.search(content_type)
    declared = _XML_CHARSET.match(body[:_HEAD])
    labels = [found for found in (header and header[1], declared and declared[1].decode("ascii")) if found]
    names = [name for name in map(_codec, labels) if name and not name.startswith(("utf-16", "utf-32"))]
    escaped = [name for name in names if name.startswith("iso2022") and b"\x1b" in body]  # ASCII to the eye
    for name in (*escaped, "utf-8"):
        try:
            return body.decode(name), name, ""
        except UnicodeDecodeError:
            continue
    near = _nearly_utf8(body)
    if near:
        return near, "utf-8", "not all of it is UTF-8"
    for name in names:
        if name != "utf-8":
            try:
                return body.decode(name), name, ""
            except UnicodeDecodeError:
                continue
    return _guessed(body, names, language)


def _guessed(body: bytes, names: list[str], language: str) -> tuple[str, str, str]:
    """What fits no label: the first one with replacements, or the encoding usual for the language."""
    usual = _USUAL.get(language.partition("-")[0].lower(), "cp1252")
    name = names[0] if names else usual
    if name == "utf-8" and _hardly_utf8(body):  # a label that was never true
        try:
            return body.decode(usual), usual, f"it says UTF-8 and is not: read as {usual}"
        except UnicodeDecodeError:
            pass
    text = body.decode(name, "replace")
    return text, name, f"not all of it is {name}" if "\ufffd" in text else f"no encoding was named: read as {name}"
