"""What is to be put into another language, what came of it, and what a translator is."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

__all__ = ["Article", "Made", "Maker", "NotMade", "Texts", "Trouble", "language_name", "source_hash"]


@dataclass(frozen=True, slots=True)
class Article:
    """An item's texts as its outlet has them. `body` has its paragraphs divided by an empty line; summary and body may be ""."""

    title: str
    summary: str
    body: str
    language: str

    @property
    def has_text(self) -> bool:
        """Whether there is more than a title."""
        return bool(self.summary or self.body)

    def all(self) -> str:
        """Everything it says."""
        return "\n\n".join(part for part in (self.title, self.summary, self.body) if part)


@dataclass(frozen=True, slots=True)
class Texts:
    """Title, one-sentence summary and two or three paragraphs, in one language. Summary and body are "" where none was made."""

    title: str
    summary: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a translator answered, unchecked. `model` names it with its version; tokens are as it counts them, 0 = unknown."""

    texts: Texts
    model: str
    tokens_in: int = 0
    tokens_out: int = 0


class Trouble(StrEnum):
    """Why nothing was made."""

    DOWN = "down"  # no answer, 5xx, overloaded: the endpoint's trouble, not this article's
    SET_UP = "set_up"  # it refuses us: wrong key, model, language pair or address
    ANSWER = "answer"  # it answered something that cannot be read


@dataclass(frozen=True, slots=True)
class NotMade:
    """An expected failure. `retry_after_s`: as the endpoint asks (Retry-After), or None. `detail` is one line for a person."""

    trouble: Trouble
    detail: str
    retry_after_s: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0


class Maker(Protocol):
    """Puts articles into a reader's language. Safe to use from many tasks of one event loop at once."""

    @property
    def name(self) -> str:
        """Names the model; changes when what it makes may be other than before."""

    async def make(self, article: Article, language: str, attempt: int = 0) -> Made | NotMade:
        """The article in `language` (BCP 47). Raises nothing but CancelledError.

        `attempt` counts what was made of it before and did not pass: what can, answers otherwise then.
        """

    async def aclose(self) -> None:
        """Free what it holds; it is not used afterwards."""


def source_hash(article: Article) -> str:
    """Changes when the texts change: what a translation was made from."""
    text = "\x1f".join((article.language, article.title, article.summary, article.body))  # noqa: FLY002 - a separator no text holds
    return blake2b(text.encode(), digest_size=12).hexdigest()


def language_name(tag: str) -> str:
    """English name of a language, for models: "Latvian"; the tag itself when it is unknown."""
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - 50 ms, needed only where a translator is configured

    try:
        return Locale.parse(tag, sep="-").get_display_name("en") or tag
    except (UnknownLocaleError, ValueError):
        return tag
