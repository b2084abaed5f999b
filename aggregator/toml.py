"""TOML held to a form. An error names the file, the table, the key, what is wrong and what is allowed."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from aggregator.errors import ConfigError

__all__ = [
    "CountryCode",
    "FeedAddress",
    "LanguageTag",
    "MaybeCountryCode",
    "MaybeLanguageTag",
    "MaybeProxyAddress",
    "Table",
    "convert",
    "read_toml",
]

T = TypeVar("T")

_SET_BY_US = "source"  # of Config: load_config writes it there, no file may

_LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]+)*"
_COUNTRY = r"[A-Z]{2}"

# Texts of a certain form; "" is one of the Maybe… too.
LanguageTag = Annotated[str, Meta(pattern=f"^{_LANGUAGE}$")]
MaybeLanguageTag = Annotated[str, Meta(pattern=f"^({_LANGUAGE})?$")]
CountryCode = Annotated[str, Meta(pattern=f"^{_COUNTRY}$")]
MaybeCountryCode = Annotated[str, Meta(pattern=f"^({_COUNTRY})?$")]
FeedAddress = Annotated[str, Meta(pattern=r"^https?://")]
MaybeProxyAddress = Annotated[str, Meta(pattern=r"^(https?://[^/\s]+/?)?$")]

# What the pattern of each asks for.
_IN_WORDS = {
    get_args(form)[1].pattern: words
    for form, words in (
        (LanguageTag, "a language tag such as lv or pt-BR"),
        (MaybeLanguageTag, "a language tag such as lv or pt-BR"),
        (CountryCode, "two capital letters such as LV"),
        (MaybeCountryCode, "two capital letters such as LV"),
        (FeedAddress, "an address that begins with http:// or https://"),
        (MaybeProxyAddress, "an address such as http://proxy.example:3128"),
    )
}


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a file: unknown keys are errors."""


def read_toml(path: Path) -> dict[str, Any]:
    """What the file says. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def convert(where: Path | str, data: Mapping[str, Any], kind: type[T]) -> T:
    """`data` held to the form `kind`. Raises ConfigError that begins with `where`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), data, kind)}") from None


def _explain(message: str, data: Mapping[str, Any], kind: type) -> str:
    """Turn msgspec's "Expected `int` >= 1 - at `$.polling.floor_s`" into table, key, what is allowed and what stands there."""
    text, _, place = message.partition(" - at `$")
    keys = re.findall(r"[A-Za-z_]\w*", place)
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", text)
    if unknown:
        table = f"[{keys[0]}] " if keys else ""
        allowed = [f.name for f in msgspec.structs.fields(_table_at(kind, keys)) if f.name != _SET_BY_US]
        near = difflib.get_close_matches(unknown[1], allowed, 1)
        hint = f"did you mean {near[0]}? Allowed" if near else "allowed"
        return f"{table}{unknown[1]}: unknown key; {hint}: {', '.join(allowed)}"
    missing = re.fullmatch(r"Object missing required field `(.+)`", text)
    if missing:
        return f"{missing[1]}: missing"
    value: Any = data
    for key in keys:
        value = value[key] if isinstance(value, Mapping) else value
    where = f"[{keys[0]}] {keys[1]}" if len(keys) > 1 else ".".join(keys)
    if text.startswith("Invalid enum value"):
        return f"{where}: {value!r} is not one of: {_choices(kind, keys)}"
    pattern = re.fullmatch(r"Expected `str` matching regex '(.*)'", text)
    if pattern and (words := _IN_WORDS.get(pattern[1].replace("\\\\", "\\"))):
        return f"{where}: expected {words}, but it is {value!r}"
    return f"{where}: {text[0].lower()}{text[1:].replace('`', '')}, but it is {value!r}"


def _table_at(kind: type, keys: list[str]) -> Any:
    for key in keys:
        kind = next(f.type for f in msgspec.structs.fields(kind) if f.name == key)
    return kind


def _choices(kind: type, keys: list[str]) -> str:
    """The words that a setting may be, where it is one of a few."""
    return ", ".join(str(choice) for choice in get_args(_table_at(kind, keys)))
