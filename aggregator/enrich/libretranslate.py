"""Translation by a LibreTranslate server (POST /translate): sentence by sentence, nothing is summarised.

The summary is the translation of the one sentence that was extracted, the body that of the first paragraphs.
"""

from typing import Final

from aggregator.cleaning import plain, plain_line
from aggregator.enrich.base import Article, Made, NotMade, Texts, Trouble
from aggregator.enrich.http import Endpoint
from aggregator.enrich.summary import one_sentence

__all__ = ["LibreTranslateMaker", "parts_of"]

_PARAGRAPHS: Final = 3
# LibreTranslate's own codes where they differ from BCP 47's.
_CODES: Final = {"zh": "zh-Hans", "no": "nb", "zh-TW": "zh-Hant", "zh-HK": "zh-Hant"}
_VARIANTS: Final = frozenset({"pt-BR", "zh-Hans", "zh-Hant"})  # the only tags it knows that have a second part


class LibreTranslateMaker:
    """Asks `endpoint`, such as http://127.0.0.1:5000. `max_chars` bounds what is sent of a body."""

    def __init__(self, endpoint: Endpoint, *, api_key: str = "", max_chars: int = 6000) -> None:
        self._endpoint = endpoint
        self._api_key = api_key
        self._max_chars = max_chars

    @property
    def name(self) -> str:
        """The server."""
        return f"libretranslate/{self._endpoint.host}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.aclose()

    async def make(self, article: Article, language: str, attempt: int = 0) -> Made | NotMade:  # noqa: ARG002 - it answers the same each time
        """One call with all texts; see Maker."""
        parts = parts_of(article, self._max_chars)
        request: dict[str, object] = {
            "q": parts,
            "source": _CODES.get(article.language, article.language) or "auto",
            "target": _target(language),
            "format": "text",
        }
        if self._api_key:
            request["api_key"] = self._api_key
        answer = await self._endpoint.post("/translate", request)
        if isinstance(answer, NotMade):
            unknown = "not supported" in answer.detail
            return NotMade(Trouble.SET_UP, answer.detail) if unknown else answer
        found = answer.get("translatedText") if isinstance(answer, dict) else None
        if not (isinstance(found, list) and len(found) == len(parts) and all(isinstance(text, str) for text in found)):
            return NotMade(
                Trouble.ANSWER, f"{self._endpoint.host}: not an answer of /translate with {len(parts)} texts"
            )
        title, summary, *paragraphs = found
        return Made(
            Texts(plain_line(title), plain_line(summary), "\n\n".join(filter(None, map(plain, paragraphs)))), self.name
        )


def parts_of(article: Article, max_chars: int) -> list[str]:
    """What is translated: title, one sentence ("" when there is none), then the first paragraphs of the body."""
    sentence = one_sentence(article.title, article.summary, article.body, article.language)
    paragraphs: list[str] = []
    for paragraph in article.body.split("\n\n")[:_PARAGRAPHS]:
        if paragraph and sum(map(len, paragraphs)) + len(paragraph) <= max_chars:
            paragraphs.append(paragraph)
    return [article.title, sentence.text if sentence else "", *paragraphs]


def _target(tag: str) -> str:
    """The server's code of a language: it has one English for en-GB and en-US."""
    code = tag if tag in _VARIANTS or tag in _CODES else tag.partition("-")[0]
    return _CODES.get(code, code)
